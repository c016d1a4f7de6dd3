"""The compiled loops over pixels: fill boxes with bytes or bits, gather what lies outside the stored bits.

They work on bytes, whatever a sample is made of, so that each is compiled once; a caller says where a box begins, how
far apart its rows are and what a row of it is to be. Nothing is checked here: callers do. Pure.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from proxy.deid.compiled import compiled


@compiled
def fill(buffer: Any, first: int, rows: int, pitch: int, line: Any, flip: int) -> None:
    """Write ``line`` (uint8) ``rows`` times into ``buffer`` (uint8), at ``first`` and every ``pitch`` bytes from there.

    ``flip`` 1: bytes lie swapped in words of 16 bits (VR OW in big endian), 0: as they are.
    """
    size = len(line)
    if flip:
        for row in range(rows):
            at = first + row * pitch
            for byte in range(size):
                buffer[(at + byte) ^ 1] = line[byte]
        return
    for row in range(rows):
        at = first + row * pitch
        for byte in range(size):
            buffer[at + byte] = line[byte]


@compiled
def fill_bits(buffer: Any, first: int, rows: int, pitch: int, size: int, bit: int, flip: int) -> None:
    """As `fill`, counted in bits, the least significant of a byte first (PS3.5 8.1.1): ``size`` bits a row."""
    for row in range(rows):
        at = first + row * pitch
        for position in range(at, at + size):
            byte, mask = (position >> 3) ^ flip, 1 << (position & 7)
            if bit:
                buffer[byte] |= mask
            else:
                buffer[byte] &= 255 ^ mask


@compiled
def gathered(words: Any) -> tuple[int, int]:
    """Of uint64 ``words``: every bit that is set in any, and every bit that differs from its lower neighbour in any."""
    # numba keeps the type of what the loop starts with: an unsigned zero
    some = words[0] ^ words[0]
    edge = some
    for at in range(len(words)):
        word = words[at]
        some |= word
        edge |= word ^ (word << 1)
    return some, edge


def warm() -> None:
    """Compile all of this for the arrays that will come: read-only, beginning anywhere in an instance, and our own."""
    buffer, line = np.zeros(16, np.uint8), np.frombuffer(bytes(2), np.uint8)
    fill(buffer, 0, 1, 2, line, 0)
    fill_bits(buffer, 0, 1, 2, 2, 0, 0)
    shared = memoryview(bytes(24))
    for words in (buffer.view(np.uint64), np.frombuffer(shared[:16], "<u8"), np.frombuffer(shared[2:18], "<u8")):
        gathered(words)
