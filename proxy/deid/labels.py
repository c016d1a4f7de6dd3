"""Labels every token of an instance in one compiled pass: leaves as it is, goes, or has to pass through the walk.

A conservative shortcut and nothing more: *retain* and *remove* are given only where the walk would keep the very bytes
or drop the element without looking at them. Whatever needs a thought is *walk*. Tests hold both ways together. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom._dicom_dict import DicomDictionary

from proxy.deid.compiled import compiled, inlined
from proxy.deid.scanner import DEPTH, END, ITEM_TAG, LENGTH, OFFSET, PARENT, TAG, VALUE, VR, VR_CODES, VR_NAMES, Table
from proxy.deid.values import CHARSET_VRS, SIZES

WALK, RETAIN, REMOVE, PIXELS = range(4)
#: kinds of values by what is checked of them: nothing, a multiple of 2, 4, 8, every byte against an alphabet, a form
_ANY, _BY_2, _BY_4, _BY_8, _PRINTABLE, _AGE, _NUMBER, _TEXT, _UIDS, _TIME = range(10)
_NUMBERS = {2: _BY_2, 4: _BY_4, 8: _BY_8}
_ALPHABETS = {"AE": _PRINTABLE, "CS": _PRINTABLE, "UR": _PRINTABLE, "AS": _AGE, "DS": _NUMBER, "IS": _NUMBER}
_ALPHABETS |= {"UI": _UIDS, "TM": _TIME}
_PIXEL_TAGS = (0x7FE00008, 0x7FE00009, 0x7FE00010)


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
        _TEXT: [0, 9, 10, 12, 13, *range(0x20, 0x7F)],
    }
    for kind, values in letters.items():
        table[values] |= np.uint16(1 << kind)
    return table


_ALLOWED = _alphabet()
_KIND_OF_VR = np.array([_kind(name) for name in VR_NAMES], np.uint8)
_LONG_HEADER = 12
_SPACE, _DOT, _ZERO = 32, 46, 48


@dataclass(frozen=True, slots=True)
class Labels:
    """A policy's decisions for known tags. Compiled once; arrays are sorted by tag."""

    tags: NDArray[np.int64]
    words: NDArray[np.uint8]
    #: bit n set: the element is retained when it states VR number n (0: none, implicit VR)
    masks: NDArray[np.int64]
    #: how its value is checked in implicit VR
    kinds: NDArray[np.uint8]
    #: a run of retained or removed elements ends before these tags, so that something can be inserted there
    borders: NDArray[np.int64]
    #: what becomes of private elements: `REMOVE` or `WALK`
    private: int


def compile_labels(
    decisions: Mapping[int, tuple[int, frozenset[str]]], borders: Iterable[int], private: int = REMOVE
) -> Labels:
    """``decisions``: tag → label and, for `RETAIN`, the stated VRs with which it holds."""
    tags = sorted(decisions)
    known = [str(DicomDictionary[tag][0]) if tag in DicomDictionary else "UN" for tag in tags]
    masks = [sum(1 << VR_CODES[vr] for vr in decisions[tag][1]) for tag in tags]
    return Labels(
        np.array(tags, np.int64),
        np.array([decisions[tag][0] for tag in tags], np.uint8),
        np.array(masks, np.int64),
        np.array([_kind(vr) for vr in known], np.uint8),
        np.array(sorted(borders), np.int64),
        private,
    )


@dataclass(frozen=True, slots=True)
class Labelled:
    """By row of the token table, as lists: what to do, the next sibling's row, and the run that begins there."""

    label: list[int]
    following: list[int]
    run_row: list[int]  # first row behind the run
    run_end: list[int]  # first byte behind the run
    run_count: list[int]  # elements in the run, nested ones too where it is retained


def label(data: memoryview, table: Table, labels: Labels, implicit: bool) -> Labelled:
    """Label the rows of an ordered ``table`` over ``data``, whose transfer syntax is ``implicit`` VR or is not."""
    buffer = np.frombuffer(data, np.uint8)
    rows = len(table)
    marks = np.empty(rows, np.uint8)
    numbers = np.empty((4, rows), np.int64)
    known = (labels.tags, labels.words, labels.masks, labels.kinds)
    _classify(buffer, table, implicit, labels.private, *known, _KIND_OF_VR, _ALLOWED, marks)
    _link(table, marks, labels.borders, numbers)
    following, run_row, run_end, run_count = (numbers[n].tolist() for n in range(4))
    return Labelled(marks.tolist(), following, run_row, run_end, run_count)


