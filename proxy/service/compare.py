"""The use case *compare*: whether a destination still has what it accepted of a study, by asking it.

Pseudonymous UIDs go there, as they did with the instances. Recorded before anybody is asked; one study at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from proxy.service.events import who
from proxy.service.ports import AuditEvent, AuditTrail, Peer
from proxy.service.upstream import Question, Upstream, UpstreamError
from proxy.wire.dicom_json import first_value

#: seconds for one destination, and UIDs that are named of those that it lacks
PATIENCE, NAMED = 30.0, 20

#: project and study → destination → SOP Instance UIDs that it accepted
Delivered = Callable[[str, str], Awaitable[Mapping[str, frozenset[str]]]]


@dataclass(frozen=True, slots=True)
class Compared:
    """One destination. ``lacks``: instances that it accepted and does not show, some of them in ``missing``.

    ``others``: what it has of the study besides. ``problem``: a code, where it could not be asked.
    """

    destination: str
    accepted: int
    there: int = 0
    lacks: int = 0
    missing: tuple[str, ...] = ()
    others: int = 0
    problem: str = ""


class Compare:
    """``upstream``: a way to ask a destination of a project, which is closed afterwards."""

    def __init__(
        self,
        delivered: Delivered,
        upstream: Callable[[str, str], Upstream],
        audit: AuditTrail,
        seconds: float = PATIENCE,
    ) -> None:
        self._delivered, self._upstream, self._audit, self._seconds = delivered, upstream, audit, seconds
        self._one_at_a_time = asyncio.Lock()

    async def study(self, project: str, uid: str, peer: Peer) -> list[Compared]:
        """Ask every destination that accepted something of it. `Unavailable` where that cannot be recorded."""
        about = {"kind": "study", "study_instance_uid": uid}
        await self._audit.record(AuditEvent("compared", project=project, peer=who(peer), object=about))
        async with self._one_at_a_time:
            delivered = await self._delivered(project, uid)
            return [await self._at(project, name, uid, delivered[name]) for name in sorted(delivered)]

    async def _at(self, project: str, name: str, uid: str, accepted: frozenset[str]) -> Compared:
        try:
            there = await self._asked(project, name, uid)
        except KeyError:
            return Compared(name, len(accepted), problem="no-such-destination")
        except TimeoutError:
            return Compared(name, len(accepted), problem="timeout")
        except UpstreamError as error:
            return Compared(name, len(accepted), problem=error.code)
        missing = sorted(accepted - there)
        others = len(there - accepted)
        return Compared(name, len(accepted), len(there), len(missing), tuple(missing[:NAMED]), others)

    async def _asked(self, project: str, name: str, uid: str) -> frozenset[str]:
        upstream = self._upstream(project, name)
        try:
            async with asyncio.timeout(self._seconds):
                found = await upstream.search(Question("instance", {"StudyInstanceUID": uid}))
        finally:
            await upstream.close()
        return frozenset(first_value(m, "00080018") for m in found if first_value(m, "0020000D") in ("", uid)) - {""}
