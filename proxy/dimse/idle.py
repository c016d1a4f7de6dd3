"""When nothing has gone over associations for a while they are released: a timer on the event loop for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor

#: An association on which nothing goes for so long is released.
IDLE_SECONDS = 10.0


class IdleTimer:
    """Runs ``release`` in a thread of ``threads`` when `arm` was not called for a while."""

    def __init__(self, threads: Executor, release: Callable[[], None]) -> None:
        self._threads, self._release = threads, release
        self._timer: asyncio.TimerHandle | None = None
        self._releasing: set[asyncio.Future[None]] = set()
        self._stopped = False

    def arm(self) -> None:
        """Something went; begin to wait again."""
        if self._timer is not None:
            self._timer.cancel()
        if not self._stopped:
            self._timer = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._on_idle)

    def stop(self) -> None:
        """No more releases."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()

    def _on_idle(self) -> None:
        work = asyncio.get_running_loop().run_in_executor(self._threads, self._release)
        self._releasing.add(work)
        work.add_done_callback(self._releasing.discard)
