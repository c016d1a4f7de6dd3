"""Labels every token of an instance in one compiled pass: leaves as it is, goes, or has to pass through the walk.

A conservative shortcut and nothing more: *retain* and *remove* are given only where the walk would keep the very bytes
or drop the element without looking at them. Whatever needs a thought is *walk*. Tests hold both ways together. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydicom._dicom_dict import DicomDictionary

from proxy.deid.compiled import compiled, inlined
from proxy.deid.days import is_date, is_time
from proxy.deid.scanner import (
    DEPTH,
    ITEM_TAG,
    LENGTH,
    OFFSET,
    PARENT,
    TAG,
    UNDEFINED_LENGTH,
    VALUE,
    VR,
    VR_CODES,
    VR_NAMES,
    Table,
)  # fmt: skip
from proxy.deid.values import CHARSET_VRS, SIZES

#: what becomes of a row: the walk decides; it leaves as it is; goes; is pixel data; is a UID that is mapped; is a date
#: that moves
WALK, RETAIN, REMOVE, PIXELS, MAP, MOVE = range(6)
#: kinds of values by what is checked of them: nothing, a multiple of 2, 4, 8, every byte against an alphabet, a form
_ANY, _BY_2, _BY_4, _BY_8, _ITEMS, _PRINTABLE, _AGE, _NUMBER, _TEXT, _UIDS, _TIME, _DATE = range(12)
_NUMBERS = {2: _BY_2, 4: _BY_4, 8: _BY_8}
_ALPHABETS = {"AE": _PRINTABLE, "CS": _PRINTABLE, "UR": _PRINTABLE, "AS": _AGE, "DS": _NUMBER, "IS": _NUMBER}
_ALPHABETS |= {"UI": _UIDS, "TM": _TIME, "DA": _DATE, "SQ": _ITEMS}


def _kind(vr: str) -> int:
    return _TEXT if vr in CHARSET_VRS else _ALPHABETS.get(vr, _NUMBERS.get(SIZES.get(vr, 1), _ANY))


def _alphabet() -> NDArray[np.uint16]:
    """byte → kinds (as bits) in which it may stand; text is the part of ASCII that every character set shares."""
    table = np.zeros(256, np.uint16)
    letters = {
        _PRINTABLE: [0, *range(0x20, 0x7F)],
        _AGE: list(b"0123456789DWMY \\\0"),
        _NUMBER: list(b"0123456789+-.eE \\\0"),
        _UIDS: list(b"0123456789. \\\0"),
        _TIME: list(b"0123456789. "),
        _DATE: list(b"0123456789"),
        _TEXT: [0, 9, 10, 12, 13, *range(0x20, 0x7F)],
    }
    for kind, values in letters.items():
        table[values] |= np.uint16(1 << kind)
    return table


_ALLOWED = _alphabet()
_KIND_OF_VR = np.array([_kind(name) for name in VR_NAMES], np.uint8)
_LONG_HEADER = 12
_SPACE, _DOT, _ZERO = 32, 46, 48


class Word(NamedTuple):
    """What a policy says of a tag: a mark, or by the VR that an element states, whether it stays, is mapped, moves."""

    mark: int
    stays: frozenset[str] = frozenset()
    maps: frozenset[str] = frozenset()
    moves: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Labels:
    """A policy's decisions for known tags. Compiled once; arrays are sorted by tag."""

    tags: NDArray[np.int64]
    words: NDArray[np.uint8]
    #: by tag, for staying, mapping and moving: bit n set where that holds for VR number n (0: none, implicit VR)
    masks: NDArray[np.int64]
    #: how its value is checked in implicit VR
    kinds: NDArray[np.uint8]
    #: a run ends before these tags, so that something can be inserted there
    borders: NDArray[np.int64]
    #: what becomes of private elements: `REMOVE` or `WALK`
    private: int


def compile_labels(words: Mapping[int, Word], borders: Iterable[int], private: int = REMOVE) -> Labels:
    """``words`` by tag."""
    tags = sorted(words)
    known = [str(DicomDictionary[tag][0]) if tag in DicomDictionary else "UN" for tag in tags]
    masks = [[sum(1 << VR_CODES[vr] for vr in vrs) for vrs in words[tag][1:]] for tag in tags]
    return Labels(
        np.array(tags, np.int64),
        np.array([words[tag].mark for tag in tags], np.uint8),
        np.array(masks, np.int64).reshape(len(tags), 3),
        np.array([_kind(vr) for vr in known], np.uint8),
        np.array(sorted(borders), np.int64),
        private,
    )


