"""The compiled pre-scan: one pass over an encoded data set fills a table with one row a token, within hard bounds.

Same grammar and same refusals as `tokens.scan`, which is the reference that tests hold it against. Reads only inside
the buffer; the cost follows the number of elements, not of pixel bytes. No object is made for an element. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydicom._dicom_dict import DicomDictionary

from proxy.deid.compiled import compiled
from proxy.deid.part10 import LONG_VRS, VRS, Limits
from proxy.errors import InstanceHeld, Reason

#: columns of the table
TAG, VR, OFFSET, VALUE, LENGTH, END, DEPTH, PARENT = range(8)
COLUMNS = 8
ITEM_TAG, UNDEFINED_LENGTH = 0xFFFEE000, 0xFFFFFFFF
#: VR ↔ number in the table; 0 is no VR (implicit VR, items)
VR_NAMES: tuple[str, ...] = ("", *sorted(VRS.values()))
VR_CODES = {name: code for code, name in enumerate(VR_NAMES)}
_SQ, _UN, _OB, _OW = (VR_CODES[name] for name in ("SQ", "UN", "OB", "OW"))
_FIRST_ROWS = 1024

(_OK, _GROW, _TRUNCATED, _BEYOND_DATA, _BEYOND_FRAME, _SHORT_FRAME, _VR, _TWICE, _PIXEL_VR, _LENGTH_VR, _DEEP, _MANY,
 _FRAGMENTS, _NOT_FRAGMENT, _NOT_ITEM, _DELIMITER) = range(16)  # fmt: skip
_REFUSALS = {
    _TRUNCATED: (Reason.TRUNCATED, "the data set ends inside an element"),
    _BEYOND_DATA: (Reason.LENGTH_BEYOND_BUFFER, "a length reaches beyond the end of the data set"),
    _BEYOND_FRAME: (Reason.MALFORMED, "an element reaches out of its sequence or item"),
    _SHORT_FRAME: (Reason.MALFORMED, "an element reaches out of its sequence or item"),
    _VR: (Reason.MALFORMED, "an element has an unknown VR"),
    _TWICE: (Reason.MALFORMED, "an element occurs twice"),
    _PIXEL_VR: (Reason.MALFORMED, "encapsulated pixel data without VR OB"),
    _LENGTH_VR: (Reason.MALFORMED, "an undefined length where the VR allows none"),
    _DEEP: (Reason.TOO_DEEP, "sequences are nested too deep"),
    _MANY: (Reason.TOO_MANY_ELEMENTS, "too many elements and items"),
    _FRAGMENTS: (Reason.TOO_MANY_ELEMENTS, "too many fragments"),
    _NOT_FRAGMENT: (Reason.MALFORMED, "encapsulated pixel data is not a row of fragments"),
    _NOT_ITEM: (Reason.MALFORMED, "a sequence holds something that is not an item"),
    _DELIMITER: (Reason.MALFORMED, "a delimiter where none belongs"),
}
#: a fragment is no element; still their number is bounded, as a multiple of the bound of elements
FRAGMENTS_PER_ELEMENT = 16

Table = NDArray[np.int64]


def _vr_table() -> NDArray[np.uint8]:
    """Two bytes of a VR, as a little-endian number → its number here; 0 for what is no VR."""
    table = np.zeros(65536, np.uint8)
    for raw, name in VRS.items():
        table[int.from_bytes(raw, "little")] = VR_CODES[name]
    return table


_VR_OF = _vr_table()
_IS_LONG = np.array([name.encode("ascii") in LONG_VRS for name in VR_NAMES])


def sequence_tags(young: Iterable[int] = ()) -> NDArray[np.int64]:
    """Sorted tags whose VR is SQ in PS3.6, with those of ``young`` that pydicom's dictionary lacks."""
    known = {tag for tag, entry in DicomDictionary.items() if entry[0] == "SQ"}
    return np.array(sorted(known | set(young)), np.int64)


class Scanned(NamedTuple):
    """``table[:, TAG]`` and so on; rows in document order. ``ordered``: tags ascend on every level."""

    table: Table
    ordered: bool