@inlined
def _find(tags: Any, tag: int) -> int:
    low, high = 0, len(tags)
    while low < high:
        middle = (low + high) // 2
        if tags[middle] < tag:
            low = middle + 1
        else:
            high = middle
    return low


@inlined
def _is_time(buffer: Any, start: int, length: int) -> bool:
    """Nothing, HH, HHMM or HHMMSS, or that with up to six decimals, padded by at most one space (PS3.5 6.2 TM)."""
    if length and buffer[start + length - 1] == _SPACE and length % 2 == 0:
        length -= 1
    digits = min(length, 6)
    for at in range(digits):
        if not _ZERO <= buffer[start + at] <= _ZERO + 9:
            return False
    if length <= 6 and (length % 2 or length == 0):
        return length == 0
    hour = (np.int64(buffer[start]) - _ZERO) * 10 + np.int64(buffer[start + 1]) - _ZERO
    if hour > 23 or (digits >= 4 and buffer[start + 2] > _ZERO + 5) or (digits == 6 and buffer[start + 4] > _ZERO + 6):
        return False
    if length <= 6:
        return True
    for at in range(7, length):
        if not _ZERO <= buffer[start + at] <= _ZERO + 9:
            return False
    return 8 <= length <= 13 and buffer[start + 6] == _DOT


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
    return kind != _TIME or _is_time(buffer, start, length)


@compiled
def _classify(
    buffer: Any,
    table: Any,
    implicit: bool,
    private: int,
    tags: Any,
    words: Any,
    masks: Any,
    kinds: Any,
    kind_of_vr: Any,
    allowed: Any,
    marks: Any,
) -> None:
    for row in range(len(table)):
        tag, vr, length, start = table[row, TAG], table[row, VR], table[row, LENGTH], table[row, VALUE]
        defined = length != 0xFFFFFFFF
        if tag == ITEM_TAG:
            marks[row] = RETAIN if defined else WALK
            continue
        group = tag >> 16
        if tag == 0x7FE00008 or tag == 0x7FE00009 or tag == 0x7FE00010:
            marks[row] = PIXELS if table[row, DEPTH] == 0 else WALK
            continue
        if group & 1 and group > 8:
            marks[row] = private
            continue
        at = _find(tags, tag)
        if group & 1 or group < 8 or at == len(tags) or tags[at] != tag:
            marks[row] = REMOVE
            continue
        marks[row] = words[at]
        if words[at] != RETAIN:
            continue
        header = start - table[row, OFFSET]
        # inside UN the encoding is implicit, whatever that of the instance is (PS3.5 6.2.2)
        clean = defined and masks[at] >> vr & 1 == 1 and (vr == 0) == implicit
        if clean and header == _LONG_HEADER and (buffer[start - 6] or buffer[start - 5]):
            clean = False  # two reserved bytes that are not zero
        if clean:
            kind = kinds[at] if vr == 0 else kind_of_vr[vr]
            clean = _plain(buffer, start, length, kind, allowed)
        if not clean:
            marks[row] = WALK


@compiled
def _link(table: Any, marks: Any, borders: Any, numbers: Any) -> None:
    """From the last row to the first: sequences that are retained whole, siblings, runs."""
    rows = len(table)
    behind = np.full(rows, -1, np.int64)  # first row behind the subtree
    dirty = np.zeros(rows, np.bool_)
    inside = np.zeros(rows + 1, np.int64)  # elements in rows before this one
    for row in range(rows):
        inside[row + 1] = inside[row] + (table[row, TAG] != ITEM_TAG)
    for row in range(rows - 1, -1, -1):
        following = behind[row] if behind[row] >= 0 else row + 1
        parent = table[row, PARENT]
        if marks[row] == RETAIN and dirty[row]:
            marks[row] = WALK
        if parent >= 0:
            if behind[parent] < 0:
                behind[parent] = following
            if marks[row] != RETAIN:
                dirty[parent] = True
        own = inside[following] - inside[row] if marks[row] == RETAIN else 1
        numbers[0, row], numbers[1, row], numbers[2, row], numbers[3, row] = following, following, table[row, END], own
        if marks[row] != RETAIN and marks[row] != REMOVE:
            continue
        if following < rows and table[following, PARENT] == parent and marks[following] == marks[row]:
            here, there = _find(borders, table[row, TAG] + 1), _find(borders, table[following, TAG] + 1)
            if here == there:
                numbers[1, row], numbers[2, row] = numbers[1, following], numbers[2, following]
                numbers[3, row] = own + numbers[3, following]
