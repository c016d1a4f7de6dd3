"""Huffman tables of JPEG (ITU-T T.81 Annex C and F): read, made complete, and as the arrays that the kernels use.

A table that lacks a symbol gets it appended behind the longest codes, where its own codes stay what they are; only
when there is no code left, all codes grow by one bit. Pure; a table that is no code raises `InstanceHeld`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from proxy.deid.pixels.code_stream import no_codec, unreadable
from proxy.deid.pixels.jpeg_entropy import ENDS, FIRST, STEPS

#: precision of samples → largest category of a DC difference, of an AC coefficient (T.81 tables F.1 and F.2)
CATEGORIES = {8: (11, 10), 12: (15, 14)}


class Huffman(NamedTuple):
    """BITS and HUFFVAL of one table (T.81 B.2.4.2): number of codes of each length from 1 to 16, symbols in order."""

    counts: bytes
    symbols: bytes

    @property
    def used(self) -> int:
        """Code space in use, in codes of 16 bits; more than 65536 is no prefix code."""
        return sum(count << (16 - length) for length, count in enumerate(self.counts, 1))

    @property
    def longest(self) -> int:
        """Length of the longest code; 1 for an empty table."""
        return max((length for length, count in enumerate(self.counts, 1) if count), default=1)

    def codes(self) -> Iterator[tuple[int, int, int]]:
        """(symbol, code, length) in canonical order (T.81 C.2)."""
        code = at = 0
        for length, count in enumerate(self.counts, 1):
            for symbol in self.symbols[at : at + count]:
                yield symbol, code, length
                code += 1
            at += count
            code <<= 1


def read_huffman(payload: bytes) -> Iterator[tuple[int, int, Huffman]]:
    """(class, destination, table) of each table in a DHT segment."""
    at = 0
    while at < len(payload):
        where, counts = payload[at], payload[at + 1 : at + 17]
        table = Huffman(counts, payload[at + 17 : at + 17 + sum(counts)])
        at += 17 + sum(counts)
        if at > len(payload) or len(counts) < 16 or where >> 4 > 1 or where & 15 > 3:
            raise unreadable("JPEG: a Huffman table segment does not add up")
        if table.used > 65536 or len(set(table.symbols)) != len(table.symbols):
            raise unreadable("JPEG: a Huffman table is no code")
        yield where >> 4, where & 15, table


def completed(table: Huffman, wanted: range) -> tuple[Huffman, bool]:
    """``table`` with all of ``wanted``, and whether codes that it had before changed."""
    missing = bytes(symbol for symbol in wanted if symbol not in table.symbols)
    if not missing:
        return table, False
    if (longer := _appended(table, missing)) is not None:
        return longer, False
    counts = [0, *table.counts[:15]]
    counts[15] += table.counts[15]
    shifted = Huffman(bytes(min(count, 255) for count in counts), table.symbols)
    if max(counts) > 255 or (longer := _appended(shifted, missing)) is None:
        raise no_codec("JPEG: a Huffman table has no room for what black needs")
    return longer, True


def _appended(table: Huffman, missing: bytes) -> Huffman | None:
    """``missing`` in the shortest codes behind all others that leave the code of ones free (T.81 C.2), if any fit."""
    for length in range(table.longest, 17):
        if (len(missing) + 1) << (16 - length) <= 65536 - table.used:
            counts = bytearray(table.counts)
            if counts[length - 1] + len(missing) > 255:
                return None
            counts[length - 1] += len(missing)
            return Huffman(bytes(counts), table.symbols + missing)
    return None


class Coder(NamedTuple):
    """Arrays over the tables of a scan, first axis the table: what the kernels read with and write with.

    ``first``: the next `FIRST` bits → length << 8 | symbol, 0 when the code is longer. ``steps``: the next `STEPS`
    bits → as many whole AC coefficients as they hold, 0 when not even one code. ``limit``, ``base``: by length, past
    the last code as 16 bits, and what to add to a code for the place of its symbol. ``code``, ``size``: by symbol, to
    write with; size 0 when there is none. ``fresh``: codes differ from those that are read.
    """

    first: NDArray[np.uint16]
    steps: NDArray[np.uint16]
    limit: NDArray[np.int64]
    base: NDArray[np.int64]
    symbols: NDArray[np.uint8]
    code: NDArray[np.int64]
    size: NDArray[np.int64]
    fresh: NDArray[np.bool_]


@lru_cache(maxsize=16)
def coder_of(read: tuple[Huffman, ...], written: tuple[Huffman, ...], fresh: tuple[bool, ...], most: int) -> Coder:
    """The arrays for tables ``read`` and, in their places, the tables ``written`` instead.

    ``most``: the largest category of an AC coefficient.
    """
    readers, writers = [_reader(table, most) for table in read], [_writer(table) for table in written]
    first, steps, limit, base, symbols = (np.stack(column) for column in zip(*readers, strict=True))
    code, size = (np.stack(column) for column in zip(*writers, strict=True))
    return Coder(first, steps, limit, base, symbols, code, size, np.array(fresh, np.bool_))


def _writer(table: Huffman) -> tuple[NDArray[Any], ...]:
    code, size = np.zeros(256, np.int64), np.zeros(256, np.int64)
    for symbol, bits, length in table.codes():
        code[symbol], size[symbol] = bits, length
    return code, size


def _reader(table: Huffman, most: int) -> tuple[NDArray[Any], ...]:
    first, single = np.zeros(1 << FIRST, np.uint16), np.zeros(1 << STEPS, np.uint16)
    for symbol, code, length in table.codes():
        for bits, look, entry in ((FIRST, first, length << 8 | symbol), (STEPS, single, _step(symbol, length, most))):
            if length <= bits:
                look[code << bits - length : code + 1 << bits - length] = entry
    limit, base, symbols = np.zeros(17, np.int64), np.zeros(17, np.int64), np.zeros(256, np.uint8)
    symbols[: len(table.symbols)] = list(table.symbols)
    place = code = 0
    for length, count in enumerate(table.counts, 1):
        base[length] = place - code
        place, code = place + count, code + count
        limit[length] = code << (16 - length)
        code <<= 1
    return first, _joined(single), limit, base, symbols


def _step(symbol: int, length: int, most: int) -> int:
    """The entry of one AC symbol; 0, which the kernel looks at again, for what is none (T.81 F.1.2.2)."""
    run, size = symbol >> 4, symbol & 15
    if size > most or (size == 0 and run not in (0, 15)):
        return 0
    return length + size << 8 | (run + 1) | (ENDS if symbol == 0 else 0)


def _joined(single: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Entries of one coefficient → of all coefficients that lie wholly inside the bits seen."""
    steps = single.astype(np.int64)
    place = np.arange(1 << STEPS)
    for _ in range(STEPS // 2):
        taken = steps >> 8
        further = single.astype(np.int64)[(place << np.minimum(taken, STEPS)) & (1 << STEPS) - 1]
        total, passed = taken + (further >> 8), (steps & 0x7F) + (further & 0x7F)
        fits = (steps > 0) & (steps & ENDS == 0) & (further > 0) & (total <= STEPS) & (passed <= 64)
        steps = np.where(fits, total << 8 | passed | (further & ENDS), steps)
    return steps.astype(np.uint16)
