"""Sealed originals, one file each in one folder; clear bytes exist only in arenas (memory). Implements `Quarantine`.

An entry's id is keyed over project and bytes, so the same bytes of the same project are one entry, and an id tells
nothing. Usable without a running server: listing, opening and purging need only the folder and the node key.
Whatever the sender said (AE titles, address, claimed UIDs) is in the sealed part, not in the header.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from proxy.deid.types import Claimed
from proxy.errors import Reason, SealBroken, SpoolFull, Unavailable
from proxy.service.ports import Arena, HeldInstance, Peer
from proxy.store.durable import Folder, translated, write_all
from proxy.store.entry import ID, broken, decoded, digest_of, encoded, id_key, id_of
from proxy.store.sealing import Sealed, seal, sealed_size

T = TypeVar("T")

_SUFFIX = ".sealed"


class QuarantineFolder:
    """``<id>.sealed`` files, 0600; see `proxy.store.sealing` for what is in them."""

    def __init__(
        self, root: Path, node_key: bytes, max_bytes: int, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """``max_bytes`` bounds the sum of all entries; beyond it `seal` raises `SpoolFull`."""
        self._folder = Folder(root, "quarantine")
        self._key, self._max, self._clock = node_key, max_bytes, clock
        self._id_key = id_key(node_key)
        self._lock = threading.Lock()
        self._used = sum(self._folder.files().values())
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="veil-quarantine")

    async def seal(
        self, arena: Arena, project: str, peer: Peer, claimed: Claimed, reason: Reason, detail: str
    ) -> HeldInstance:
        """See `Quarantine.seal`. An entry that is there but broken is sealed anew."""
        private = json.dumps({"peer": asdict(peer), "claimed": asdict(claimed)}).encode()
        received, size, source = self._clock(), arena.size, _duplicate(arena.fd)

        def work() -> HeldInstance:
            try:
                with translated("quarantine"):
                    digest = digest_of(self._id_key, project, source, size)
                    entry_id = id_of(digest)
                    held = HeldInstance(entry_id, project, reason, detail, received, size, peer.transport, digest.hex())
                    return self._known(entry_id) or self._publish(held, private, source)
            finally:
                os.close(source)

        return await self._in_thread(work)

    async def list(self, project: str | None = None) -> list[HeldInstance]:
        """Oldest first. An entry that fails authentication is listed as such, under no project."""

        def work() -> list[HeldInstance]:
            ids = [name.removesuffix(_SUFFIX) for name in self._folder.files() if name.endswith(_SUFFIX)]
            entries = []
            for entry_id in filter(ID.fullmatch, ids):
                with suppress(KeyError):  # purged by another process meanwhile
                    entries.append(self._head_or_broken(entry_id))
            found = [entry for entry in entries if project in (None, entry.project)]
            return sorted(found, key=lambda entry: (entry.received, entry.id))

        return await self._in_thread(work)

    async def open(self, entry_id: str, arena: Arena) -> tuple[HeldInstance, Claimed]:
        """Unseal into an empty ``arena``. KeyError: no such entry; `SealBroken`: altered, or another key."""
        if arena.size:
            raise ValueError("the arena is not empty")
        target = _duplicate(arena.fd)

        def work() -> tuple[HeldInstance, Claimed]:
            try:
                with translated("quarantine"):
                    return self._unseal(entry_id, target, arena.limit)
            finally:
                os.close(target)

        opened = await self._in_thread(work)
        arena.adopt()
        return opened

    async def peer(self, entry_id: str) -> Peer:
        """Who sent it. KeyError and `SealBroken` as `open`."""
        _, private = await self._in_thread(lambda: self._head(entry_id))
        return Peer(**private["peer"])

    async def purge(self, entry_id: str) -> HeldInstance:
        """Remove for good, a broken entry too. KeyError: no such entry."""

        def work() -> HeldInstance:
            entry, name = self._head_or_broken(entry_id), entry_id + _SUFFIX
            if not self._drop(name):
                raise Unavailable("quarantine: the entry cannot be removed")
            self._folder.sync()
            return entry

        return await self._in_thread(work)

    async def sweep(self) -> int:
        """The janitor, by the owner of the data folder only: removes (sealed) leftovers of unfinished writes."""

        def work() -> int:
            return sum(self._drop(name) for name in self._folder.files() if not name.endswith(_SUFFIX))

        return await self._in_thread(work)

    def close(self) -> None:
        """Wait for work under way, then give the descriptors back."""
        self._pool.shutdown()
        self._folder.close()

    # ---- everything below may run on a thread ----

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def _known(self, entry_id: str) -> HeldInstance | None:
        try:
            entry, _ = self._head(entry_id)
        except (KeyError, SealBroken):
            return None
        self._folder.sync()  # whoever sealed it may not have got so far yet
        return entry

    def _publish(self, held: HeldInstance, private: bytes, source: int) -> HeldInstance:
        header = encoded(held)
        name, size = held.id + _SUFFIX, sealed_size(header, private, held.size)
        replaced = self._folder.size(name)  # a broken entry, or nothing
        self._count(size)
        try:
            self._folder.publish(name, lambda fd: seal(fd, self._key, header, private, source, held.size))
        except BaseException:
            self._count(-size)
            raise
        self._count(-replaced)
        return held

    def _unseal(self, entry_id: str, target: int, limit: int) -> tuple[HeldInstance, Claimed]:
        fd = self._file(entry_id)
        try:
            sealed = Sealed.read(fd, self._key)
            entry, private = decoded(sealed, entry_id)
            if sealed.size > limit:
                raise Unavailable("quarantine: the entry is larger than the limit of an instance")
            for piece in sealed.body():
                write_all(target, [piece])
            return entry, Claimed(**private["claimed"])
        except BaseException:
            os.ftruncate(target, 0)  # nothing of a broken entry is used
            os.lseek(target, 0, os.SEEK_SET)
            raise
        finally:
            os.close(fd)

    def _head(self, entry_id: str) -> tuple[HeldInstance, dict[str, Any]]:
        fd = self._file(entry_id)
        try:
            with translated("quarantine"):
                return decoded(Sealed.read(fd, self._key), entry_id)
        finally:
            os.close(fd)

    def _head_or_broken(self, entry_id: str) -> HeldInstance:
        try:
            return self._head(entry_id)[0]
        except SealBroken:
            return broken(entry_id)

    def _file(self, entry_id: str) -> int:
        if not ID.fullmatch(entry_id):
            raise KeyError(entry_id)
        with translated("quarantine"):
            try:
                return self._folder.open(entry_id + _SUFFIX)
            except FileNotFoundError:
                raise KeyError(entry_id) from None

    def _drop(self, name: str) -> bool:
        size = self._folder.size(name)
        dropped = self._folder.drop(name)
        if dropped:
            self._count(-size)
        return dropped

    def _count(self, size: int) -> None:
        with self._lock:
            if size > 0 and self._used + size > self._max:
                self._used = sum(self._folder.files().values())  # another process may have purged
                if self._used + size > self._max:
                    raise SpoolFull("quarantine: above its high-water mark")
            self._used += size


def _duplicate(fd: int) -> int:
    with translated("quarantine"):
        return os.dup(fd)
