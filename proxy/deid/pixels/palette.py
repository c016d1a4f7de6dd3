"""Reads Palette Color Lookup Tables, plain and segmented (PS3.3 C.7.6.3.1.5, C.7.6.3.1.6, C.7.9.2).

All entries become 16 bits wide, whatever they were, so that 255 of 8 and 65535 of 16 are the same light. A table that
is not exactly as long as its descriptor says is refused. Pure.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from proxy.deid.pixels.display import bytes_of_words
from proxy.deid.pixels.header import Header, unreadable

#: descriptors, data, segmented data of red, green, blue
DESCRIPTORS = (0x00281101, 0x00281102, 0x00281103)
_DATA = (0x00281201, 0x00281202, 0x00281203)
_SEGMENTED = (0x00281221, 0x00281222, 0x00281223)
_DISCRETE, _LINEAR = 0, 1
#: entries of a table at most (a descriptor of 0 means so many)
_MOST = 65536


def first_mapped(header: Header, *, signed: bool) -> int | None:
    """The first stored value with a colour, None where there is no palette."""
    described = header.words(DESCRIPTORS[0], 3)
    return None if described is None else _descriptor(described, signed)[1]


def palette_of(header: Header, *, signed: bool) -> tuple[NDArray[np.uint16], int]:
    """Entries, shape (3, entries), and the first mapped value; ``signed`` is the Pixel Representation."""
    found = [header.words(tag, 3) for tag in DESCRIPTORS]
    described = [_descriptor(each, signed) for each in found if each is not None]
    if len(described) != 3 or len(set(described)) != 1:
        raise unreadable("palette descriptors that are missing or differ", DESCRIPTORS[0])
    count, first, bits = described[0]
    planes = [_plane(header, at, count, bits) for at in range(3)]
    return np.stack(planes), first


def _descriptor(described: tuple[int, ...], signed: bool) -> tuple[int, int, int]:
    """Number of entries, first mapped value, bits of an entry."""
    count, first, bits = described
    if bits not in (8, 16):
        raise unreadable("palette entries that have neither 8 nor 16 bits", DESCRIPTORS[0])
    return count or _MOST, first - 0x10000 if signed and first >= 0x8000 else first, bits


def _plane(header: Header, at: int, count: int, bits: int) -> NDArray[np.uint16]:
    data, segmented = header.table(_DATA[at]), header.table(_SEGMENTED[at])
    if bool(data) == bool(segmented):
        raise unreadable("palette data that is missing, or there twice", _DATA[at])
    if segmented:
        segments = _numbers(segmented, bits, header.little)
        return _wide(np.array(expand(segments, count, bits), np.int64), bits)
    if len(data) == 2 * count:
        words = np.frombuffer(data, "<u2" if header.little else ">u2").astype(np.int64)
        # 8-bit entries, one in each word, some writers as the high byte (PS3.3 C.7.6.3.1.6)
        return _wide(words, 8 if bits == 8 and words.max() < 256 else 16)
    if bits == 8 and len(data) == count + count % 2:
        return _wide(bytes_of_words(data, count, little=header.little).astype(np.int64), 8)
    raise unreadable("palette data that is not as long as its descriptor says", _DATA[at])


def _wide(entries: NDArray[np.int64], bits: int) -> NDArray[np.uint16]:
    return (entries * 257 if bits == 8 else entries).astype(np.uint16)


def _numbers(data: bytes, bits: int, little: bool) -> list[int]:
    if len(data) % 2:
        raise unreadable("segmented palette data of an odd length", _SEGMENTED[0])
    words = np.frombuffer(data, "<u2" if little else ">u2")
    found: list[int] = (bytes_of_words(data, len(data), little=little) if bits == 8 else words).tolist()
    return found


def expand(words: list[int], count: int, bits: int) -> list[int]:
    """``count`` entries out of the segments in ``words``; what remains may be one byte of padding.

    Indirect segments are refused: readers do not agree on whether their offset counts bytes or words.
    """
    entries: list[int] = []
    at = 0
    while at < len(words) and len(entries) < count:
        at = _segment(words, at, entries)
    if len(entries) != count or len(words) - at > (1 if bits == 8 else 0):
        raise unreadable("a segmented palette that does not expand to what its descriptor says", _SEGMENTED[0])
    return entries


def _segment(words: list[int], at: int, entries: list[int]) -> int:
    """Expand the discrete or linear segment at ``at`` onto ``entries``; the position behind it."""
    opcode, length = words[at], words[at + 1] if at + 1 < len(words) else 0
    if not length:
        raise unreadable("a segment of a palette without a length", _SEGMENTED[0])
    if opcode == _DISCRETE:
        segment = words[at + 2 : at + 2 + length]
        if len(segment) != length:
            raise unreadable("a segment of a palette ends too early", _SEGMENTED[0])
        entries.extend(segment)
        return at + 2 + length
    if opcode != _LINEAR or not entries or at + 3 > len(words):
        raise unreadable("a segment of a palette is of no kind that may stand there", _SEGMENTED[0])
    start, stop = entries[-1], words[at + 2]
    entries.extend(round(start + (stop - start) * step / length) for step in range(1, length + 1))
    return at + 3
