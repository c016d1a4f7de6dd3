"""The use case *storage commitment* (PS3.4 J, PS3.18 13): is what I sent safe where it was to go?

Senders ask by their own UIDs. Committed is what every destination of the project has accepted, in its latest version;
pending what still waits. What is in quarantine, was given up, or was never here, is not committed. The copy that is
committed is the de-identified one: see docs/dicomweb.md before a modality is let to delete by it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from proxy.deid.profile import Policy
from proxy.service.events import for_whom, who
from proxy.service.ports import AuditEvent, AuditTrail, Peer

#: (0008,1197), PS3.4 J.3.2: processing failure, no such object instance, class and instance conflict
FAILED, UNKNOWN, CONFLICT = 0x0110, 0x0112, 0x0119
#: bytes of a request, and instances in it, by whatever way it comes
LONGEST, MOST = 16 << 20, 50_000
#: instances that are judged without leaving the event loop
FEW = 200

_T = TypeVar("_T")
#: (SOP Class UID, SOP Instance UID) as the sender knows them
Named = tuple[str, str]


class Requests(Protocol):
    """Requests that outlive the process."""

    async def add(
        self, project: str, transaction: str, instances: Sequence[Named], titles: tuple[str, str] | None = None
    ) -> bool:
        """Remember a request; False when the transaction is known already.

        With ``titles``, the AE titles of who asked and who was asked, a report is owed from then on.
        """
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

    @property
    def counts(self) -> dict[str, int]:
        """For the audit trail."""
        return {"safe": len(self.safe), "failed": len(self.failed), "pending": self.pending}


class Commitment:
    """Answers requests for storage commitment, each recorded in ``audit`` first."""

    def __init__(
        self, requests: Requests, queue: Standings, audit: AuditTrail, policy: Callable[[str], Policy]
    ) -> None:
        """``policy``: that of a project, now."""
        self._requests, self._queue, self._audit, self._policy = requests, queue, audit, policy

    async def ask(self, project: str, transaction: str, instances: Sequence[Named], peer: Peer) -> Committed | None:
        """Take a request and say how it stands; None when its UID is in use. Raises `AuditUnavailable`."""
        if not await self._taken(project, transaction, instances, peer, None):
            return None
        return await self._answered(project, instances, peer)

    async def accept(self, project: str, transaction: str, instances: Sequence[Named], peer: Peer) -> bool:
        """Take a request whose result is owed to ``peer.calling_ae`` (`proxy.service.commitment_reports`).

        False when its UID is in use. Raises a member of `Unavailable`.
        """
        return await self._taken(project, transaction, instances, peer, (peer.calling_ae, peer.called_ae))

    async def result(self, project: str, transaction: str, peer: Peer) -> Committed | None:
        """How an earlier request stands by now; None for one that was never made."""
        instances = await self._requests.get(project, transaction)
        if instances is None:
            await self._audit.record(event(project, "commitment-refused", peer, reason="not-found"))
            return None
        return await self._answered(project, instances, peer)

    async def verdict(self, project: str, instances: Sequence[Named], final: bool = False) -> Committed:
        """How ``instances`` stand. With ``final`` nothing is pending any more: what still waits has failed."""
        ours = await self._ours(project, [uid for _, uid in instances])
        found = await self._queue.standing(project, sorted(set(ours.values())))
        return await _apart(len(instances), lambda: _judged(instances, ours, found, final))

    async def _taken(
        self, project: str, transaction: str, instances: Sequence[Named], peer: Peer, titles: tuple[str, str] | None
    ) -> bool:
        """Recorded, then remembered; the other way round a sender that tries again would meet its own request."""
        await self._audit.record(event(project, "commitment-asked", peer, {"instances": len(instances)}))
        if await self._requests.add(project, transaction, instances, titles):
            return True
        await self._audit.record(event(project, "commitment-refused", peer, reason="transaction-uid-in-use"))
        return False

    async def _answered(self, project: str, instances: Sequence[Named], peer: Peer) -> Committed:
        result = await self.verdict(project, instances)
        await self._audit.record(event(project, "commitment", peer, result.counts))
        return result

    async def _ours(self, project: str, uids: Sequence[str]) -> Mapping[str, str]:
        """Original → pseudonymous UID."""
        policy = self._policy(project)
        if "rtn_uids" in policy.options:
            return {uid: uid for uid in uids}
        names = policy.pseudonyms()
        return await _apart(len(uids), lambda: {uid: names.uid(uid) for uid in uids})


def _judged(
    instances: Sequence[Named], ours: Mapping[str, str], found: Mapping[str, tuple[str, frozenset[str]]], final: bool
) -> Committed:
    result, pending = Committed(), 0
    for kind, uid in instances:
        of, states = found.get(ours[uid], ("", frozenset()))
        if not states:
            result.failed.append((kind, uid, UNKNOWN))
        elif of != kind:
            result.failed.append((kind, uid, CONFLICT))
        elif states == {"delivered"}:
            result.safe.append((kind, uid))
        elif final or "failed" in states:
            result.failed.append((kind, uid, FAILED))
        else:
            pending += 1
    return Committed(result.safe, result.failed, pending)


async def _apart(size: int, work: Callable[[], _T]) -> _T:
    """``work`` on ``size`` instances, on a thread where they are many."""
    return work() if size <= FEW else await asyncio.to_thread(work)


def event(
    project: str, type_: str, peer: Peer, counts: Mapping[str, int] | None = None, reason: str = ""
) -> AuditEvent:
    """A record about storage commitment; a reason is one of failure."""
    what: dict[str, object] = {"kind": "commitment"} | dict(counts or {})
    outcome = "failure" if reason else "success"
    return AuditEvent(type_, outcome, project, who(peer), what, reason, behalf=for_whom(peer))
