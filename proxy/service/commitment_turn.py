"""One look at a report of storage commitment: to wait, to send it, to try again, or to give up.

A report waits until every destination has answered for every instance, or until the request is older than
`Patience.wait_seconds`: what still waits then has failed, and is reported so. Its result is recorded before it is sent.
Nothing is given up silently.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Mapping

from proxy.service.breaker import CAP, Breaker, full_jitter
from proxy.service.commitment import Commitment, Committed, event
from proxy.service.ports import AuditTrail, Peer
from proxy.service.reporting import Messenger, NotReported, Patience, Store
from proxy.store.commitment_reports import GIVEN_UP, OWED, REPORTED, WAITING, Owed

#: refusals of one report by its requester before it is given up
TRIES = 3
#: seconds: the shortest and the longest wait between two looks at instances that are under way
_SOONEST, _LATEST = 0.1, 300.0


class Turns:
    """Looks at reports; those of one requester one after the other."""

    def __init__(
        self,
        store: Store,
        commitment: Commitment,
        audit: AuditTrail,
        messenger: Messenger,
        patience: Patience,
        clock: Callable[[], float],
        rng: random.Random,
    ) -> None:
        self._store, self._commitment, self._audit, self._messenger = store, commitment, audit, messenger
        self._patience, self._clock, self._rng = patience, clock, rng
        self._breakers: dict[str, Breaker] = {}  # requesters that could not be reached
        self._refusals: dict[str, int] = {}  # request → times its requester refused the report
        self._recorded: dict[str, Mapping[str, int]] = {}  # request → what the audit trail says of it

    @property
    def away(self) -> list[str]:
        """Requesters that could not be reached."""
        return sorted(self._breakers)

    async def look(self, owed: Owed) -> None:
        """Send one report, if it can be sent already. Raises `SealBroken` where its row was altered."""
        now = self._clock()
        transaction, instances = await self._store.open(owed)
        age = now - owed.asked_at
        result = await self._commitment.verdict(owed.project, instances, final=age >= self._patience.wait_seconds)
        if result.pending:
            left = self._patience.wait_seconds - age
            return await self._store.keep(owed, WAITING, now + min(left, max(_SOONEST, min(age / 4, _LATEST))))
        if not owed.settled_at:
            owed = dataclasses.replace(owed, settled_at=now)
        if self._recorded.get(owed.request) != result.counts:
            await self._audit.record(event(owed.project, "commitment", _peer(owed), result.counts))
            self._recorded[owed.request] = result.counts
        return await self._send(owed, transaction, result)

    async def give_up(self, owed: Owed, code: str) -> None:
        """Say that this report will never be sent."""
        await self._audit.record(event(owed.project, "commitment-given-up", _peer(owed), reason=code))
        await self._end(owed, GIVEN_UP, code)

    async def postpone(self, owed: Owed, code: str) -> None:
        """Nobody knows what to do with it: look again later, until it is too late."""
        if self._clock() - owed.asked_at >= self._patience.wait_seconds + self._patience.report_seconds:
            return await self.give_up(owed, code)
        return await self._store.keep(owed, OWED if owed.settled_at else WAITING, self._clock() + CAP, code)

    async def _send(self, owed: Owed, transaction: str, result: Committed) -> None:
        try:
            if not await self._messenger.report_here(owed, transaction, result):
                breaker = self._breakers.get(owed.requester)
                if breaker is not None and not breaker.admit(self._clock()):
                    return await self._again(owed, breaker.until, "away")
                await self._messenger.report(owed, transaction, result)
        except NotReported as error:
            return await self._missed(owed, error)
        self._breakers.pop(owed.requester, None)
        await self._audit.record(event(owed.project, "commitment-reported", _peer(owed), result.counts))
        return await self._end(owed, REPORTED)

    async def _missed(self, owed: Owed, error: NotReported) -> None:
        now = self._clock()
        owed = dataclasses.replace(owed, attempts=owed.attempts + 1)
        if error.nowhere:  # only another veil.yaml can help, and that is read at a start
            return await self._again(owed, owed.settled_at + self._patience.report_seconds, error.code)
        if not error.refused:
            self._breakers.setdefault(owed.requester, Breaker(self._rng)).troubled(now)
            return await self._again(owed, now + full_jitter(self._rng, owed.attempts), error.code)
        self._breakers.pop(owed.requester, None)
        self._refusals[owed.request] = self._refusals.get(owed.request, 0) + 1
        if self._refusals[owed.request] >= TRIES:
            return await self.give_up(owed, error.code)
        return await self._again(owed, now + full_jitter(self._rng, owed.attempts), error.code)

    async def _again(self, owed: Owed, at: float, code: str) -> None:
        """Try again at ``at``, unless it is late."""
        if self._clock() - owed.settled_at >= self._patience.report_seconds:
            return await self.give_up(owed, code)
        return await self._store.keep(owed, OWED, at, code)

    async def _end(self, owed: Owed, state: str, code: str = "") -> None:
        self._recorded.pop(owed.request, None)
        self._refusals.pop(owed.request, None)
        await self._store.keep(owed, state, self._clock(), code)


def _peer(owed: Owed) -> Peer:
    return Peer("dimse", calling_ae=owed.requester, called_ae=owed.provider)
