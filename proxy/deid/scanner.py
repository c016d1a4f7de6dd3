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

from proxy.deid.compiled import compiled, inlined
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
 _FRAGMENTS, _NOT_FRAGMENT, _NOT_ITEM, _DELIMITER, _OPEN) = range(17)  # fmt: skip
#: columns of an open frame, and the counters of a scan
_ITEMS, _DEFINED, _IMPLICIT, _BIG, _END, _ROW, _LAST = range(7)
_FRAME_COLUMNS = 7
_TOP, _DEPTH, _COUNT, _AT, _ORDERED, _LEFT, _FAULT = range(7)
_STATES = 7
_SEQUENCE_ENDS, _ITEM_ENDS, _PIXEL_DATA = 0xFFFEE0DD, 0xFFFEE00D, 0x7FE00010
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
        bounds = (limits.nesting_depth, limits.elements)
        code, count, tag, ordered = _scan(
            buffer, offset, encoding.implicit, not encoding.little, bounds, table, encoding.sequences, _VR_OF, _IS_LONG
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


@inlined
def _u16(buffer: Any, at: int, big: bool) -> Any:
    a, b = np.int64(buffer[at]), np.int64(buffer[at + 1])
    return a << 8 | b if big else b << 8 | a


@inlined
def _u32(buffer: Any, at: int, big: bool) -> Any:
    first, second = _u16(buffer, at, big), _u16(buffer, at + 2, big)
    return first << 16 | second if big else second << 16 | first


@inlined
def _is_sequence(tag: int, sequences: Any) -> bool:
    low, high = 0, len(sequences)
    while low < high:
        middle = (low + high) // 2
        if sequences[middle] < tag:
            low = middle + 1
        else:
            high = middle
    return low < len(sequences) and sequences[low] == tag


@inlined
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


@inlined
def _short(frames: Any, state: Any, size: int) -> Any:
    """A frame ends inside a header."""
    return _TRUNCATED if frames[state[_TOP], _END] == size else _SHORT_FRAME


@inlined
def _push(frames: Any, state: Any, items: bool, stop: int, defined: bool, implicit: bool, big: bool) -> None:
    """Open the value of the last row: a sequence's ``items``, or an item's elements."""
    state[_TOP] += 1
    top = state[_TOP]
    frames[top, _ITEMS], frames[top, _DEFINED], frames[top, _IMPLICIT], frames[top, _BIG] = (
        items,
        defined,
        implicit,
        big,
    )
    frames[top, _END], frames[top, _ROW], frames[top, _LAST] = stop, state[_COUNT] - 1, -1


@inlined
def _pop(frames: Any, state: Any) -> None:
    state[_DEPTH] -= frames[state[_TOP], _ITEMS]
    state[_TOP] -= 1


@inlined
def _emit(table: Any, state: Any, most: int, tag: int, vr: int, start: int, length: int, stop: int, parent: int) -> Any:
    """One row; the element begins at the position that ``state`` holds."""
    count = state[_COUNT]
    if count == len(table):
        return _MANY if count >= most else _GROW
    table[count, TAG], table[count, VR], table[count, OFFSET], table[count, VALUE] = tag, vr, state[_AT], start
    table[count, LENGTH], table[count, END], table[count, DEPTH], table[count, PARENT] = (
        length,
        stop,
        state[_DEPTH],
        parent,
    )
    state[_COUNT] = count + 1
    return _OK


@inlined
def _item(buffer: Any, frames: Any, state: Any, table: Any, most: int, tag: int) -> Any:
    """An item, or the delimiter of an item or a sequence; they have no VR in any transfer syntax (PS3.5 7.5)."""
    top = state[_TOP]
    end, big, defined = frames[top, _END], frames[top, _BIG] == 1, frames[top, _DEFINED] == 1
    length, start = _u32(buffer, state[_AT] + 4, big), state[_AT] + 8
    if tag == (_SEQUENCE_ENDS if frames[top, _ITEMS] else _ITEM_ENDS) and not defined and length == 0:
        table[frames[top, _ROW], END] = start
        _pop(frames, state)
        state[_AT] = start
        return _OK
    if not frames[top, _ITEMS]:
        state[_FAULT] = tag
        return _DELIMITER
    if tag != ITEM_TAG:
        return _NOT_ITEM
    known = length != UNDEFINED_LENGTH
    stop = start + length if known else end
    if stop > end:
        state[_FAULT] = tag
        return _BEYOND_DATA if stop > len(buffer) else _BEYOND_FRAME
    code = _emit(table, state, most, tag, 0, start, length, stop, frames[top, _ROW])
    if code == _OK:
        _push(frames, state, False, stop, known, frames[top, _IMPLICIT] == 1, big)
        state[_AT] = start
    return code


@inlined
def _header(buffer: Any, frames: Any, state: Any, vr_of: Any, is_long: Any) -> Any:
    """(code, VR, length, first byte of the value) of the element at the position."""
    at, top = state[_AT], state[_TOP]
    big = frames[top, _BIG] == 1
    if frames[top, _IMPLICIT]:
        return _OK, 0, _u32(buffer, at + 4, big), at + 8
    vr = np.int64(vr_of[np.int64(buffer[at + 4]) | np.int64(buffer[at + 5]) << 8])
    if vr == 0:
        return _VR, 0, 0, at
    if not is_long[vr]:
        return _OK, vr, _u16(buffer, at + 6, big), at + 8
    if at + 12 > frames[top, _END]:
        return _short(frames, state, len(buffer)), 0, 0, at
    return _OK, vr, _u32(buffer, at + 8, big), at + 12


@inlined
def _element(
    buffer: Any, frames: Any, state: Any, table: Any, bounds: Any, tag: int, vr: int, length: int, start: int
) -> Any:
    """One element with this header; its value is passed over. `_OPEN` where it is a sequence to be walked into."""
    top = state[_TOP]
    end = frames[top, _END]
    state[_FAULT] = tag
    if tag == frames[top, _LAST]:
        return _TWICE
    if tag < frames[top, _LAST]:
        state[_ORDERED] = 0
    frames[top, _LAST] = tag
    undefined = length == UNDEFINED_LENGTH
    stop = end if undefined else start + length
    if stop > end:
        return _BEYOND_DATA if stop > len(buffer) else _BEYOND_FRAME
    code = _emit(table, state, bounds[1], tag, vr, start, length, stop, frames[top, _ROW])
    if code != _OK:
        return code
    state[_AT] = stop
    if not undefined:
        return _OK
    if tag != _PIXEL_DATA:
        return _OPEN if vr in (0, _SQ, _UN) else _LENGTH_VR
    if vr != _OB and vr != _OW:
        return _PIXEL_VR
    code, position, left = _fragments(buffer, start, end, len(buffer), frames[top, _BIG] == 1, state[_LEFT])
    state[_LEFT], state[_AT] = left, position
    table[state[_COUNT] - 1, END] = position
    return code


@compiled
def _scan(
    buffer: Any,
    offset: int,
    implicit: bool,
    big: bool,
    bounds: Any,
    table: Any,
    sequences: Any,
    vr_of: Any,
    is_long: Any,
) -> tuple[int, int, int, bool]:
    """(code, rows, tag at fault or -1, ordered); ``bounds``: depth, rows. A frame is an open data set or sequence."""
    size = len(buffer)
    frames, state = np.zeros((2 * bounds[0] + 3, _FRAME_COLUMNS), np.int64), np.zeros(_STATES, np.int64)
    state[_TOP], state[_AT], state[_ORDERED], state[_LEFT] = -1, offset, 1, bounds[1] * FRAGMENTS_PER_ELEMENT
    _push(frames, state, False, size, True, implicit, big)
    while state[_TOP] >= 0:
        top, at = state[_TOP], state[_AT]
        state[_FAULT] = -1
        if at == frames[top, _END] and frames[top, _DEFINED]:
            _pop(frames, state)
            continue
        if at + 8 > frames[top, _END]:
            return _short(frames, state, size), state[_COUNT], -1, False
        order = frames[top, _BIG] == 1
        tag = _u16(buffer, at, order) << 16 | _u16(buffer, at + 2, order)
        if frames[top, _ITEMS] or tag >> 16 == 0xFFFE:
            code = _item(buffer, frames, state, table, bounds[1], tag)
            if code != _OK:
                return code, state[_COUNT], state[_FAULT], False
            continue
        code, vr, length, start = _header(buffer, frames, state, vr_of, is_long)
        if code == _OK:
            code = _element(buffer, frames, state, table, bounds, tag, vr, length, start)
        if code == _OK and length > 0 and length != UNDEFINED_LENGTH:
            listed = (vr == 0 or vr == _UN) and _is_sequence(tag, sequences)
            code = _OPEN if vr == _SQ or listed else _OK
        if code == _OPEN:
            state[_DEPTH] += 1
            if state[_DEPTH] > bounds[0]:
                return _DEEP, state[_COUNT], tag, False
            unknown = vr == _UN
            inside = frames[top, _IMPLICIT] == 1 or unknown
            stop = table[state[_COUNT] - 1, END]
            _push(frames, state, True, stop, length != UNDEFINED_LENGTH, inside, order and not unknown)
            state[_AT] = start
        elif code != _OK:
            return code, state[_COUNT], state[_FAULT] if code != _VR else tag, False
    return _OK, state[_COUNT], -1, state[_ORDERED] == 1
