"""A secret in shares of which any two give it back and one alone says nothing (Shamir, threshold 2, over GF(2^8)).

Share x of a secret s is s + x·r, byte by byte, with r as long as s and as random; x is 1, 2, 3, ... . The field is that
of AES (FIPS 197 4.2).
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping

_REDUCTION = 0x1B
MOST = 16


def split(secret: bytes, people: int) -> list[bytes]:
    """One share for each of ``people``, the first for x = 1."""
    if not 2 <= people <= MOST:
        raise ValueError("a secret is shared by 2 to 16 people")
    slope = secrets.token_bytes(len(secret))
    return [_added(secret, _times(slope, x)) for x in range(1, people + 1)]


def join(shares: Mapping[int, bytes]) -> bytes:
    """The secret from two shares by x. Two that do not belong together give bytes that are no secret of anybody."""
    (one, first), (two, second) = shares.items()
    if one == two or len(first) != len(second):
        raise ValueError("two different shares of one secret are needed")
    across = _inverse(one ^ two)
    return _added(_times(first, _product(two, across)), _times(second, _product(one, across)))


def _added(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def _times(value: bytes, x: int) -> bytes:
    return bytes(_product(byte, x) for byte in value)


def _product(a: int, b: int) -> int:
    """Without branches on ``a``'s bits that would tell them by time."""
    product = 0
    for bit in range(8):
        product ^= a * (b >> bit & 1)
        a = (a << 1 & 0xFF) ^ _REDUCTION * (a >> 7)
    return product


def _inverse(a: int) -> int:
    """a^254."""
    square, inverse = a, 1  # a^2 · a^4 · ... · a^128
    for _ in range(7):
        square = _product(square, square)
        inverse = _product(inverse, square)
    return inverse