class Encoding(NamedTuple):
    """How a data set is encoded; ``sequences``: see `sequence_tags`."""

    implicit: bool
    little: bool
    sequences: NDArray[np.int64]


def scan_table(data: memoryview, offset: int, encoding: Encoding, limits: Limits) -> Scanned:
    """Scan ``data[offset:]``; raises `InstanceHeld` as `tokens.scan` does."""
    if not 0 <= offset <= len(data):
        raise InstanceHeld(Reason.TRUNCATED, "no data set")
    buffer = np.frombuffer(data, np.uint8) if len(data) else np.zeros(0, np.uint8)
    rows = min(_FIRST_ROWS, limits.elements)
    while True:
        table = np.empty((rows, COLUMNS), np.int64)
        most = (limits.nesting_depth, limits.elements)
        code, count, tag, ordered = _scan(
            buffer, offset, encoding.implicit, not encoding.little, *most, table, encoding.sequences, _VR_OF, _IS_LONG
        )
        if code != _GROW:
            break
        rows = min(rows * 8, limits.elements)
    if code != _OK:
        reason, why = _REFUSALS[code]
        raise InstanceHeld(reason, why, tag if tag >= 0 else None)
    table = table[:count]
    if not ordered and _repeats(table):
        raise InstanceHeld(Reason.MALFORMED, "an element occurs twice")
    return Scanned(table, ordered)


def _repeats(table: Table) -> bool:
    """Whether a tag occurs twice under one parent; only asked where a level is not in order."""
    elements = table[table[:, TAG] != ITEM_TAG]
    pairs = elements[:, PARENT] << 32 | elements[:, TAG]
    return len(np.unique(pairs)) != len(pairs)


@compiled
def _u16(buffer: Any, at: int, big: bool) -> Any:
    a, b = np.int64(buffer[at]), np.int64(buffer[at + 1])
    return a << 8 | b if big else b << 8 | a


@compiled
def _u32(buffer: Any, at: int, big: bool) -> Any:
    first, second = _u16(buffer, at, big), _u16(buffer, at + 2, big)
    return first << 16 | second if big else second << 16 | first


@compiled
def _is_sequence(tag: int, sequences: Any) -> bool:
    low, high = 0, len(sequences)
    while low < high:
        middle = (low + high) // 2
        if sequences[middle] < tag:
            low = middle + 1
        else:
            high = middle
    return low < len(sequences) and sequences[low] == tag


@compiled
def _fragments(buffer: Any, position: int, end: int, size: int, big: bool, left: int) -> tuple[int, int, int]:
    """PS3.5 A.4: items of defined length up to the delimiter. (code, position behind it, fragments left)."""
    while True:
        if position + 8 > end:
            return (_TRUNCATED if end == size else _SHORT_FRAME), position, left
        tag = _u16(buffer, position, big) << 16 | _u16(buffer, position + 2, big)
        length = _u32(buffer, position + 4, big)
        position += 8
        if tag == 0xFFFEE0DD and length == 0:
            return _OK, position, left
        left -= 1
        if tag != ITEM_TAG or length == UNDEFINED_LENGTH:
            return _NOT_FRAGMENT, position, left
        if left < 0:
            return _FRAGMENTS, position, left
        position += length
        if position > end:
            return (_BEYOND_DATA if position > size else _BEYOND_FRAME), position, left


