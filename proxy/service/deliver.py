"""The use case *deliver*: released instances leave for their destinations, until each has arrived.

Per destination a few senders at a time claim rows, send, record ``delivered``, then mark the row done and forget the
file. A crash anywhere before that sends again, which is harmless: output is deterministic. Trouble is retried without
a count limit; a destination that refuses everything is left alone and probed; an instance that only is at fault is
tried three times and kept, de-identified, for a replay. No outage of a destination ever reaches intake.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from proxy.service.lane import DestinationStatus, Lane
from proxy.service.ports import AuditTrail, DeliveryQueue, Sender, Spool


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
        more: Mapping[str, int] | None = None,
        poll_seconds: float = 1.0,
    ) -> None:
        """``concurrency``: instances under way to one destination, or ``more`` where it can use more than that.

        ``poll_seconds``: how soon a due retry is seen.
        """
        chance = rng or random.Random()  # noqa: S311 - jitter, not a secret
        self._senders = senders
        self._lanes = {
            name: Lane(name, queue, spool, audit, sender, clock, chance, poll_seconds)
            for name, sender in senders.items()
        }
        self._at_once = {name: max(concurrency, (more or {}).get(name, 0)) for name in senders}
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to send what the queue holds."""
        for name, lane in self._lanes.items():
            self._tasks += [asyncio.create_task(lane.run()) for _ in range(self._at_once[name])]

    def notify(self, destinations: Iterable[str]) -> None:
        """New rows wait for ``destinations``. Does not block; call it on the event loop."""
        for name in destinations:
            if lane := self._lanes.get(name):
                lane.wake()

    def pause(self, destination: str) -> None:
        """Send nothing more there but what is under way, until `resume`. KeyError for an unknown one."""
        self._lanes[destination].pause()

    def resume(self, destination: str) -> None:
        """Go on, at once. KeyError for an unknown one."""
        self._lanes[destination].resume()

    async def stop(self, timeout: float) -> None:
        """Claim nothing more, give what is under way ``timeout`` seconds; what is cut off is sent again next time."""
        for lane in self._lanes.values():
            lane.stopping = True
            lane.wake(everyone=True)
        until = asyncio.get_running_loop().time() + timeout
        await _ended(self._tasks, until)
        await _ended([task for lane in self._lanes.values() for task in lane.finishing], until)
        self._tasks = []
        await asyncio.gather(*(sender.close() for sender in self._senders.values()), return_exceptions=True)

    def status(self) -> Mapping[str, DestinationStatus]:
        """Destination → how it stands."""
        return {name: lane.status() for name, lane in self._lanes.items()}


async def _ended(tasks: Sequence[asyncio.Task[None]], until: float) -> None:
    """Wait for ``tasks`` until then, and cancel what is late."""
    if not tasks:
        return
    _, late = await asyncio.wait(tasks, timeout=max(until - asyncio.get_running_loop().time(), 0))
    for task in late:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
