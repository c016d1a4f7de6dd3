"""De-identified instances that a view has made, as Part 10 files, bounded: the least recently read one goes first.

Only bytes with a `Release` get in (`DiskSpool` sees to that). A file stays for as long as a path that `get` or `put`
gave is alive: whoever reads it needs nothing but the path. The folder is emptied at the start, so nothing of another
policy, key or run is ever served, and no file needs to be durable. Call from the event loop only.
"""

from __future__ import annotations

import asyncio
import weakref
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path, PosixPath

from proxy.deid.release import Keyholder, Release
from proxy.deid.types import Chunk
from proxy.errors import SpoolFull
from proxy.service.ports import Arena
from proxy.store.spool import DiskSpool


class KeptPath(PosixPath):
    """The path of a cached file, which stays while this object lives. Paths made of it keep nothing."""


@dataclass(slots=True)
class _Entry:
    name: str
    size: int
    readers: int = 0


class ViewCache:
    """Files by key. `open` it before use, `close` it after."""

    def __init__(self, root: Path, gate: Keyholder, max_bytes: int) -> None:
        """``max_bytes`` over all files, those being read included."""
        self._spool = DiskSpool(root, gate, max_bytes, what="cache", durable=False)
        self._max = max_bytes
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()

    async def open(self) -> None:
        """Empty the folder."""
        await self._spool.sweep(set())

    def close(self) -> None:
        """Give the descriptors back; the files go at the next start."""
        self._spool.close()

    @property
    def used(self) -> int:
        """Bytes of all files."""
        return self._spool.used

    def get(self, key: Hashable) -> Path | None:
        """The file of ``key``, which stays while the path lives."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        return self._kept(entry)

    async def put(self, key: Hashable, release: Release, chunks: Sequence[Chunk], arena: Arena) -> Path:
        """Keep released bytes. `SpoolFull` when what is being read leaves no room; `InstanceHeld` as the spool says."""
        await self._make_room(release.size)
        item = await self._spool.write(release, chunks, arena)
        if key in self._entries:  # made twice: the one that may have readers stays
            await self._spool.remove(item.name)
        else:
            self._entries[key] = _Entry(item.name, item.size)
        return self._kept(self._entries[key])

    async def _make_room(self, size: int) -> None:
        while self._spool.used + size > self._max:
            key = next((key for key, entry in self._entries.items() if not entry.readers), None)
            if key is None:
                raise SpoolFull("cache: everything in it is being read")
            await self._spool.remove(self._entries.pop(key).name)

    def _kept(self, entry: _Entry) -> Path:
        path = KeptPath(self._spool.path(entry.name))
        entry.readers += 1
        weakref.finalize(path, _left, entry, asyncio.get_running_loop()).atexit = False
        return path


def _left(entry: _Entry, loop: asyncio.AbstractEventLoop) -> None:
    """A path has gone, in whatever thread its last reference was dropped."""
    try:
        loop.call_soon_threadsafe(_discount, entry)
    except RuntimeError:  # the loop is closed, and so is the cache
        return


def _discount(entry: _Entry) -> None:
    entry.readers -= 1
