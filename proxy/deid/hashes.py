"""Sets of 64-bit hashes for kernels: open addressing in an array, 0 is an empty place.

Made for sieves: what was put in is always found; what was not is found with a chance of 2**-64 for each entry. The hash
is FNV-1a over bytes (and over hashes, for phrases). Pure.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from proxy.deid.compiled import inlined

SEED, PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
_SPREAD, _ONE, _EMPTY = np.uint64(0x9E3779B97F4A7C15), np.uint64(1), np.uint64(0)
_WORD = np.uint64(32)

Hashes = NDArray[np.uint64]


def room_for(entries: int) -> Hashes:
    """An empty set in which ``entries`` hashes fill at most half of the places."""
    return np.zeros(1 << max(4, (2 * entries).bit_length()), np.uint64)


def hash_of(word: bytes) -> int:
    """The hash of a word in small letters, as kernels make it."""
    value = int(SEED)
    for byte in word:
        value = (value ^ byte) * int(PRIME) & 0xFFFFFFFFFFFFFFFF
    return value


@inlined
def lowered(byte: Any) -> Any:
    """An ASCII letter as a small one; any other byte as it is."""
    return byte + 32 if 65 <= byte <= 90 else byte


@inlined
def mixed(value: Any, more: Any) -> Any:
    """The hash ``value`` with one byte, or another hash, behind it."""
    return (value ^ np.uint64(more)) * PRIME


@inlined
def _place(table: Any, value: Any) -> Any:
    return np.int64((value * _SPREAD) >> _WORD) & (len(table) - 1)


@inlined
def put(table: Any, value: Any) -> Any:
    """Put the hash in; returns its place."""
    key = value if value != _EMPTY else _ONE
    at = _place(table, key)
    while table[at] != _EMPTY and table[at] != key:
        at = (at + 1) & (len(table) - 1)
    table[at] = key
    return at


@inlined
def place_of(table: Any, value: Any) -> Any:
    """The place of the hash, -1 where it is not in the set."""
    key = value if value != _EMPTY else _ONE
    at = _place(table, key)
    while table[at] != _EMPTY:
        if table[at] == key:
            return at
        at = (at + 1) & (len(table) - 1)
    return -1
