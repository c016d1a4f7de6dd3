"""Finds what can hide in native pixel data besides pixels: bits that are not stored, bytes behind the last pixel.

Bits above the stored ones are where retired overlays (60xx,0102) lie; they must be 0, of signed samples the sign. Bits
below are there when High Bit is not Bits Stored - 1. A pad byte, and the unused bits of a last byte of 1-bit pixels,
must be 0. `blanking` removes what is found. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from proxy.deid.pixels.header import unreadable
from proxy.deid.pixels.kernels import gathered
from proxy.deid.pixels.plan import Layout

ABOVE, BELOW, BEHIND = "bits above the stored ones", "bits below the stored ones", "data behind the last pixel"
#: bytes that are turned round at a time, in big endian
_BLOCK = 1 << 20
_ORDERS: tuple[Literal["little"], Literal["big"]] = ("little", "big")


def hidden(value: memoryview, layout: Layout) -> tuple[str, ...]:
    """Which of `ABOVE`, `BELOW` and `BEHIND` the native pixel data ``value`` has something in."""
    end = padded(checked(value, layout))
    found = hidden_bits(value[:end], layout)
    return (*found, BEHIND) if _behind(value, end, layout) else found


def hidden_bits(cells: memoryview, layout: Layout) -> tuple[str, ...]:
    """`ABOVE` and `BELOW` in a run of whole native samples, or of cells that a codec decoded (then little endian)."""
    if layout.allocated == layout.stored or layout.kind != "integer":
        return ()
    if layout.ambiguous:
        raise unreadable("unused bits in samples whose bytes have no one order")
    lanes = 64 // layout.allocated
    some = edge = 0
    for words in chain.from_iterable(map(_words, _turned(cells, layout))):
        each, other = gathered(words)
        some, edge = some | int(each), edge | int(other)
    above = _repeated(((1 << layout.allocated) - 1) >> (layout.high_bit + 1) << (layout.high_bit + 1), lanes)
    below = _repeated((1 << layout.shift) - 1, lanes)
    found = ((ABOVE, (edge if layout.signed else some) & above), (BELOW, some & below))
    return tuple(name for name, bits in found if bits)


def checked(value: memoryview, layout: Layout) -> int:
    """The bytes that the frames take, pad byte not counted; refused where they are not there, or may be others."""
    size = (layout.frames * layout.frame_bits + 7) // 8
    if len(value) < size or len(value) % 2:
        raise unreadable("native pixel data that is shorter than its frames, or of an odd length")
    if layout.halved and len(value) >= size * 3 // 2:
        # written as if every pixel had its chrominance: cut to size, every frame would be scrambled
        raise unreadable("native pixel data that is not subsampled as it says")
    return size


def padded(size: int) -> int:
    """``size`` with the pad byte that an even length needs."""
    return size + size % 2


def tail(value: memoryview, layout: Layout) -> bytes:
    """The last word of the pixels, at the end of ``value``, as it should be: unused bits and pad byte 0.

    b"" where all of it is pixels.
    """
    bits, order = layout.frames * layout.frame_bits % 16, _ORDERS[swapped(layout)]
    if not bits:
        return b""
    return (int.from_bytes(value[-2:], order) & ((1 << bits) - 1)).to_bytes(2, order)


def swapped(layout: Layout) -> int:
    """1 where samples of up to 8 bits lie in words of big endian: the bytes of each word are turned round."""
    return int(not layout.little and layout.words and layout.allocated <= 8)


def _behind(value: memoryview, end: int, layout: Layout) -> bool:
    expected = tail(value[:end], layout)
    return len(value) > end or value[end - len(expected) : end] != expected


def _turned(cells: memoryview, layout: Layout) -> Iterator[memoryview]:
    """``cells`` with the least significant byte of each sample first."""
    if layout.little or layout.allocated <= 8:
        yield cells
        return
    for at in range(0, len(cells), _BLOCK):
        block = np.frombuffer(cells[at : at + _BLOCK], f">u{layout.allocated // 8}")
        yield block.byteswap().view(np.uint8).data


def _words(cells: memoryview) -> Iterator[NDArray[np.uint64]]:
    """All of ``cells`` in words of 64 bits in which the lowest sample is the first, the last filled up with 0."""
    whole = len(cells) // 8 * 8
    if whole:
        yield np.frombuffer(cells[:whole], "<u8")
    if whole < len(cells):
        yield np.frombuffer(bytes(cells[whole:]).ljust(8, b"\0"), "<u8")


def _repeated(mask: int, lanes: int) -> int:
    return sum(mask << (64 // lanes * lane) for lane in range(lanes))
