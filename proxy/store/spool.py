"""Released instances on their way out, as Part 10 files. Implements `Spool`.

Only bytes with a `Release` that the gate recognises get in. What is hashed is the file itself, after it was written:
the arena is shared with another process and proves nothing. Each write makes a new name, so removing one file can
never take away another write's. Disk work runs in threads; descriptors are duplicated first, because a cancelled
caller closes its arena while a thread still reads.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from proxy.deid.release import Keyholder, Release
from proxy.deid.types import Chunk
from proxy.errors import InstanceHeld, Reason, SpoolFull, Unavailable
from proxy.service.ports import Arena, Placed, SpoolItem
from proxy.store.durable import Folder
from proxy.store.spool_bytes import copy, length_of, read_back

_NAME = re.compile(r"[0-9a-f]{64}-[0-9a-f]{16}\.dcm")
_THREADS = 4


@dataclass(frozen=True, slots=True)
class Swept:
    """What the janitor found: files it removed, and names that rows refer to but that are not there."""

    removed: int
    missing: frozenset[str]


class DiskSpool:
    """One flat folder of ``<sha256>-<random>.dcm``, 0600."""

    def __init__(
        self, root: Path, gate: Keyholder, max_bytes: int, *, what: str = "spool", durable: bool = True
    ) -> None:
        """``max_bytes`` is the high-water mark over all files. ``what`` and ``durable``: see `durable.Folder`."""
        self._folder = Folder(root, what, durable)
        self._gate = gate
        self._max = max_bytes
        self._lock = threading.Lock()
        self._used = sum(self._folder.files().values())
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="veil-spool")

    async def write(self, release: Release, chunks: Sequence[Chunk], arena: Arena) -> SpoolItem:
        """See `Spool.write`. `InstanceHeld` when the release is not the gate's or is not of these bytes."""
        placed = await self.place(release, chunks, arena)
        try:
            await self.settle(placed)
        except asyncio.CancelledError:
            self._forget(placed.item.name)
            raise
        return placed.item

    async def place(self, release: Release, chunks: Sequence[Chunk], arena: Arena) -> Placed:
        """See `Spool.place`."""
        if length_of(chunks, arena.size) != release.size:
            raise InstanceHeld(Reason.ENGINE_ERROR, "the chunks have not the released length")
        loop, source = asyncio.get_running_loop(), _duplicate(arena.fd)
        written: asyncio.Future[SpoolItem] = loop.create_future()

        def work() -> SpoolItem:
            item, fd = self._place(release, tuple(chunks), source)
            try:
                loop.call_soon_threadsafe(_tell, written, item)
            finally:  # in the same thread: what follows elsewhere meanwhile need not wait for one
                self._folder.settle(fd)
            return item

        settled = loop.run_in_executor(self._pool, work)
        settled.add_done_callback(lambda _: _fail(settled, written))
        try:
            return Placed(await written, settled)
        except asyncio.CancelledError:
            settled.add_done_callback(self._abandoned)
            raise

    async def settle(self, placed: Placed) -> None:
        """See `Spool.settle`."""
        await asyncio.shield(placed.settled)

    def path(self, name: str) -> Path:
        """Where ``name`` lies. ValueError for what is not a spool name."""
        return self._folder.root / _checked(name)

    async def remove(self, name: str) -> None:
        """Unlink; a file that is gone already, or stays, is no error: the next janitor sees to it."""
        await asyncio.get_running_loop().run_in_executor(self._pool, self._drop, _checked(name))

    async def sweep(self, referenced: set[str]) -> Swept:
        """The janitor, before anything is received: removes temporary files and files no queue row refers to."""

        def work() -> Swept:
            found = self._folder.files().keys()
            removed = sum(self._drop(name) for name in found if name not in referenced)
            self._folder.sync()
            self._used = sum(self._folder.files().values())
            return Swept(removed, frozenset(referenced - found))

        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    @property
    def used(self) -> int:
        """Bytes in the folder, those being written included."""
        return self._used

    def close(self) -> None:
        """Wait for writes under way, then give the descriptors back."""
        self._pool.shutdown()
        self._folder.close()

    def _count(self, size: int) -> None:
        with self._lock:
            if size > 0 and self._used + size > self._max:
                raise SpoolFull(f"{self._folder.what}: above its high-water mark")
            self._used += size

    def _drop(self, name: str) -> bool:
        size = self._folder.size(name)
        dropped = self._folder.drop(name)
        if dropped:
            self._count(-size)
        return dropped

    def _place(self, release: Release, chunks: tuple[Chunk, ...], source: int) -> tuple[SpoolItem, int]:
        """The item and its file, still to be made durable."""

        def fill(fd: int) -> str:
            copy(fd, chunks, source)
            seal = self._gate.again(release)
            digest = read_back(fd, seal)
            if not seal.is_of(release.size, release.tag):
                raise InstanceHeld(Reason.ENGINE_ERROR, "the written bytes are not those that the gate released")
            return f"{digest}-{secrets.token_hex(8)}.dcm"

        try:
            self._count(release.size)
            try:
                name, fd = self._folder.place(fill)
            except BaseException:
                self._count(-release.size)
                raise
        finally:
            os.close(source)
        return SpoolItem(name, name.partition("-")[0], release.size), fd

    def _abandoned(self, work: asyncio.Future[SpoolItem]) -> None:
        """Nobody waits any more for what was placed."""
        if not work.cancelled() and work.exception() is None:
            self._forget(work.result().name)

    def _forget(self, name: str) -> None:
        """Remove what nobody knows the name of, without waiting for it."""
        with contextlib.suppress(RuntimeError):  # closed already: the next janitor sees to it
            self._pool.submit(self._drop, name)


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError("not a spool file name")
    return name


def _tell(written: asyncio.Future[SpoolItem], item: SpoolItem) -> None:
    if not written.done():  # who waited has gone
        written.set_result(item)


def _fail(settled: asyncio.Future[SpoolItem], written: asyncio.Future[SpoolItem]) -> None:
    """What could not be written is told to who waits for it."""
    error = None if settled.cancelled() else settled.exception()
    if error is not None and not written.done():
        written.set_exception(error)


def _duplicate(fd: int) -> int:
    try:
        return os.dup(fd)
    except OSError as error:
        raise Unavailable(f"spool: {error.strerror}") from None
