"""The use case *retrieve* (PS3.18 10.4): WADO-RS over the embedded archive.

`Retrieve.find` records the access and then names the files; what follows only reads them, in threads and in blocks.
UIDs are recorded only where the archive knows them: an unknown one may be an original that somebody typed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from proxy.archive import encoded, values
from proxy.archive.encoded import Piece, Stamp
from proxy.archive.values import Bulk
from proxy.service.events import for_whom, who
from proxy.service.in_turn import Listed, ready
from proxy.service.ports import Archive, AuditEvent, AuditTrail, Peer
from proxy.wire.uri import Target

_T = TypeVar("_T")
_END: Any = object()
_THREADS = 2


class Retrieve:
    """Hands out what ``archive`` holds, each access recorded in ``audit`` first."""

    def __init__(self, archive: Archive, audit: AuditTrail) -> None:
        self._archive, self._audit = archive, audit
        # threads of its own: what readers want must not stand in line before what senders wait for
        self._threads = ThreadPoolExecutor(_THREADS, "veil-reading")

    async def find(self, project: str, target: Target, what: str, peer: Peer) -> list[Path]:
        """The files of a study, series or instance, [] for none; ``what`` (instances, metadata, ...) is recorded.

        Raises `AuditUnavailable`: nothing may then be answered.
        """
        paths = await self._archive.instances(project, target.study, target.series, target.instance)
        await self._audit.record(retrieved(project, target, what, len(paths), peer))
        return paths

    async def listed(self, project: str, targets: Sequence[Target], what: str, peer: Peer, to: str) -> list[Listed]:
        """See `proxy.service.in_turn.Lists.listed`."""
        found = [await self._archive.instances(project, t.study, t.series, t.instance) for t in targets]
        each = zip(targets, found, strict=True)
        await self._audit.record(*(retrieved(project, t, what, len(paths), peer, to) for t, paths in each))
        return [Listed(path.stem, partial(ready, path)) for paths in found for path in paths]

    async def described(self, project: str, target: Target, peer: Peer) -> list[dict[str, Any]] | None:
        """The instances' DICOM JSON where it can be had without files, recorded; None (and no record) where not."""
        return None

    async def metadata(self, path: Path) -> dict[str, Any]:
        """One instance's DICOM JSON; bulk data is named relative to the instance."""
        return await self._archive.metadata(path)

    async def syntax(self, path: Path) -> str:
        """The transfer syntax in which `instance` gives the file."""
        return encoded.web_syntax(await self._thread(encoded.stored_syntax, path))

    async def instance(self, path: Path) -> AsyncIterator[bytes]:
        """The Part 10 file, a block at a time: as stored, or in explicit VR little endian where it must be."""
        stamp, pieces = await self.pieces(path)
        async for block in self.blocks(path, pieces, stamp):
            yield block

    async def pieces(self, path: Path) -> tuple[Stamp, list[Piece]]:
        """What `instance` is made of, and of which file."""
        stamp = await self._thread(encoded.stamp, path)
        return stamp, await self._thread(encoded.instance, path)

    async def stamps(self, paths: list[Path]) -> list[Stamp]:
        """Which files these are just now; OSError when one has gone."""
        return await self._thread(lambda: [encoded.stamp(path) for path in paths])

    async def bulk(self, path: Path, where: tuple[int, ...]) -> Bulk:
        """The value at an element path; raises `NoSuchValue`, `NotInThisForm`."""
        return await self._thread(values.bulk, path, where)

    async def frames(self, path: Path, numbers: tuple[int, ...]) -> Bulk:
        """Frames as they are stored; raises `NoSuchValue`, `NotInThisForm`."""
        return await self._thread(values.frames, path, numbers)

    def parts(self, bulk: Bulk) -> AsyncIterator[list[Piece]]:
        """The parts of bulk data, one at a time."""
        return self._threaded(lambda: bulk.parts)

    def blocks(self, path: Path, pieces: list[Piece], stamp: Stamp) -> AsyncIterator[bytes]:
        """The bytes of pieces, a block at a time; OSError when the file is no longer the one of ``stamp``."""
        return self._threaded(lambda: encoded.blocks(path, pieces, stamp))

    async def _threaded(self, make: Callable[[], Iterator[_T]]) -> AsyncIterator[_T]:
        """Walk a blocking iterator in threads, one step at a time."""
        iterator = make()
        while (item := await self._thread(next, iterator, _END)) is not _END:
            yield item

    async def _thread(self, function: Callable[..., _T], *arguments: Any) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)


def retrieved(project: str, target: Target, what: str, count: int, peer: Peer, to: str = "") -> AuditEvent:
    """The record of a retrieval, ``to`` somebody else than ``peer``; it names UIDs only where there is something."""
    known: dict[str, Any] = {"kind": target.level, "what": what, "instances": count}
    known |= {"destination": to} if to else {}
    if not count:
        return AuditEvent("retrieved", "failure", project, who(peer), known, "not-found", behalf=for_whom(peer))
    uids = {"study": target.study, "series": target.series, "sop": target.instance}
    known |= {f"{name}_instance_uid": uid for name, uid in uids.items() if uid}
    return AuditEvent("retrieved", project=project, peer=who(peer), object=known, behalf=for_whom(peer))
