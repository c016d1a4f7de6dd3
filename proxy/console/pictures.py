"""Masked pictures that a page has shown and that the browser is about to fetch: a few, in memory, for two minutes."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable

#: how many wait at once, and for how many seconds
MOST, SECONDS = 16, 120.0


class Pictures:
    """By whatever key says whose they are and of what."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[Hashable, tuple[float, bytes]] = {}

    def keep(self, key: Hashable, png: bytes) -> None:
        """Until it is fetched; the oldest goes where there are too many."""
        self._kept.pop(key, None)
        self._kept[key] = (self._clock() + SECONDS, png)
        while len(self._kept) > MOST:
            del self._kept[next(iter(self._kept))]

    def take(self, key: Hashable) -> bytes:
        """Once; b"" where there is none, or not any more."""
        until, png = self._kept.pop(key, (0.0, b""))
        return png if until > self._clock() else b""
