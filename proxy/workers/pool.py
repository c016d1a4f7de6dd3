"""`WorkerPool`: de-identification in worker processes. Implements `proxy.service.ports.Deidentifier`.

A codec crash, a hang or a decompression bomb costs the instance that caused it, and the process it ran in, which is
replaced. The event loop never blocks: each worker has a thread that talks to it. Waiting is bounded in time and number.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from proxy.deid.pixels.rendering import Rendered, Rendering
from proxy.deid.previewed import Previewed, Wish
from proxy.deid.profile import Policy
from proxy.deid.tables import Tables
from proxy.deid.types import Claimed
from proxy.errors import WorkersUnavailable
from proxy.service.ports import Held, Verdict
from proxy.workers.arena import Arena
from proxy.workers.begun import Begun
from proxy.workers.describing import Outcome
from proxy.workers.protocol import Job
from proxy.workers.setup import ENGINE, GATE, Setup, packed
from proxy.workers.worker import Worker

T = TypeVar("T")
Act = Callable[[Worker, Job, int], T]

#: how fast the slowest honest instance goes through, for the deadline of large ones
_BYTES_PER_SECOND = 50_000_000
#: a preview judges as much again, to draw what it shows
_PREVIEW = 2
#: a worker that does not start is tried again after this many seconds, at most
_RESTART_CAP = 30.0


class WorkerPool:
    """``count`` workers that know ``policies``. `start` before `run`, `close` at the end."""

    def __init__(
        self,
        policies: Mapping[str, Policy],
        gate_key: bytes,
        count: int,
        memory_mib: int,
        seconds: float,
        *,
        tables: Tables | None = None,
        wait_seconds: float = 30.0,
        waiting: int = 1000,
        jobs_per_worker: int = 5000,
        start_seconds: float = 120.0,
        engine: str = ENGINE,
        gate: str = GATE,
        begun: list[Begun] | None = None,
    ) -> None:
        """``memory_mib`` and ``seconds`` are for one instance; ``seconds`` grows with its size. See `Setup`.

        ``begun``: processes to begin with; each that a worker takes leaves the list.
        """
        attributes = tables.attributes if tables is not None else ()
        memory = memory_mib << 20
        setup = packed(Setup(dict(policies), gate_key, memory, attributes, engine, gate))
        self._projects = frozenset(policies)
        self._workers = [
            Worker(setup, memory, start_seconds, jobs_per_worker, begun.pop() if begun else None) for _ in range(count)
        ]
        self._seconds, self._wait_seconds, self._most_waiting = seconds, wait_seconds, waiting
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="veil-worker")
        # last in, first out: whoever has just worked has warm caches, which is a third of the time of an instance
        self._idle: asyncio.LifoQueue[Worker] = asyncio.LifoQueue()
        self._renders = asyncio.Semaphore(max(count // 2, 1))
        self._waiting = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closing = False

    @property
    def pids(self) -> list[int]:
        """The live worker processes."""
        return [worker.pid for worker in self._workers if worker.pid]

    @property
    def ready(self) -> bool:
        """Whether at least one worker is up; for readiness."""
        return not self._closing and any(not worker.worn for worker in self._workers)

    async def start(self) -> None:
        """All workers up and warm, or `WorkersUnavailable`."""
        starts = [self._in_thread(worker.start) for worker in self._workers]
        failed = [e for e in await asyncio.gather(*starts, return_exceptions=True) if isinstance(e, BaseException)]
        if failed:
            await self.close()
            raise failed[0]
        for worker in self._workers:
            self._idle.put_nowait(worker)

    async def run(self, project: str, arena: Arena, claimed: Claimed) -> Verdict:
        """See `Deidentifier.run`. The arena is frozen, and may be closed at any time after the call began."""
        return await self._frozen(Job(project, claimed, arena.size), arena, Worker.run)

    async def let_pass(self, project: str, arena: Arena, claimed: Claimed, check: bool) -> Verdict:
        """See `proxy.service.passing.Passes`; as `run`."""
        return await self._frozen(Job(project, claimed, arena.size, passing=check), arena, Worker.run)

    async def describe(self, project: str, arena: Arena) -> list[Outcome] | Held:
        """See `proxy.service.view_describe.Describer`; as `run`."""
        return await self._frozen(Job(project, Claimed(), arena.size, describing=True), arena, Worker.describe)

    async def _frozen(self, job: Job, arena: Arena, act: Act[T]) -> T:
        arena.freeze()
        # a caller who goes away does not take the worker along: the work ends by itself
        return await asyncio.shield(await self._begin(job, arena.fd, act))

    async def render(self, project: str, fd: int, wanted: Rendering) -> Rendered | Held:
        """See `proxy.service.render.Renderer`. At most half of the workers render, so that the others can receive."""
        return await self._aside(Job(project, Claimed(), os.fstat(fd).st_size, wanted), fd, Worker.render)

    async def preview(
        self, project: str, arena: Arena, claimed: Claimed, wish: Wish, policy: Policy | None = None
    ) -> Previewed | Held:
        """See `proxy.service.preview.Previews`; as `render`. The arena is frozen."""
        arena.freeze()
        job = Job(project, claimed, arena.size, preview=wish, policy=policy)
        return await self._aside(job, arena.fd, Worker.preview)

    async def decode(self, project: str, fd: int) -> Verdict:
        """See `proxy.service.decoding.Decodes`; as `render`."""
        return await self._aside(Job(project, Claimed(), os.fstat(fd).st_size, decoding=True), fd, Worker.run)

    async def _aside(self, job: Job, fd: int, act: Act[T]) -> T:
        await self._in_time(self._renders.acquire)
        try:
            task = await self._begin(job, fd, act)
        except BaseException:
            self._renders.release()
            raise
        task.add_done_callback(lambda _: self._renders.release())
        return await asyncio.shield(task)

    async def _begin(self, job: Job, fd: int, act: Act[T]) -> asyncio.Task[T]:
        """``act`` under way with a worker and a descriptor of its own, which is ``fd``."""
        if job.project not in self._projects:
            raise WorkersUnavailable("no policy for this project")
        fd = os.dup(fd)
        try:
            worker = await self._in_time(self._free_worker)
        except BaseException:
            os.close(fd)
            raise
        return self._keep(self._work(worker, job, fd, act))

    async def close(self) -> None:
        """End all workers; what they work on is lost with them."""
        if self._closing:
            return
        self._closing = True
        for worker in self._workers:
            worker.expire()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await asyncio.gather(*(self._in_thread(worker.stop) for worker in self._workers))
        self._threads.shutdown(wait=False)

    async def _in_time(self, wait: Callable[[], Awaitable[T]]) -> T:
        """What ``wait`` gives; not for long, and not for too many at once."""
        if self._closing or self._waiting >= self._most_waiting:
            raise WorkersUnavailable("too many instances wait for a worker")
        self._waiting += 1
        try:
            async with asyncio.timeout(self._wait_seconds):
                return await wait()
        except TimeoutError:
            raise WorkersUnavailable("no worker became free") from None
        finally:
            self._waiting -= 1

    async def _free_worker(self) -> Worker:
        while (worker := await self._idle.get()).worn:  # it died in its sleep: nobody's fault
            self._keep(self._replace(worker))
        return worker

    async def _work(self, worker: Worker, job: Job, fd: int, act: Act[T]) -> T:
        deadline = (self._seconds + job.size / _BYTES_PER_SECOND) * (_PREVIEW if job.preview is not None else 1)
        timer = asyncio.get_running_loop().call_later(deadline, worker.expire)
        try:
            return await self._in_thread(lambda: act(worker, job, fd))
        finally:
            timer.cancel()
            os.close(fd)
            if worker.worn:
                self._keep(self._replace(worker))
            else:
                self._idle.put_nowait(worker)

    async def _replace(self, worker: Worker) -> None:
        delay = 0.5
        while not self._closing:
            try:
                await self._in_thread(worker.start)
            except WorkersUnavailable:
                await asyncio.sleep(delay)
                delay = min(2 * delay, _RESTART_CAP)
            else:
                return self._idle.put_nowait(worker)
        return None

    def _in_thread(self, act: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._threads, act)

    def _keep(self, work: Coroutine[None, None, T]) -> asyncio.Task[T]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # seen: the caller may have gone away
