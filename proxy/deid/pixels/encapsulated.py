"""Encapsulated pixel data (PS3.5 A.4): which fragments make which frame.

The offset tables are believed where they are true; else fragments must answer by number or by how code streams begin.
What leaves a choice is `PIXELS_UNREADABLE`, so that no fragment travels along unseen. Nothing is decoded. Pure.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from proxy.deid.pixels.code_stream import unreadable
from proxy.deid.types import Slice

_HEADER = struct.Struct("<HHI")
_ITEM, _DELIMITER = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)
#: transfer syntaxes in which a frame is one fragment (PS3.5 A.4.2, A.4.11, A.4.13)
_WHOLE = frozenset({"1.2.840.10008.1.2.5", "1.2.840.10008.1.2.1.98", "1.2.840.10008.1.2.8.1"})
#: how a code stream begins: JPEG and JPEG-LS, JPEG 2000, JPEG XL, and the file formats around the latter two
_BEGINNINGS = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\xff\x0a", b"\0\0\0\x0cJXL ", b"\0\0\0\x0cjP  ")
#: what can be wrong beside the frames
STALE, EMPTY, ODD = "an offset table that is not true", "empty fragments", "fragments of odd length"


@dataclass(frozen=True, slots=True)
class Encapsulated:
    """``frames``: the fragments of each frame, as runs of the buffer without their item headers.

    ``listed``, ``extended``: the Basic and the Extended Offset Table said something; ``lengths``: of each frame without
    padding, where the latter is true. ``wrong``: what has to be written anew even where no frame changes.
    """

    frames: tuple[tuple[Slice, ...], ...]
    listed: bool
    extended: bool
    lengths: tuple[int, ...]
    wrong: tuple[str, ...]


def read_fragments(
    body: memoryview, start: int, end: int, frames: int, uid: str, offsets: bytes = b"", lengths: bytes = b""
) -> Encapsulated:
    """The value ``body[start:end]``, from the first item header to behind the sequence delimiter, in ``frames`` frames.

    ``offsets``, ``lengths``: values of Extended Offset Table (7FE0,0001) and its lengths (7FE0,0002).
    """
    table, *fragments = _items(body, start, end)
    basic = _numbers(bytes(body[table.offset : table.offset + table.length]), 4)
    further, sizes = _numbers(offsets, 8), _numbers(lengths, 8)
    told = bool(table.length)
    filled = [fragment for fragment in fragments if fragment.length]
    origin = fragments[0].offset - _HEADER.size if fragments else 0
    # offsets count from the first item behind the table (PS3.5 A.4); what points to an empty fragment is not true
    places = {fragment.offset - _HEADER.size - origin: number for number, fragment in enumerate(filled)}
    groups = (_grouped(filled, [places.get(at, -1) for at in found], frames) for found in (basic, further))
    by_basic, by_extended = groups
    mapped = by_basic or by_extended or _by_number(body, filled, frames)
    if uid in _WHOLE and any(len(group) > 1 for group in mapped):
        raise unreadable("a frame in several fragments where the transfer syntax has one")
    true_lengths = by_extended == mapped and _are_lengths(mapped, sizes)
    stale = (told and by_basic is None) or (bool(offsets or lengths) and not true_lengths)
    wrong = ((STALE, stale), (EMPTY, len(filled) < len(fragments)), (ODD, any(f.length % 2 for f in filled)))
    return Encapsulated(
        mapped, told, bool(offsets), tuple(sizes) if true_lengths else (), tuple(name for name, is_so in wrong if is_so)
    )


def stream_of(body: memoryview, fragments: Sequence[Slice]) -> bytes | memoryview:
    """The code stream of one frame; a copy only where it is in several fragments."""
    runs = [body[run.offset : run.offset + run.length] for run in fragments]
    return runs[0] if len(runs) == 1 else b"".join(runs)


def _items(body: memoryview, at: int, end: int) -> list[Slice]:
    """The values of all items: the Basic Offset Table, then fragments."""
    found: list[Slice] = []
    while at + _HEADER.size <= end:
        group, element, length = _HEADER.unpack_from(body, at)
        at += _HEADER.size
        if (group, element) == _DELIMITER and length == 0 and at == end and found:
            return found
        if (group, element) != _ITEM or at + length > end:
            break
        found.append(Slice(at, length))
        at += length
    raise unreadable("encapsulated pixel data that is not a row of fragments")


def _numbers(value: bytes, size: int) -> list[int]:
    """Unsigned integers of ``size`` bytes; [] for what is no row of them."""
    if len(value) % size:
        return []
    return list(struct.unpack(f"<{len(value) // size}{'I' if size == 4 else 'Q'}", value))


def _grouped(fragments: list[Slice], firsts: list[int], frames: int) -> tuple[tuple[Slice, ...], ...] | None:
    """``fragments`` cut before each of ``firsts``; None when that is not a true list of ``frames`` first fragments."""
    if len(firsts) != frames or firsts[:1] != [0] or any(a >= b for a, b in pairwise(firsts)):
        return None
    stops = [*firsts[1:], len(fragments)]
    return tuple(tuple(fragments[first:stop]) for first, stop in zip(firsts, stops, strict=True))


def _by_number(body: memoryview, fragments: list[Slice], frames: int) -> tuple[tuple[Slice, ...], ...]:
    """Without a true table: all fragments are one frame, each is one, or each frame begins as code streams do."""
    if frames == 1 and fragments:
        return (tuple(fragments),)
    if len(fragments) == frames:
        return tuple((fragment,) for fragment in fragments)
    heads = (bytes(body[run.offset : run.offset + 8]) for run in fragments)
    grouped = _grouped(fragments, [at for at, head in enumerate(heads) if head.startswith(_BEGINNINGS)], frames)
    if grouped is None:
        raise unreadable("fragments that do not make the frames that the data set says")
    return grouped


def _are_lengths(frames: tuple[tuple[Slice, ...], ...], lengths: list[int]) -> bool:
    """Whether ``lengths`` are those of whole frames, with or without their pad byte (PS3.3 C.7.6.3.1.9)."""
    return len(lengths) == len(frames) and all(
        len(group) == 1 and group[0].length - 1 <= length <= group[0].length
        for group, length in zip(frames, lengths, strict=True)
    )
