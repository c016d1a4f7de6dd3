"""The use case *deliver*: released instances leave for their destinations, until each has arrived.

Per destination a few senders at a time claim rows, send, record ``delivered``, then mark the row done and forget the
file. A crash anywhere before that sends again, which is harmless: output is deterministic. Trouble is retried without
a count limit; a destination that refuses everything is paused and probed; an instance that only is at fault is tried
three times and kept, de-identified, for a replay. No outage of a destination ever reaches intake.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from proxy.errors import DeliveryError, DeliveryTransient, DestinationRefuses, InstanceRejected, Unavailable
from proxy.service import events
from proxy.service.breaker import Breaker, State, full_jitter
from proxy.service.ports import AuditTrail, DeliveryQueue, QueueRow, Sender, Spool

T = TypeVar("T")

#: refusals of one instance by one destination before it is given up
TRIES = 3


@dataclass(frozen=True, slots=True)
class DestinationStatus:
    """One destination since the start, for metrics and operators; it never flips readiness."""

    state: State
    in_flight: int
    delivered: int
    retried: int
    rejected: int
    last_code: str
    probe_at: float


class Deliver:
    """Delivers to ``senders``, which it closes when it stops."""

    def __init__(
        self,
        queue: DeliveryQueue,
        spool: Spool,
        audit: AuditTrail,
        senders: Mapping[str, Sender],
        *,
        clock: Callable[[], float] = time.time,
        rng: random.Random | None = None,
        concurrency: int = 4,
        poll_seconds: float = 1.0,
    ) -> None:
        """``concurrency``: instances under way to one destination; ``poll_seconds``: how soon a due retry is seen."""
        chance = rng or random.Random()  # noqa: S311 - jitter, not a secret
        self._senders = senders
        self._lanes = {
            name: Lane(name, queue, spool, audit, sender, clock, chance, poll_seconds)
            for name, sender in senders.items()
        }
        self._concurrency = concurrency
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to send what the queue holds."""
        for lane in self._lanes.values():
            self._tasks += [asyncio.create_task(lane.run()) for _ in range(self._concurrency)]

    def notify(self, destinations: Iterable[str]) -> None:
        """New rows wait for ``destinations``. Does not block; call it on the event loop."""
        for name in destinations:
            if lane := self._lanes.get(name):
                lane.wake.set()

    async def stop(self, timeout: float) -> None:
        """Claim nothing more, give what is under way ``timeout`` seconds; what is cut off is sent again next time."""
        for lane in self._lanes.values():
            lane.stopping = True
            lane.wake.set()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=timeout)
            for task in late:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        await asyncio.gather(*(sender.close() for sender in self._senders.values()), return_exceptions=True)

    def status(self) -> Mapping[str, DestinationStatus]:
        """Destination → how it stands."""
        return {name: lane.status() for name, lane in self._lanes.items()}


class Lane:
    """The way to one destination; `run` may run several times at once."""

    def __init__(
        self,
        name: str,
        queue: DeliveryQueue,
        spool: Spool,
        audit: AuditTrail,
        sender: Sender,
        clock: Callable[[], float],
        rng: random.Random,
        poll_seconds: float,
    ) -> None:
        self._name, self._queue, self._spool, self._audit, self._sender = name, queue, spool, audit, sender
        self._clock, self._rng, self._poll_seconds = clock, rng, poll_seconds
        self.wake = asyncio.Event()
        self.stopping = False
        self._breaker = Breaker(rng)
        self._refusals: dict[int, int] = {}  # row id → times this destination refused this instance
        self._in_flight = self._delivered = self._retried = self._rejected = 0
        self._last_code = ""

    def status(self) -> DestinationStatus:
        """See `Deliver.status`."""
        b = self._breaker
        probe_at = 0.0 if b.state is State.UP else b.until
        return DestinationStatus(
            b.state, self._in_flight, self._delivered, self._retried, self._rejected, self._last_code, probe_at
        )

    async def run(self) -> None:
        """Send until told to stop."""
        while not self.stopping:
            try:
                busy = await self._step()
            except Exception as error:  # noqa: BLE001 - a bug must not end delivery; the row is claimed again next start
                self._last_code, busy = type(error).__name__, False
            if not busy:
                await self._idle()

    async def _idle(self) -> None:
        try:
            async with asyncio.timeout(self._poll_seconds):
                await self.wake.wait()
        except TimeoutError:
            return

    async def _step(self) -> bool:
        """Claim and send one row; False when there is nothing to do now."""
        if not self.stopping:
            self.wake.clear()  # before the claim: a row that comes during it wakes us again
        now = self._clock()
        if not self._breaker.admit(now):
            return False
        with self._breaker.attempt():
            rows = await self._queue.claim(self._name, 1, now)
            for row in rows:
                await self._deliver(row)
            return bool(rows)

    async def _deliver(self, row: QueueRow) -> None:
        self._in_flight += 1
        try:
            error = await self._attempt(row)
            if error is None:
                await self._accepted(row)
            else:
                await self._failed(row, error)
        finally:
            self._in_flight -= 1

    async def _attempt(self, row: QueueRow) -> DeliveryError | None:
        """Send ``row``; whatever goes wrong comes back as a member of the error tree."""
        try:
            await self._sender.send(row, self._spool.path(row.spool_name))
        except DeliveryError as error:
            return error
        except FileNotFoundError:
            return InstanceRejected("no-spool-file")
        except (OSError, TimeoutError) as error:
            return DeliveryTransient(type(error).__name__)
        except Exception as error:  # noqa: BLE001 - a sender's bug blames the instance, so that it cannot block the others
            return InstanceRejected("internal-error", type(error).__name__)
        return None

    async def _accepted(self, row: QueueRow) -> None:
        self._breaker.answered()
        self._refusals.pop(row.id, None)
        await self._surely(lambda: self._audit.record(events.delivered(row)))
        if await self._surely(lambda: self._queue.done(row)):
            await self._surely(lambda: self._spool.remove(row.spool_name))
        self._delivered += 1

    async def _failed(self, row: QueueRow, error: DeliveryError) -> None:
        now = self._clock()
        self._last_code = error.code
        if isinstance(error, InstanceRejected):
            self._breaker.answered()
            self._refusals[row.id] = refusals = self._refusals.get(row.id, 0) + 1
            if refusals >= TRIES:
                return await self._give_up(row, error.code)
        elif isinstance(error, DestinationRefuses):
            self._breaker.refused(now)
        else:
            self._breaker.troubled(now)
        self._retried += 1
        at = now + full_jitter(self._rng, row.attempts)
        return await self._surely(lambda: self._queue.retry(row, at, error.code))

    async def _give_up(self, row: QueueRow, code: str) -> None:
        self._refusals.pop(row.id, None)
        await self._surely(lambda: self._audit.record(events.rejected(row, code)))
        await self._surely(lambda: self._queue.fail(row, code))
        self._rejected += 1

    async def _surely(self, act: Callable[[], Awaitable[T]]) -> T:
        """Do what must follow an answer that cannot be taken back, as often as it takes; `Deliver.stop` ends it."""
        tries = 0
        while True:
            try:
                return await act()
            except Unavailable as error:
                self._last_code = type(error).__name__
                tries += 1
                await asyncio.sleep(full_jitter(self._rng, tries, self._poll_seconds))