def mark(data: NDArray[np.uint8], table: Table, labels: Labels, implicit: bool) -> NDArray[np.uint8]:
    """Mark the rows of ``table`` over ``data``, whose transfer syntax is ``implicit`` VR or is not."""
    marks = np.empty(len(table), np.uint8)
    known = (labels.tags, labels.words, labels.masks, labels.kinds)
    _classify(data, table, implicit, labels.private, *known, _KIND_OF_VR, _ALLOWED, marks)
    return marks


@inlined
def find(tags: Any, tag: int) -> int:
    """Where ``tag`` is, or would be, among sorted ``tags``."""
    low, high = 0, len(tags)
    while low < high:
        middle = (low + high) // 2
        if tags[middle] < tag:
            low = middle + 1
        else:
            high = middle
    return low


@inlined
def _is_uid(buffer: Any, start: int, length: int) -> bool:
    """One value, padded behind: what else stands there is for the walk."""
    while length and (buffer[start + length - 1] == 0 or buffer[start + length - 1] == _SPACE):
        length -= 1
    for at in range(start, start + length):
        if buffer[at] != _DOT and not _ZERO <= buffer[at] <= _ZERO + 9:
            return False
    return length <= 64


@inlined
def _plain(buffer: Any, start: int, length: int, kind: int, allowed: Any) -> bool:
    """Whether a value is of its kind beyond doubt, and even."""
    if length & 1:
        return False
    if kind == _BY_4:
        return length % 4 == 0
    if kind == _BY_8:
        return length % 8 == 0
    if kind >= _PRINTABLE:
        for at in range(start, start + length):
            if not allowed[buffer[at]] >> kind & 1:
                return False
    if kind == _DATE:
        return bool(is_date(buffer, start, length))
    return kind != _TIME or bool(is_time(buffer, start, length))


@inlined
def _by_vr(buffer: Any, table: Any, row: int, implicit: bool, masks: Any, at: int, kind: int, allowed: Any) -> Any:
    """The mark of an element that may stay, be mapped or move, if its header and value are what they should be."""
    vr, length, start = table[row, VR], table[row, LENGTH], table[row, VALUE]
    stays, maps, moves = masks[at, 0] >> vr & 1, masks[at, 1] >> vr & 1, masks[at, 2] >> vr & 1
    # inside UN the encoding is implicit, whatever that of the instance is (PS3.5 6.2.2)
    if not (stays or maps or moves) or (vr == 0) != implicit:
        return WALK
    if start - table[row, OFFSET] == _LONG_HEADER and (buffer[start - 6] or buffer[start - 5]):
        return WALK  # two reserved bytes that are not zero
    if length == UNDEFINED_LENGTH:
        return RETAIN if stays and kind == _ITEMS else WALK
    if stays:
        return RETAIN if _plain(buffer, start, length, kind, allowed) else WALK
    if length & 1:
        return WALK
    if maps:
        return MAP if _is_uid(buffer, start, length) else WALK
    return MOVE if _plain(buffer, start, length, _DATE, allowed) else WALK


@compiled
def _classify(
    buffer: Any, table: Any, implicit: bool, private: int, tags: Any, words: Any, masks: Any, kinds: Any,
    kind_of_vr: Any, allowed: Any, marks: Any,
) -> None:  # fmt: skip
    for row in range(len(table)):
        tag, vr = table[row, TAG], table[row, VR]
        group = tag >> 16
        if tag == ITEM_TAG:
            marks[row] = RETAIN
        elif tag == 0x7FE00008 or tag == 0x7FE00009 or tag == 0x7FE00010:
            marks[row] = PIXELS if table[row, DEPTH] == 0 else WALK
        elif group & 1 and group > 8:
            marks[row] = private
        else:
            at = find(tags, tag)
            if group & 1 or group < 8 or at == len(tags) or tags[at] != tag:
                marks[row] = REMOVE
            elif words[at] != RETAIN:
                marks[row] = words[at]
            else:
                kind = kinds[at] if vr == 0 else kind_of_vr[vr]
                marks[row] = _by_vr(buffer, table, row, implicit, masks, at, kind, allowed)


@compiled
def follow(table: Any, following: Any) -> None:
    """For each row the first one that is not inside it."""
    for row in range(len(table)):
        following[row] = 0
    for row in range(len(table) - 1, -1, -1):
        following[row] = max(following[row], row + 1)
        parent = table[row, PARENT]
        if parent >= 0:
            following[parent] = max(following[parent], following[row])
