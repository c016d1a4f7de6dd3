"""The way to one destination: claim a row, send it, record ``delivered``, mark it done, forget the file.

What each answer means is decided here; when to try again, in `proxy.service.breaker`. The record comes before the row
is done: a crash between them sends again, and delivers unrecorded never.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from proxy.errors import DeliveryError, DeliveryTransient, DestinationRefuses, InstanceRejected, Unavailable
from proxy.service import events
from proxy.service.bell import Bell
from proxy.service.breaker import Breaker, State, full_jitter
from proxy.service.ports import AuditTrail, DeliveryQueue, QueueRow, Sender, Spool

T = TypeVar("T")

#: refusals of one instance by one destination before it is given up
TRIES = 3
#: delivered instances whose record and row are still on their way to the disk, at most
_FINISHING = 32


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
        self._bell = Bell(poll_seconds)
        self.stopping = self._paused = False
        self._breaker = Breaker(rng)
        self._refusals: dict[int, int] = {}  # row id → times this destination refused this instance
        self._in_flight = self._delivered = self._retried = self._rejected = 0
        self._last_code = ""
        self._finishing: set[asyncio.Task[None]] = set()
        self._places = asyncio.Semaphore(_FINISHING)
        self._stuck = 0  # records and rows that cannot be written now: nothing more is sent meanwhile

    def status(self) -> DestinationStatus:
        """See `Deliver.status`."""
        b = self._breaker
        probe_at = 0.0 if b.state is State.UP or self._paused else b.until
        state = State.PAUSED if self._paused else b.state
        return DestinationStatus(
            state, self._in_flight, self._delivered, self._retried, self._rejected, self._last_code, probe_at
        )

    async def run(self) -> None:
        """Send until told to stop."""
        while not self.stopping:
            try:
                busy = await self._step()
            except Exception as error:  # noqa: BLE001 - a bug must not end delivery; the row is claimed again next start
                self._last_code, busy = type(error).__name__, False
            if not busy:
                await self._bell.wait()

    @property
    def finishing(self) -> frozenset[asyncio.Task[None]]:
        """What still writes down that something was delivered; for `Deliver.stop`."""
        return frozenset(self._finishing)

    def wake(self, everyone: bool = False) -> None:
        """A row waits: one idle `run` looks for it, or all of them. Does not block; call it on the event loop."""
        self._bell.ring(everyone)

    def pause(self) -> None:
        """Claim nothing more; what is claimed is finished. Once more does nothing."""
        self._paused = True

    def resume(self) -> None:
        """Go on, at once also where the destination was given time. Once more does nothing."""
        if self._paused:
            self._paused = False
            self._breaker.hurry()
            self.wake(everyone=True)

    async def _step(self) -> bool:
        """Claim and send one row; False when there is nothing to do now."""
        now = self._clock()
        if self._paused or self._stuck or not self._breaker.admit(now):
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
            if error is not None:
                await self._failed(row, error)
                return
            self._breaker.answered()
            self._refusals.pop(row.id, None)
            await self._places.acquire()
        finally:
            self._in_flight -= 1
        # beside the next delivery: the destination does not wait for our disk
        task = asyncio.create_task(self._accepted(row))
        self._finishing.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._finishing.discard(task)
        self._places.release()
        if not task.cancelled() and (error := task.exception()) is not None:
            self._last_code = type(error).__name__  # a bug; the row is claimed again next start

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
        try:
            while True:
                try:
                    return await act()
                except Unavailable as error:
                    self._last_code = type(error).__name__
                    self._stuck += tries == 0
                    tries += 1
                    await asyncio.sleep(full_jitter(self._rng, tries, self._poll_seconds))
        finally:
            self._stuck -= tries > 0
