"""STOW-RS of metadata with bulk data parts (PS3.18 10.5.2): each instance becomes a Part 10 file in an arena.

Metadata comes first; a bulk data part is kept until the instances that name its Content-Location have it. Compressed
pixel data is encapsulated as it came. At most one instance is put together at a time. Clear PHI lives in arenas only.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import ExitStack

from proxy.dicomweb.intake import Budget, Part
from proxy.dicomweb.waiting import METADATA, Bulk, Waiting, media_of, prepared, read_metadata
from proxy.wire.dicom_encode import SEQUENCE_END, Hole, fragment, head
from proxy.wire.media import BULK_TYPES
from proxy.wire.vr import EXPLICIT_LE, NATIVE, explicit_header

METADATA_BYTES = 16 << 20
_BLOCK = 1 << 20
_PIXELS = 0x7FE00010
#: PS3.18 table 8.7.3-5: what a media type means when its part names no transfer syntax.
_DEFAULTS = {"image/jpeg": "1.2.840.10008.1.2.4.70"} | {
    media: syntax for syntax, media in reversed(BULK_TYPES.items()) if media != "image/jpeg"
}


def limit_of(headers: Mapping[str, str], limit: int) -> int:
    """How many bytes a part may have: metadata is parsed, so less of it is taken."""
    return min(limit, METADATA_BYTES) if media_of(headers)[0] in METADATA else limit


class Assembly:
    """Turns the parts of one request into parts that are whole instances; close it in the end."""

    def __init__(self, limit: int, budget: Budget) -> None:
        self._limit, self._budget = limit, budget
        self._waiting: dict[int, Waiting] = {}
        self._bulk: dict[str, Bulk] = {}

    def close(self) -> None:
        """Give back the memory of what nobody came for."""
        for bulk in self._bulk.values():
            for part in bulk.parts:
                part.close()
        self._bulk.clear()

    async def instances(self, parts: AsyncIterator[Part]) -> AsyncGenerator[Part, None]:
        """Whole instances as they become complete, and parts with a ``fault`` for what cannot become one."""
        async for part in parts:
            touched: list[Waiting] = []
            if part.fault:
                yield part
            elif media_of(part.headers)[0] in METADATA:
                with part:
                    touched = await self._begin(part)
            elif (bulk := self._keep(part)) is not None:
                touched = list(bulk.users)
            else:
                part.fault = "bulk-data"
                yield part
            for waiting in touched:
                if id(waiting) in self._waiting and (waiting.fault or self._has_all(waiting)):
                    yield await self._complete(waiting)
        for waiting in self._waiting.values():
            yield self._failed(waiting, "bulk-data")

    async def _begin(self, part: Part) -> list[Waiting]:
        media, begun = media_of(part.headers)[0], []
        for instance in await asyncio.to_thread(read_metadata, media, bytes(part.arena.view())):
            waiting = await asyncio.to_thread(prepared, instance)
            for hole in waiting.holes:
                self._bulk.setdefault(hole.uri, Bulk()).users.append(waiting)
            self._waiting[id(waiting)] = waiting
            begun.append(waiting)
        return begun

    def _keep(self, part: Part) -> Bulk | None:
        bulk = self._bulk.get(part.headers.get("content-location", ""))
        media, syntax = media_of(part.headers)
        if bulk is None or not bulk.users or (bulk.parts and media != bulk.media):
            return None
        if not bulk.parts:
            bulk.media = media
            bulk.syntax = syntax if syntax not in NATIVE else ""
        bulk.parts.append(part)
        return bulk

    async def _complete(self, waiting: Waiting) -> Part:
        del self._waiting[id(waiting)]
        fault, syntax = (waiting.fault, "") if waiting.fault else self._syntax(waiting)
        part = self._failed(waiting, fault) if fault else await self._whole(waiting, syntax)
        self._release(waiting)
        return part

    def _has_all(self, waiting: Waiting) -> bool:
        return all(len(self._bulk[hole.uri].parts) >= self._needed(waiting, hole) for hole in waiting.holes)

    def _needed(self, waiting: Waiting, hole: Hole) -> int:
        one_each = hole.top and hole.tag == _PIXELS and self._bulk[hole.uri].media.startswith("image/")
        return waiting.frames if one_each else 1

    def _syntax(self, waiting: Waiting) -> tuple[str, str]:
        """A fault, or "" and the transfer syntax of the instance."""
        syntax = EXPLICIT_LE
        for hole in waiting.holes:
            bulk = self._bulk[hole.uri]
            if not bulk.syntax and not bulk.media.startswith(("image/", "video/")):
                continue
            said = [known for known in waiting.syntaxes if BULK_TYPES.get(known) == bulk.media]
            syntax = bulk.syntax or (said[0] if said else _DEFAULTS.get(bulk.media, ""))
            if BULK_TYPES.get(syntax) != bulk.media or not hole.top or hole.tag != _PIXELS:
                return "syntax", ""
        return "", syntax

    async def _whole(self, waiting: Waiting, syntax: str) -> Part:
        whole = Part({}, self._limit, self._budget)
        with ExitStack() as undo:
            undo.callback(whole.close)
            whole.write(head(*waiting.names, syntax))
            for piece in waiting.pieces:
                blocks = [piece] if isinstance(piece, bytes) else self._filled(piece, syntax not in NATIVE)
                for block in blocks:
                    whole.write(block)
                    await asyncio.sleep(0)
            undo.pop_all()
        whole.names = waiting.names
        return whole

    def _filled(self, hole: Hole, compressed: bool) -> Iterator[bytes]:
        parts = self._bulk[hole.uri].parts
        if compressed and hole.top and hole.tag == _PIXELS:
            yield explicit_header(hole.tag, "OB", 0xFFFFFFFF) + fragment(0)  # an empty offset table
            for part in parts:
                yield fragment(part.arena.size)
                yield from _blocks(part)
            yield SEQUENCE_END
            return
        yield explicit_header(hole.tag, hole.vr, parts[0].arena.size + parts[0].arena.size % 2)
        yield from _blocks(parts[0])

    def _failed(self, waiting: Waiting, fault: str) -> Part:
        part = Part({}, 0, self._budget)
        part.names, part.fault = waiting.names, fault
        return part

    def _release(self, waiting: Waiting) -> None:
        for hole in waiting.holes:
            bulk = self._bulk[hole.uri]
            bulk.users.remove(waiting)
            if not bulk.users:
                for part in bulk.parts:
                    part.close()
                bulk.parts.clear()


def _blocks(part: Part) -> Iterator[bytes]:
    view = part.arena.view()
    for start in range(0, len(view), _BLOCK):
        yield bytes(view[start : start + _BLOCK])
    if len(view) % 2:
        yield b"\0"
