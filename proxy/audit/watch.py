"""The wall clock beside a clock that nobody sets: says when the one was set back, or jumped.

Order in the log is by number and does not depend on either; a step is recorded so that times can be read rightly.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

#: forward, seconds: more than an NTP client corrects by slewing, less than hides a night
_JUMP = timedelta(seconds=2)


def now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


def uptime() -> float:
    """Seconds since the machine started, those included in which it slept."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Watch:
    """Reads both clocks; what has been seen counts once `commit` says that it is on disk."""

    def __init__(self, clock: Callable[[], datetime] = now, since: Callable[[], float] = uptime) -> None:
        self._clock, self._since = clock, since
        self._last: tuple[datetime, float | None] | None = None
        self._read: tuple[datetime, float | None] | None = None

    def resume(self, last: datetime | None) -> None:
        """Go on after ``last``, the time of the newest record; how long ago that was nobody knows."""
        self._last = None if last is None else (last, None)

    def read(self) -> tuple[datetime, timedelta | None]:
        """The time now, and by how much the clock was set since the last committed reading, if it was."""
        moment, ticks = self._clock(), self._since()
        self._read = (moment, ticks)
        if self._last is None:
            return moment, None
        before, then = self._last
        drift = moment - before - timedelta(seconds=ticks - then) if then is not None else moment - before
        stepped = moment < before or (then is not None and abs(drift) > _JUMP)
        return moment, drift if stepped else None

    def commit(self) -> None:
        """The latest reading is that of a durable record."""
        self._last = self._read
