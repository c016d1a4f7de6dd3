"""How often somebody may ask: a token bucket for each, in bounded memory. No I/O."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable

_MOST = 10_000


class Rates:
    """``per_second`` in the long run, ``burst`` at once, for each key."""

    def __init__(
        self, per_second: float, burst: int, clock: Callable[[], float] = time.monotonic, most: int = _MOST
    ) -> None:
        """``most``: keys that are remembered; who has not asked for longest is forgotten first."""
        self._per_second, self._burst, self._clock, self._most = per_second, float(burst), clock, most
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> int:
        """0 where ``key`` may go on; else in how many whole seconds it may ask again. Asking early costs nothing."""
        now = self._clock()
        left, then = self._buckets.pop(key, (self._burst, now))
        left = min(self._burst, left + (now - then) * self._per_second)
        allowed = left >= 1
        self._buckets[key] = (left - 1 if allowed else left, now)
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return 0 if allowed else max(1, math.ceil((1 - left) / self._per_second))
