"""The use case *storage commitment* (PS3.4 J, PS3.18 13): is what I sent safe where it was to go?

Senders ask by their own UIDs. Committed is what every destination of the project has accepted, in its latest version;
pending what still waits. What is in quarantine, was given up, or was never here, is not committed. The copy that is
committed is the de-identified one: see docs/dicomweb.md before a modality is let to delete by it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from proxy.deid.profile import Policy
from proxy.service.events import who
from proxy.service.ports import AuditEvent, AuditTrail, Peer

#: (0008,1197), PS3.4 J.3.2: processing failure, no such object instance, class and instance conflict
FAILED, UNKNOWN, CONFLICT = 0x0110, 0x0112, 0x0119

#: (SOP Class UID, SOP Instance UID) as the sender knows them
Named = tuple[str, str]


class Requests(Protocol):
    """Requests that outlive the process."""

    async def add(self, project: str, transaction: str, instances: Sequence[Named]) -> bool:
        """Remember a request; False when the transaction is known already."""
        ...

    async def get(self, project: str, transaction: str) -> list[Named] | None:
        """What was asked for, None for an unknown transaction."""
        ...


class Standings(Protocol):
    """The queue, as far as it is asked here."""

    async def standing(self, project: str, uids: Sequence[str]) -> Mapping[str, tuple[str, frozenset[str]]]:
        """Pseudonymous SOP Instance UID → SOP class, and the states of its latest row at each destination."""
        ...


@dataclass(frozen=True, slots=True)
class Committed:
    """How a request stands: instances by the sender's UIDs. Nothing is final while something is ``pending``."""

    safe: list[Named] = field(default_factory=list)
    failed: list[tuple[str, str, int]] = field(default_factory=list)
    pending: int = 0


class Commitment:
    """Answers requests for storage commitment, each recorded in ``audit`` first."""

    def __init__(
        self, requests: Requests, queue: Standings, audit: AuditTrail, policy: Callable[[str], Policy]
    ) -> None:
        """``policy``: that of a project, now."""
        self._requests, self._queue, self._audit, self._policy = requests, queue, audit, policy

    async def ask(self, project: str, transaction: str, instances: Sequence[Named], peer: Peer) -> Committed | None:
        """Take a request and say how it stands; None when its UID is in use. Raises `AuditUnavailable`."""
        if not await self._requests.add(project, transaction, instances):
            await self._audit.record(_event(project, "commitment-refused", peer, "transaction-uid-in-use"))
            return None
        return await self._answered(project, instances, peer)

    async def result(self, project: str, transaction: str, peer: Peer) -> Committed | None:
        """How an earlier request stands by now; None for one that was never made."""
        instances = await self._requests.get(project, transaction)
        if instances is None:
            await self._audit.record(_event(project, "commitment-refused", peer, "not-found"))
            return None
        return await self._answered(project, instances, peer)

    async def _answered(self, project: str, instances: Sequence[Named], peer: Peer) -> Committed:
        policy = self._policy(project)
        retained, names = "rtn_uids" in policy.options, policy.pseudonyms()
        ours = {uid: uid if retained else names.uid(uid) for _, uid in instances}
        found = await self._queue.standing(project, sorted(set(ours.values())))
        result, pending = Committed(), 0
        for kind, uid in instances:
            of, states = found.get(ours[uid], ("", frozenset()))
            if not states:
                result.failed.append((kind, uid, UNKNOWN))
            elif of != kind:
                result.failed.append((kind, uid, CONFLICT))
            elif states == {"delivered"}:
                result.safe.append((kind, uid))
            elif "failed" in states:
                result.failed.append((kind, uid, FAILED))
            else:
                pending += 1
        result = Committed(result.safe, result.failed, pending)
        await self._audit.record(_event(project, "commitment", peer, counts=result))
        return result


def _event(project: str, event: str, peer: Peer, reason: str = "", counts: Committed | None = None) -> AuditEvent:
    what: dict[str, object] = {"kind": "commitment"}
    if counts is not None:
        what |= {"safe": len(counts.safe), "failed": len(counts.failed), "pending": counts.pending}
    return AuditEvent(event, "failure" if reason else "success", project, who(peer), what, reason)
