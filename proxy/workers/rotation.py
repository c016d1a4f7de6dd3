"""`Rotation`: the pool in use, which another can replace while instances are under way. Implements `Deidentifier`.

An instance is judged to its end by the pool that took it, under the rules of that pool; the next one goes to the new
pool. Nothing is lost or judged twice. A pool that has not been started starts with its first instance.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from proxy.deid.pixels.rendering import Rendered, Rendering
from proxy.deid.previewed import Previewed, Wish
from proxy.deid.profile import Policy
from proxy.deid.types import Claimed
from proxy.service.ports import Held, Verdict
from proxy.workers.arena import Arena
from proxy.workers.describing import Outcome
from proxy.workers.pool import WorkerPool

T = TypeVar("T")


class _InUse:
    """A pool and the instances it works on."""

    def __init__(self, pool: WorkerPool, started: bool) -> None:
        self.pool = pool
        self._starting: asyncio.Task[None] | None = None
        self._started = started
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def use(self, act: Callable[[WorkerPool], Awaitable[T]]) -> T:
        self._under_way += 1
        self._idle.clear()
        try:
            await self._start()
            return await act(self.pool)
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()

    async def _start(self) -> None:
        if not self._started:
            self._starting = self._starting or asyncio.ensure_future(self.pool.start())
            await self._starting
            self._started = True

    async def finish(self) -> None:
        await self._idle.wait()
        await self.pool.close()


class Rotation:
    """Begins with ``pool``; `replace` takes pools that have been started."""

    def __init__(self, pool: WorkerPool, started: bool = True) -> None:
        self._current = _InUse(pool, started)

    @property
    def ready(self) -> bool:
        """Whether the pool in use has a worker up."""
        return self._current.pool.ready

    async def run(self, project: str, arena: Arena, claimed: Claimed) -> Verdict:
        """See `Deidentifier.run`."""
        return await self._current.use(lambda pool: pool.run(project, arena, claimed))

    async def let_pass(self, project: str, arena: Arena, claimed: Claimed, check: bool) -> Verdict:
        """See `proxy.service.passing.Passes`."""
        return await self._current.use(lambda pool: pool.let_pass(project, arena, claimed, check))

    async def render(self, project: str, fd: int, wanted: Rendering) -> Rendered | Held:
        """See `proxy.service.render.Renderer`."""
        return await self._current.use(lambda pool: pool.render(project, fd, wanted))

    async def decode(self, project: str, fd: int) -> Verdict:
        """See `proxy.service.decoding.Decodes`."""
        return await self._current.use(lambda pool: pool.decode(project, fd))

    async def preview(
        self, project: str, arena: Arena, claimed: Claimed, wish: Wish, policy: Policy | None = None
    ) -> Previewed | Held:
        """See `proxy.service.preview.Previews`."""
        return await self._current.use(lambda pool: pool.preview(project, arena, claimed, wish, policy))

    async def describe(self, project: str, arena: Arena) -> list[Outcome] | Held:
        """See `proxy.service.view_describe.Describer`."""
        return await self._current.use(lambda pool: pool.describe(project, arena))

    async def replace(self, pool: WorkerPool) -> None:
        """From now on ``pool`` judges; returns when the one before has finished and is closed."""
        before, self._current = self._current, _InUse(pool, started=True)
        await before.finish()

    async def close(self) -> None:
        """End the pool in use at once; what it works on is lost with it."""
        await self._current.pool.close()
