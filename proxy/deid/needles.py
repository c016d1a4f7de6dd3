"""Finds any of some byte strings in a large binary value, in one pass that looks at every fourth position.

A needle of five bytes or more has, wherever it lies, two neighbouring bytes at a position that is a multiple of four.
Blocks without two neighbours in the range of the needles' bytes are passed over; where the two are some needle's, five
bytes are looked up, then the whole by its hash: the cost does not grow with the number of needles. ASCII letters match
in either case. What is there is always found; the chance that something is found that is not there is 2**-64. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from proxy.deid.compiled import compiled, inlined
from proxy.deid.hashes import SEED, Hashes, lowered, mixed, place_of, put, room_for

LEAST = 5
_STRIDE, _BLOCK = 4, 64
_HEAD = np.uint64((1 << 8 * LEAST) - 1)


class Index(NamedTuple):
    """Needles, ready to be looked for."""

    #: bits by two bytes, little endian: whether they lie at the first four places of some needle
    pairs: NDArray[np.uint8]
    #: the first five bytes of needles, and the longest needle that begins with them
    heads: Hashes
    longest: NDArray[np.int64]
    wholes: Hashes
    #: least and greatest byte at the first five places of needles
    span: NDArray[np.uint8]


def index_of(text: NDArray[np.uint8], starts: NDArray[np.int64], least: int = LEAST) -> Index:
    """Needles ``text[starts[n]:starts[n + 1]]``; those shorter than ``least`` are left out."""
    count = len(starts) - 1
    heads, wholes = room_for(count), room_for(count)
    span = np.array([255, 0], np.uint8)
    index = Index(np.zeros(65536 // 8, np.uint8), heads, np.zeros(len(heads), np.int64), wholes, span)
    _fill(text, starts, least, *index)
    return index


class Needles:
    """Byte strings to look for; shorter ones than `LEAST` are an error."""

    def __init__(self, needles: Iterable[bytes]) -> None:
        """Each is compared without regard to the case of ASCII letters."""
        found = sorted(set(needles))
        if any(len(needle) < LEAST for needle in found):
            raise ValueError(f"a needle has at least {LEAST} bytes")
        starts = np.cumsum([0, *map(len, found)], dtype=np.int64)
        self._index = index_of(np.frombuffer(b"".join(found), np.uint8), starts) if found else None

    def within(self, value: memoryview) -> bool:
        """Whether any needle lies in ``value``."""
        return self._index is not None and first_in(value, self._index) >= 0


def first_in(value: memoryview, index: Index) -> int:
    """Where in ``value`` some needle begins, -1 where none does; not always the first that does."""
    if len(value) < LEAST:
        return -1
    data = np.frombuffer(value, np.uint8)
    return int(next_from(data, 0, len(data), *index))


@compiled
def _fill(text: Any, starts: Any, least: int, pairs: Any, heads: Any, longest: Any, wholes: Any, span: Any) -> None:
    for which in range(len(starts) - 1):
        start, stop = starts[which], starts[which + 1]
        if stop - start < max(least, LEAST):
            continue
        value = SEED
        for at in range(start, stop):
            value = mixed(value, lowered(text[at]))
        put(wholes, value)
        place = put(heads, _head(text, start))
        longest[place] = max(longest[place], stop - start)
        for at in range(start, start + _STRIDE):
            first, second = np.int64(lowered(text[at])), np.int64(lowered(text[at + 1]))
            upper, other = _raised(first), _raised(second)
            span[0] = min(span[0], upper, other)
            span[1] = max(span[1], first, second)
            for pair in (second << 8 | first, second << 8 | upper, other << 8 | first, other << 8 | upper):
                pairs[pair >> 3] |= 1 << (pair & 7)


@inlined
def _raised(byte: Any) -> Any:
    return byte - 32 if 97 <= byte <= 122 else byte


@inlined
def _head(data: Any, at: int) -> Any:
    """Five bytes as a number; bit 5 does not count, which covers the case of letters (and a little more)."""
    value = np.uint64(0)
    for offset in range(LEAST):
        value |= np.uint64(data[at + offset] | 32) << np.uint64(8 * offset)
    return value


@inlined
def _whole(data: Any, at: int, longest: int, wholes: Any) -> bool:
    """Whether a needle begins here; at most ``longest`` bytes are looked at."""
    value = SEED
    for length in range(1, longest + 1):
        value = mixed(value, lowered(data[at + length - 1]))
        if length >= LEAST and place_of(wholes, value) >= 0:
            return True
    return False


@inlined
def _around(data: Any, at: int, start: int, stop: int, heads: Any, longest: Any, wholes: Any) -> Any:
    """The beginning of a needle that has its first byte in the four up to ``at``; -1 where there is none."""
    first = at - _STRIDE + 1
    if first >= start and at + LEAST <= stop:
        bytes_, upper = _head(data, first), _head(data, first + _STRIDE - 1)
        bytes_ |= upper << np.uint64(8 * (_STRIDE - 1))
        for begin in range(first, at + 1):
            place = place_of(heads, bytes_ >> np.uint64(8 * (begin - first)) & _HEAD)
            if place >= 0 and _whole(data, begin, min(longest[place], stop - begin), wholes):
                return begin
        return -1
    for begin in range(max(start, first), min(at, stop - LEAST) + 1):
        place = place_of(heads, _head(data, begin))
        if place >= 0 and _whole(data, begin, min(longest[place], stop - begin), wholes):
            return begin
    return -1


@inlined
def _blank(block: Any, low: Any, high: Any) -> Any:
    """Whether none of 64 words of four bytes begins with two bytes of the needles' range."""
    found = np.uint32(0)
    for at in range(_BLOCK):
        one, two = block[at] & np.uint32(255), block[at] >> np.uint32(8) & np.uint32(255)
        found |= np.uint32((one >= low) & (one <= high) & (two >= low) & (two <= high))
    return found == 0


@compiled
def next_from(data: Any, start: int, stop: int, pairs: Any, heads: Any, longest: Any, wholes: Any, span: Any) -> Any:
    """The beginning of a needle in ``data[start:stop]``, -1 where there is none."""
    size = stop - start
    if size < LEAST or span[0] > span[1]:
        return -1
    words = data[start : start + (size & ~3)].view(np.uint32)
    low, high = np.uint32(span[0]), np.uint32(span[1])
    at = 0
    while at < len(words):
        if at + _BLOCK <= len(words) and _blank(words[at : at + _BLOCK], low, high):
            at += _BLOCK
            continue
        for each in range(at, min(at + _BLOCK, len(words))):
            pair = words[each] & np.uint32(65535)
            if pairs[pair >> np.uint32(3)] >> (pair & np.uint32(7)) & 1:
                found = _around(data, start + _STRIDE * each, start, stop, heads, longest, wholes)
                if found >= 0:
                    return found
        at += _BLOCK
    tail = start + _STRIDE * len(words)
    if tail + 1 < stop:
        return _around(data, tail, start, stop, heads, longest, wholes)
    return -1
