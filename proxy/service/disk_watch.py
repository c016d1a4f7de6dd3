"""Whether the disk gets on with what waits for it. Who waits for one that does not is refused, and who comes then.

No limit on one instance: a disk that is slow, but finishes others, is given time. A disk that has finished nothing for
``seconds``, and so much longer as what waits is large, hangs. What waited goes on behind the refusal and comes to its
own end, with its record, when the disk is there again; its sender has been told to send it again, which is harmless.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from proxy.errors import DiskHangs

#: more than the audit log waits for its own disk (1.5 s): where only that hangs, it is the one to say so
SECONDS = 1.6
#: what a slow disk writes at least, in bytes a second
_SLOWEST = 20_000_000


class DiskWatch:
    """For one event loop. Whoever waits is a future between `begin` and `end`."""

    def __init__(
        self, seconds: float = SECONDS, slowest: float = _SLOWEST, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds, self._slowest, self._clock = seconds, slowest, clock
        self._waiting: dict[asyncio.Future[Any], int] = {}
        self._bytes = 0
        self._moved = 0.0  # when something came to its end, or began to wait where nothing did
        self._timer: asyncio.TimerHandle | None = None

    @property
    def hangs(self) -> DiskHangs | None:
        """What to raise where something waits for longer than a disk takes that is only slow."""
        return DiskHangs("the disk does not answer") if self._waiting and self._left() <= 0 else None

    def begin(self, who: asyncio.Future[Any], size: int) -> None:
        """``who`` waits for the disk with ``size`` bytes, and gets `DiskHangs` where it hangs. Twice is once."""
        if who in self._waiting:
            return
        if not self._waiting:
            self._moved = self._clock()
        self._waiting[who] = size
        self._bytes += size
        if self._timer is None:
            self._wake_after(self._left())

    def end(self, who: asyncio.Future[Any]) -> None:
        """``who`` waits no more, however it ended."""
        size = self._waiting.pop(who, None)
        if size is not None:
            self._bytes -= size
            self._moved = self._clock()

    def _left(self) -> float:
        return self._moved + self._seconds + self._bytes / self._slowest - self._clock()

    def _wake_after(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        self._timer = None
        if not self._waiting:
            return
        again = self._left()
        if (hangs := self.hangs) is not None:
            again = self._seconds / 4
            for who in self._waiting:
                if not who.done():
                    who.set_exception(hangs)
        self._wake_after(max(again, 0.0))
