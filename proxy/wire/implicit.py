"""An explicit VR little endian data set as implicit VR little endian (PS3.5 7.1): other headers, the same values.

Sequences and items end by delimiters afterwards, since headers that lose bytes change every length around them. Values
are neither copied nor looked into: what comes out refers to what went in. Pure.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from proxy.wire.vr import LONG

_LONG = frozenset(vr.encode("ascii") for vr in LONG)
_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xE000, 0xE00D, 0xE0DD
_DELIMITERS = 0xFFFE
_DEEPEST = 64


class NotConvertible(ValueError):
    """The encoding cannot be followed to its end, or holds what has no implicit form."""


def implicit(data: bytes | memoryview) -> Iterator[memoryview | bytes]:
    """The pieces of ``data`` in implicit VR; `NotConvertible`, perhaps after some of them."""
    view = memoryview(data)
    at, open_ends = 0, list[tuple[int, int]]()  # where each defined length ends, and which delimiter it becomes
    while at < len(view) or open_ends:
        if open_ends and at == open_ends[-1][0]:
            yield struct.pack("<HHI", _DELIMITERS, open_ends.pop()[1], 0)
            continue
        limit = open_ends[-1][0] if open_ends else len(view)
        group, element, code, length, at = _header(view, at, limit)
        nested = code == b"SQ" or (group == _DELIMITERS and element == _ITEM)
        yield struct.pack("<HHI", group, element, _UNDEFINED if nested else length)
        if nested:
            if length != _UNDEFINED:
                open_ends.append((at + length, _ITEM_END if group == _DELIMITERS else _SEQUENCE_END))
            if len(open_ends) > _DEEPEST or (length != _UNDEFINED and at + length > limit):
                raise NotConvertible("a sequence that cannot be followed")
        elif length > limit - at:  # an undefined length too: encapsulated pixel data, or UN that is implicit inside
            raise NotConvertible("a value that cannot be followed")
        else:
            yield view[at : at + length]
            at += length


def _header(view: memoryview, at: int, limit: int) -> tuple[int, int, bytes, int, int]:
    """Group, element, VR ("" of items and delimiters), length, and where the value begins."""
    if limit - at < 8:
        raise NotConvertible("an element without an end")
    group, element = struct.unpack_from("<HH", view, at)
    if group == _DELIMITERS:
        return group, element, b"", struct.unpack_from("<I", view, at + 4)[0], at + 8
    code = bytes(view[at + 4 : at + 6])
    if code not in _LONG:
        return group, element, code, struct.unpack_from("<H", view, at + 6)[0], at + 8
    if limit - at < 12:
        raise NotConvertible("an element without an end")
    return group, element, code, struct.unpack_from("<I", view, at + 8)[0], at + 12
