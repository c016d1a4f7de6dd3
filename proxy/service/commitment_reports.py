"""Reports of storage commitment to those who asked by DIMSE (PS3.4 J.3.3): when they are sent, tried again, given up.

A report waits until every destination has answered for every instance, or until the request is older than
`Patience.wait_seconds`: what still waits then has failed, and is reported so. Each requester is served by itself, so
that one that is away delays nobody. A crash after a report was sent sends it again. Nothing is given up silently.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import itertools
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proxy.errors import SealBroken, Unavailable
from proxy.service.breaker import Breaker, full_jitter
from proxy.service.commitment import Commitment, Committed, event
from proxy.service.ports import AuditTrail, Peer
from proxy.service.reporting import Messenger, NotReported, Store
from proxy.store.commitment_reports import GIVEN_UP, OWED, REPORTED, WAITING, Owed

#: refusals of one report by its requester before it is given up
TRIES = 3
#: seconds: the shortest and the longest wait between two looks at instances that are under way; a pause after trouble
_SOONEST, _LATEST, _PAUSE = 0.1, 300.0, 5.0
#: reports that are looked at together; seconds without a look at what is due
_BATCH, _IDLE = 100, 60.0


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds: for destinations to accept what was asked about; then, for the requester to take the report."""

    wait_seconds: float = 24 * 3600.0
    report_seconds: float = 72 * 3600.0


class Reports:
    """Sends what is due, until `stop`."""

    def __init__(
        self,
        store: Store,
        commitment: Commitment,
        audit: AuditTrail,
        messenger: Messenger,
        patience: Patience | None = None,
        clock: Callable[[], float] = time.time,
        rng: random.Random | None = None,
    ) -> None:
        self._store, self._commitment, self._audit, self._messenger = store, commitment, audit, messenger
        self._patience, self._clock = patience or Patience(), clock
        self._rng = rng or random.Random()  # noqa: S311 - jitter, not a secret
        self._wanted = asyncio.Event()
        self._serving: dict[str, asyncio.Task[None]] = {}
        self._breakers: dict[str, Breaker] = {}
        self._refusals: dict[str, int] = {}  # request → times its requester refused the report
        self._recorded: dict[str, Mapping[str, int]] = {}  # request → what the audit trail says of it
        self._task: asyncio.Task[None] | None = None
        self._trouble = ""

    async def start(self) -> None:
        """Begin, with what an earlier process left."""
        self._task = asyncio.create_task(self._run())

    def wake(self) -> None:
        """A request was taken. Does not block; call it on the event loop."""
        self._wanted.set()

    async def stop(self) -> None:
        """What is under way is cut off, and done again at the next start."""
        tasks = [task for task in (self._task, *self._serving.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._task = None

    async def status(self) -> dict[str, Any]:
        """For operators: reports by state, requesters that could not be reached, what stopped a report last."""
        away = sorted(name for name, each in self._breakers.items() if each.failures)
        return {"reports": dict(await self._store.counts()), "away": away, "trouble": self._trouble}

    async def _run(self) -> None:
        while True:
            self._wanted.clear()
            try:
                await self._serve_due()
                due = await self._store.next_due(tuple(self._serving))
                pause = _IDLE if due is None else min(_IDLE, max(_SOONEST, due - self._clock()))
            except Unavailable:
                pause = _PAUSE
            try:
                async with asyncio.timeout(pause):
                    await self._wanted.wait()
            except TimeoutError:
                continue

    async def _serve_due(self) -> None:
        found = await self._store.due(self._clock(), _BATCH, tuple(self._serving))
        by_requester = sorted(found, key=lambda owed: owed.requester)
        for requester, several in itertools.groupby(by_requester, key=lambda owed: owed.requester):
            task = asyncio.create_task(self._serve(list(several)))
            self._serving[requester] = task
            task.add_done_callback(functools.partial(self._served, requester))

    def _served(self, requester: str, _: asyncio.Task[None]) -> None:
        self._serving.pop(requester, None)
        self._wanted.set()

    async def _serve(self, several: Sequence[Owed]) -> None:
        """The reports of one requester, one after the other."""
        try:
            for owed in several:
                try:
                    await self._look(owed)
                except SealBroken:
                    await self._give_up(owed, "seal-broken")
        except Exception as error:  # noqa: BLE001 - a bug must not end the reports of others; these are still due
            self._trouble = type(error).__name__
            await asyncio.sleep(_PAUSE)

    async def _look(self, owed: Owed) -> None:
        """Send one report, if it can be sent already."""
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

    async def _send(self, owed: Owed, transaction: str, result: Committed) -> None:
        now = self._clock()
        breaker = self._breakers.setdefault(owed.requester, Breaker(self._rng))
        if not breaker.admit(now):
            return await self._store.keep(owed, OWED, breaker.until, "away")
        with breaker.attempt():
            try:
                await self._messenger.report(owed, transaction, result)
            except NotReported as error:
                return await self._missed(owed, error)
        self._breakers.pop(owed.requester)
        await self._audit.record(event(owed.project, "commitment-reported", _peer(owed), result.counts))
        return await self._end(owed, REPORTED)

    async def _missed(self, owed: Owed, error: NotReported) -> None:
        now, breaker = self._clock(), self._breakers[owed.requester]
        owed = dataclasses.replace(owed, attempts=owed.attempts + 1)
        if error.refused:
            breaker.answered()
            self._refusals[owed.request] = self._refusals.get(owed.request, 0) + 1
        else:
            breaker.troubled(now)
        late = now - owed.settled_at >= self._patience.report_seconds
        if late or self._refusals.get(owed.request, 0) >= TRIES:
            return await self._give_up(owed, error.code)
        return await self._store.keep(owed, OWED, now + full_jitter(self._rng, owed.attempts), error.code)

    async def _give_up(self, owed: Owed, code: str) -> None:
        await self._audit.record(event(owed.project, "commitment-given-up", _peer(owed), reason=code))
        await self._end(owed, GIVEN_UP, code)

    async def _end(self, owed: Owed, state: str, code: str = "") -> None:
        self._recorded.pop(owed.request, None)
        self._refusals.pop(owed.request, None)
        await self._store.keep(owed, state, self._clock(), code)


def _peer(owed: Owed) -> Peer:
    return Peer("dimse", calling_ae=owed.requester, called_ae=owed.provider)
