"""What a running proxy measures of itself, for who watches many machines: counts, names and numbers of records."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proxy.service.flow import Key
from proxy.service.ports import HeldInstance
from proxy.service.verification import Verified

#: who asks again is told what was counted so many seconds ago
_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Measured:
    """At one moment. ``status`` as `App.status`; ``held``: by project and reason; ``totals``: since the start."""

    status: Mapping[str, Any]
    held: Mapping[tuple[str, str], int]
    totals: Mapping[Key, int]
    position: int
    verified: Verified | None


class Measures:
    """Counts when it is asked."""

    def __init__(
        self,
        status: Callable[[], Awaitable[Mapping[str, Any]]],
        held: Callable[[], Awaitable[Sequence[HeldInstance]]],
        totals: Callable[[], Mapping[Key, int]],
        position: Callable[[], int],
        verified: Callable[[], Verified | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._status, self._held, self._totals = status, held, totals
        self._position, self._verified, self._clock = position, verified, clock
        self._counting = asyncio.Lock()
        self._found: tuple[float, Measured] | None = None

    async def now(self) -> Measured:
        """One count at a time."""
        async with self._counting:
            now = self._clock()
            if self._found is None or now - self._found[0] >= _SECONDS:
                held = Counter((entry.project, str(entry.reason)) for entry in await self._held())
                status = await self._status()
                self._found = now, Measured(status, held, dict(self._totals()), self._position(), self._verified())
            return self._found[1]
