"""Who has nothing to do waits at a bell, for one ring or for so many seconds. For the event loop only."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque


class Bell:
    """A ring that nobody hears is heard by the next who would wait."""

    def __init__(self, seconds: float) -> None:
        """``seconds``: nobody waits longer."""
        self._seconds = seconds
        self._idlers: deque[asyncio.Future[None]] = deque()
        self._missed = False

    def ring(self, everyone: bool = False) -> None:
        """One who waits goes on, or all of them. Does not block."""
        self._missed = True
        while self._idlers:
            idler = self._idlers.popleft()
            if not idler.done():
                idler.set_result(None)
                self._missed = False
                if not everyone:
                    return

    async def wait(self) -> None:
        """Until it rings."""
        if self._missed:
            self._missed = False
            return
        idler = asyncio.get_running_loop().create_future()
        self._idlers.append(idler)
        try:
            async with asyncio.timeout(self._seconds):
                await idler
        except TimeoutError:
            with contextlib.suppress(ValueError):
                self._idlers.remove(idler)
