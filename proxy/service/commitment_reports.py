"""Reports of storage commitment to those who asked by DIMSE (PS3.4 J.3.3): which are looked at when.

Each requester is served by itself, so that one that is away delays nobody. What a look at a report leads to is in
`proxy.service.commitment_turn`. A crash after a report was sent sends it again.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import random
import time
from collections.abc import Callable, Sequence
from typing import Any

from proxy.errors import SealBroken, Unavailable
from proxy.service.commitment import Commitment
from proxy.service.commitment_turn import Turns
from proxy.service.ports import AuditTrail
from proxy.service.reporting import Messenger, Patience, Store
from proxy.store.commitment_reports import Owed

#: seconds: the shortest wait between two rounds; a pause after trouble of our own; the longest without a round
_SOONEST, _PAUSE, _IDLE = 0.1, 5.0, 60.0
#: reports of one round
_BATCH = 100


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
        self._store, self._clock = store, clock
        chance = rng or random.Random()  # noqa: S311 - jitter, not a secret
        self._turns = Turns(store, commitment, audit, messenger, patience or Patience(), clock, chance)
        self._wanted = asyncio.Event()
        self._serving: dict[str, asyncio.Task[None]] = {}
        self._task: asyncio.Task[None] | None = None
        self._trouble = ""

    async def start(self) -> None:
        """Begin, with what an earlier process left: whoever was away, or had no address, is tried again."""
        await self._store.hurry(self._clock())
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
        return {"reports": dict(await self._store.counts()), "away": self._turns.away, "trouble": self._trouble}

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
                await self._one(owed)
        except Unavailable as error:  # and the reports are still due
            self._trouble = type(error).__name__
            await asyncio.sleep(_PAUSE)

    async def _one(self, owed: Owed) -> None:
        try:
            await self._turns.look(owed)
        except Unavailable:
            raise
        except SealBroken:
            await self._turns.give_up(owed, "seal-broken")
        except Exception as error:  # noqa: BLE001 - a bug that one report meets must not end those of others
            self._trouble = type(error).__name__
            await self._turns.postpone(owed, self._trouble)
