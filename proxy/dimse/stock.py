"""One arena ahead of the next instance: the kernel takes three times as long to find memory as to fill it.

It is told to find some once an instance has been answered, while its sender gets the next one ready; what nobody has
wanted a moment later is given back. Holds no byte of any instance.
"""

from __future__ import annotations

import asyncio
import contextlib

from proxy.dimse.deadline import Deadline
from proxy.dimse.receiving import Budget
from proxy.workers.arena import Arena

#: larger instances are rare, and take long anyway
MOST_BYTES = 4 << 20
KEEP_SECONDS = 0.1


class Stock:
    """At most one arena. Used on the event loop only."""

    def __init__(self, limit: int, budget: Budget) -> None:
        """``limit``: of an instance, in bytes; what is reserved is taken from ``budget``."""
        self._limit, self._budget = limit, budget
        self._spare: Arena | None = None
        self._reserved = 0
        self._deadline = Deadline(self.drop)

    def take(self) -> Arena:
        """An empty arena. OSError when there is no descriptor left."""
        spare, self._spare = self._spare, None
        if spare is None:
            return Arena(self._limit)
        self._budget.give(self._reserved)
        self._deadline.off()
        return spare

    def fill(self, size: int) -> None:
        """Have an arena with memory for ``size`` bytes ready, for a moment."""
        if self._spare is not None or not 0 < size <= MOST_BYTES or not self._budget.take(size):
            return
        with contextlib.suppress(OSError):  # then it will be found, or missed, when it is needed
            self._spare = Arena(self._limit)
            self._spare.reserve(size)
        if self._spare is None:
            self._budget.give(size)
            return
        self._reserved = size
        self._deadline.at(asyncio.get_running_loop().time() + KEEP_SECONDS)

    def drop(self) -> None:
        """Give it back."""
        self._deadline.close()
        if self._spare is not None:
            self.take().close()