@compiled
def _scan(
    buffer: Any,
    offset: int,
    implicit: bool,
    big: bool,
    most_deep: int,
    most: int,
    table: Any,
    sequences: Any,
    vr_of: Any,
    is_long: Any,
) -> tuple[int, int, int, bool]:
    """(code, rows, tag at fault or -1, ordered). A frame is an open data set (root, item) or an open sequence."""
    size, rows = len(buffer), len(table)
    frames = 2 * most_deep + 2
    items, defined = np.zeros(frames, np.bool_), np.zeros(frames, np.bool_)
    implicits, bigs = np.zeros(frames, np.bool_), np.zeros(frames, np.bool_)
    ends, row_of, last = np.zeros(frames, np.int64), np.zeros(frames, np.int64), np.zeros(frames, np.int64)
    top, depth, count, position, ordered, left = 0, 0, 0, offset, True, most * FRAGMENTS_PER_ELEMENT
    defined[0], ends[0], row_of[0], last[0] = True, size, -1, -1
    implicits[0], bigs[0] = implicit, big
    while top >= 0:
        end = ends[top]
        if position == end and defined[top]:
            depth -= items[top]
            top -= 1
            continue
        if position + 8 > end:
            return (_TRUNCATED if end == size else _SHORT_FRAME), count, -1, ordered
        b = bigs[top]
        tag = _u16(buffer, position, b) << 16 | _u16(buffer, position + 2, b)
        if items[top] or tag >> 16 == 0xFFFE:
            length, start = _u32(buffer, position + 4, b), position + 8
            closes = 0xFFFEE0DD if items[top] else 0xFFFEE00D
            if tag == closes and not defined[top] and length == 0:
                table[row_of[top], END] = start
                depth -= items[top]
                top -= 1
                position = start
                continue
            if not items[top]:
                return _DELIMITER, count, tag, ordered
            if tag != ITEM_TAG:
                return _NOT_ITEM, count, -1, ordered
            stop = end if length == UNDEFINED_LENGTH else start + length
            if stop > end:
                return (_BEYOND_DATA if stop > size else _BEYOND_FRAME), count, tag, ordered
            if count == rows:
                return (_MANY if rows >= most else _GROW), count, -1, ordered
            table[count, 0], table[count, 1], table[count, 2], table[count, 3] = tag, 0, position, start
            table[count, 4], table[count, 5], table[count, 6], table[count, 7] = length, stop, depth, row_of[top]
            top += 1
            items[top], defined[top], ends[top], row_of[top] = False, length != UNDEFINED_LENGTH, stop, count
            implicits[top], bigs[top], last[top] = implicits[top - 1], b, -1
            count += 1
            position = start
            continue
        vr, start = 0, position + 8
        if implicits[top]:
            length = _u32(buffer, position + 4, b)
        else:
            vr = vr_of[np.int64(buffer[position + 4]) | np.int64(buffer[position + 5]) << 8]
            if vr == 0:
                return _VR, count, tag, ordered
            if is_long[vr]:
                if start + 4 > end:
                    return (_TRUNCATED if end == size else _SHORT_FRAME), count, -1, ordered
                length = _u32(buffer, start, b)
                start += 4
            else:
                length = _u16(buffer, position + 6, b)
        if tag == last[top]:
            return _TWICE, count, tag, ordered
        if tag < last[top]:
            ordered = False
        last[top] = tag
        undefined = length == UNDEFINED_LENGTH
        stop = end if undefined else start + length
        if stop > end:
            return (_BEYOND_DATA if stop > size else _BEYOND_FRAME), count, tag, ordered
        if count == rows:
            return (_MANY if rows >= most else _GROW), count, -1, ordered
        table[count, 0], table[count, 1], table[count, 2], table[count, 3] = tag, vr, position, start
        table[count, 4], table[count, 5], table[count, 6], table[count, 7] = length, stop, depth, row_of[top]
        count += 1
        position = stop
        opens = undefined
        if undefined and tag == 0x7FE00010:
            if vr != _OB and vr != _OW:
                return _PIXEL_VR, count, tag, ordered
            code, position, left = _fragments(buffer, start, end, size, b, left)
            if code != _OK:
                return code, count, tag, ordered
            table[count - 1, END] = position
            opens = False
        elif undefined and vr != 0 and vr != _SQ and vr != _UN:
            return _LENGTH_VR, count, tag, ordered
        elif length > 0 and not undefined:
            opens = vr == _SQ or ((vr == 0 or vr == _UN) and _is_sequence(tag, sequences))
        if opens:
            depth += 1
            if depth > most_deep:
                return _DEEP, count, tag, ordered
            top += 1
            items[top], defined[top], ends[top], row_of[top] = True, not undefined, stop, count - 1
            unknown = vr == _UN
            implicits[top], bigs[top] = implicits[top - 1] or unknown, b and not unknown
            position = start
    return _OK, count, -1, ordered
