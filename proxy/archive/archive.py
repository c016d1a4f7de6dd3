"""The embedded archive: implements `proxy.service.ports.Archive` with a `Tree` of files and an `Index`.

One instance is filed at a time: file first, then its index row, so that what the index names exists. What lies between
the two when the process dies is filed again by the sender. The index has a thread of its own; files use the loop's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from pydicom.errors import InvalidDicomError

from proxy.archive import encoded
from proxy.archive.attributes import ATTRIBUTES
from proxy.archive.index import Entry, Index
from proxy.archive.tree import Tree
from proxy.wire.dicom_json import first_value

_T = TypeVar("_T")
_KEPT_TAGS = [int(a.tag, 16) for rows in ATTRIBUTES.values() for a in rows]


class NotFilable(Exception):
    """The file lacks what its place in the tree is made of; it did not come through the gate."""


class EmbeddedArchive:
    """A tree of Part 10 files below ``root`` and its index. `start` it before use, `close` it after."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._tree = Tree(root)
        self._thread = ThreadPoolExecutor(1, "veil-archive-index")
        self._filing = asyncio.Lock()
        self._index: Index | None = None

    async def start(self) -> None:
        """Make the folders, open the index; rebuild it where it is missing or of another version."""
        await self._run(self._open)

    async def close(self) -> None:
        """Close the index, after what is under way."""
        if self._index is not None:
            await self._run(self._index.close)
        self._thread.shutdown()

    async def rebuild(self) -> int:
        """Make the index anew from the tree; returns the number of instances."""
        async with self._filing:
            return await self._run(self._rebuild)

    async def store(self, project: str, path: Path) -> bool:
        """See `proxy.service.ports.Archive.store`. `NotFilable` for a file without the UIDs of its place."""
        async with self._filing:
            entry = await asyncio.to_thread(self._entry, project, path, "")
            placed = await asyncio.to_thread(self._tree.place, path, entry.path)
            known = await self._run(self._opened.find, project, entry.uid("instance"))
            if not placed and known == entry.path:
                return False
            replaced = await self._run(self._opened.add, entry)
            if replaced is not None:
                await asyncio.to_thread(self._tree.remove, replaced)
            return True

    async def search(
        self, project: str, level: str, matches: Mapping[str, str], fields: Sequence[str], limit: int, offset: int
    ) -> list[dict[str, Any]]:
        """See `proxy.service.ports.Archive.search`."""
        return await self._run(self._opened.search, project, level, matches, fields, limit, offset)

    async def instances(self, project: str, study: str, series: str = "", instance: str = "") -> list[Path]:
        """See `proxy.service.ports.Archive.instances`."""
        return [self.root / p for p in await self._run(self._opened.paths, project, study, series, instance)]

    async def metadata(self, path: Path) -> dict[str, Any]:
        """See `proxy.service.ports.Archive.metadata`."""
        return await asyncio.to_thread(encoded.metadata, path)

    @property
    def _opened(self) -> Index:
        if self._index is None:
            raise RuntimeError("the archive was not started")
        return self._index

    async def _run(self, function: Callable[..., _T], *arguments: Any) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)

    def _open(self) -> None:
        self._tree.prepare()
        self._index = Index(self.root / "index.db")
        if not self._index.usable:
            self._rebuild()

    def _rebuild(self) -> int:
        if self._index is not None:
            self._index.close()
        for suffix in ("", "-wal", "-shm"):
            (self.root / f"index.db{suffix}").unlink(missing_ok=True)
        self._index = Index(self.root / "index.db")
        self._index.create()
        count = 0
        for project, relative in self._tree.files():
            replaced = self._index.add(self._entry(project, self.root / relative, relative))
            if replaced is not None:
                self._tree.remove(replaced)
            count += replaced is None
        return count

    def _entry(self, project: str, path: Path, relative: str) -> Entry:
        try:
            syntax, json = encoded.header(path, _KEPT_TAGS)
        except (InvalidDicomError, AttributeError, EOFError, ValueError) as error:
            raise NotFilable(type(error).__name__) from None
        patient, study = first_value(json, "00100020"), first_value(json, "0020000D")
        series, instance = first_value(json, "0020000E"), first_value(json, "00080018")
        if not (study and series and instance):
            raise NotFilable("a UID is missing")
        return Entry(project, relative or self._tree.relative(project, patient, study, series, instance), syntax, json)
