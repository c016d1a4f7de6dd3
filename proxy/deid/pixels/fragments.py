"""Encapsulated pixel data (PS3.5 A.4) written back: frames that changed as new fragments, all others as they came.

Offset tables are written anew and are true: the Basic one where there was one or where frames have several fragments,
the Extended one where there was one or where 32 bits do not reach. Memory follows what changed. Pure.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from proxy.deid.pixels.code_stream import unreadable
from proxy.deid.pixels.encapsulated import Encapsulated
from proxy.deid.types import Chunk, Slice

_HEADER = struct.Struct("<HHI")
_DELIMITER = _HEADER.pack(0xFFFE, 0xE0DD, 0)
_MOST_BASIC = 0xFFFFFFFF
#: an item's length is 32 bits, of which the last value means undefined
_MOST_FRAGMENT = 0xFFFFFFFE


@dataclass(frozen=True, slots=True)
class Fragments:
    """``chunks``: the value, from the Basic Offset Table to the delimiter, over the same buffer.

    ``offsets``, ``lengths``: values for Extended Offset Table and its lengths, b"" where the data set must have none.
    """

    chunks: tuple[Chunk, ...]
    offsets: bytes = b""
    lengths: bytes = b""


@dataclass(frozen=True, slots=True)
class _Coded:
    """One frame as it leaves: its items, their bytes, how many they are, the frame's own bytes."""

    chunks: tuple[Chunk, ...]
    size: int
    items: int
    length: int


def write_fragments(found: Encapsulated, replaced: Mapping[int, bytes]) -> Fragments:
    """``found`` with the frames of ``replaced`` (by number, from 0) as new code streams, one fragment each."""
    frames = [
        _new(replaced[number]) if number in replaced else _kept(found, number) for number in range(len(found.frames))
    ]
    starts, at = [], 0
    for frame in frames:
        starts.append(at)
        at += frame.size
    whole, beyond = all(frame.items == 1 for frame in frames), starts[-1] > _MOST_BASIC
    wanted = found.listed or (not whole and len(frames) > 1)
    extended = whole and (found.extended or (wanted and beyond))
    if not whole and len(frames) > 1 and beyond:
        raise unreadable("frames in several fragments, too far apart for an offset table")
    basic = struct.pack(f"<{len(starts)}I", *starts) if wanted and not extended and not beyond else b""
    head = _HEADER.pack(0xFFFE, 0xE000, len(basic)) + basic
    chunks = tuple(_joined([head, *(chunk for frame in frames for chunk in frame.chunks), _DELIMITER]))
    if not extended:
        return Fragments(chunks)
    count = f"<{len(starts)}Q"
    return Fragments(chunks, struct.pack(count, *starts), struct.pack(count, *(frame.length for frame in frames)))


def _new(stream: bytes) -> _Coded:
    if not 0 < len(stream) <= _MOST_FRAGMENT - 1:
        raise unreadable("a frame that does not fit into a fragment")
    padded = len(stream) + len(stream) % 2
    item = _HEADER.pack(0xFFFE, 0xE000, padded) + stream + bytes(padded - len(stream))
    return _Coded((item,), len(item), 1, len(stream))


def _kept(found: Encapsulated, number: int) -> _Coded:
    """A frame as it came; fragments of odd length become one, for a pad byte may only stand at the end of a frame."""
    fragments = found.frames[number]
    size = sum(run.length for run in fragments)
    length = found.lengths[number] if found.lengths else size
    if any(run.length % 2 for run in fragments):
        padded = size + size % 2
        if padded > _MOST_FRAGMENT:
            raise unreadable("a frame that does not fit into a fragment")
        head = _HEADER.pack(0xFFFE, 0xE000, padded)
        return _Coded((head, *fragments, bytes(padded - size)), _HEADER.size + padded, 1, length)
    items = tuple(Slice(run.offset - _HEADER.size, run.length + _HEADER.size) for run in fragments)
    return _Coded(items, size + _HEADER.size * len(items), len(items), length)


def _joined(chunks: list[Chunk]) -> Iterator[Chunk]:
    """``chunks`` without empty ones, neighbours in the buffer as one."""
    run: Slice | None = None
    for chunk in chunks:
        if isinstance(chunk, Slice) and run is not None and run.offset + run.length == chunk.offset:
            run = Slice(run.offset, run.length + chunk.length)
            continue
        if run is not None:
            yield run
        run = chunk if isinstance(chunk, Slice) else None
        if isinstance(chunk, bytes) and chunk:
            yield chunk
    if run is not None:
        yield run
