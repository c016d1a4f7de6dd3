"""The gate's own compiled reading of an encoded data set: a row for each element and item, in document order.

Same grammar and same refusals as `tokens.scan`, which tests hold it against; nothing is shared with the engine's
scanner, so that one error does not blind both. Accounts for every byte and reads only inside the buffer; no value is
looked at, so the cost follows the number of elements. Pure.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from proxy.deid.compiled import compiled, inlined
from proxy.deid.facts import ABSENT, KNOWN_MASK, NO_TAG, OB, OW, SQ, UN, Facts, slot
from proxy.deid.part10 import Limits
from proxy.errors import InstanceHeld, Reason

#: columns: tag, VR by which it is read (number in `Facts.names`), first byte, first byte of the value, first byte that
#: is behind it, row of what it stands in (-1: the data set), what it is, and the packed fact of its tag
TAG, VR, START, VALUE, STOP, PARENT, FORM, FACT = range(8)
COLUMNS = 8
#: FORM of a value and of a sequence; that of an item is its number in the sequence
PLAIN, SEQUENCE = -1, -2
ITEM = 0xFFFEE000
_ITEM_ENDS, _SEQUENCE_ENDS, _UNDEFINED, _PIXEL_DATA = 0xFFFEE00D, 0xFFFEE0DD, 0xFFFFFFFF, 0x7FE00010
#: what is open: first byte behind it, its row, how it is encoded, items seen, last tag seen
_STOP, _ROW, _MODE, _ITEMS, _LAST = range(5)
_OF_ITEMS, _DEFINED, _IMPLICIT, _BIG = 1, 2, 4, 8
_FIRST_ROWS = 512
_FRAGMENTS_PER_ROW = 16

_DONE, _FULL, _SHORT, _BEYOND, _WRONG, _DEEP, _MANY = range(7)
_REFUSALS = {
    _SHORT: (Reason.TRUNCATED, "an element is not complete"),
    _BEYOND: (Reason.LENGTH_BEYOND_BUFFER, "a length reaches beyond what the element stands in"),
    _WRONG: (Reason.MALFORMED, "an element, item or delimiter where none of its kind belongs"),
    _DEEP: (Reason.TOO_DEEP, "sequences are nested too deep"),
    _MANY: (Reason.TOO_MANY_ELEMENTS, "too many elements, items or fragments"),
}
Rows = NDArray[np.int64]


def read_rows(data: memoryview, offset: int, *, implicit: bool, little: bool, facts: Facts, limits: Limits) -> Rows:
    """The data set in ``data[offset:]``; `InstanceHeld` where a byte is not accounted for, or a bound is not kept."""
    if not 0 <= offset <= len(data):
        raise InstanceHeld(Reason.TRUNCATED, "no data set")
    buffer = np.frombuffer(data, np.uint8) if len(data) else np.zeros(0, np.uint8)
    mode, bounds = implicit * _IMPLICIT | (not little) * _BIG, (limits.nesting_depth, limits.elements)
    room = min(_FIRST_ROWS, limits.elements)
    while True:
        rows = np.empty((room, COLUMNS), np.int64)
        code, count, tag, ascending = _read(
            buffer, offset, mode, bounds, rows, facts.keys, facts.packed, facts.stated, facts.long
        )
        if code != _FULL:
            break
        room = min(room * 8, limits.elements)
    if code != _DONE:
        reason, why = _REFUSALS[code]
        raise InstanceHeld(reason, why, tag if tag >= 0 else None)
    if not ascending and _repeats(rows[:count]):
        raise InstanceHeld(Reason.MALFORMED, "an element occurs twice")
    return rows[:count]


def _repeats(rows: Rows) -> bool:
    """Whether a tag occurs twice at one place; only asked where tags do not ascend everywhere."""
    elements = rows[rows[:, FORM] < 0]
    places = elements[:, PARENT] << 32 | elements[:, TAG]
    return len(np.unique(places)) < len(places)


@inlined
def _two(data: Any, at: int, mode: int) -> Any:
    low, high = np.int64(data[at]), np.int64(data[at + 1])
    return high | low << 8 if mode & _BIG else low | high << 8


@inlined
def _four(data: Any, at: int, mode: int) -> Any:
    one, two = _two(data, at, mode), _two(data, at + 2, mode)
    return two | one << 16 if mode & _BIG else one | two << 16


@inlined
def _tag(data: Any, at: int, mode: int) -> Any:
    return _two(data, at, mode) << 16 | _two(data, at + 2, mode)


@inlined
def _fact(tag: int, keys: Any, packed: Any) -> Any:
    at = slot(tag, len(keys)) if tag != NO_TAG else -1
    if at < 0:
        return ABSENT
    while keys[at] != NO_TAG:
        if keys[at] == tag:
            return np.int64(packed[at])
        at = (at + 1) & (len(keys) - 1)
    return ABSENT


@inlined
def _head(data: Any, at: int, stop: int, mode: int, stated: Any, long: Any) -> Any:
    """(code, VR as stated, length, first byte of the value) of an element."""
    if mode & _IMPLICIT:
        return _DONE, 0, _four(data, at + 4, mode), at + 8
    vr = np.int64(stated[np.int64(data[at + 4]) | np.int64(data[at + 5]) << 8])
    if vr == 0:
        return _WRONG, 0, 0, at
    if not long[vr]:
        return _DONE, vr, _two(data, at + 6, mode), at + 8
    if at + 12 > stop:
        return _SHORT, 0, 0, at
    return _DONE, vr, _four(data, at + 8, mode), at + 12


@inlined
def _fragments(data: Any, at: int, stop: int, mode: int, spare: int) -> Any:
    """PS3.5 A.4: (code, first byte behind the delimiter, fragments that may still come)."""
    while at + 8 <= stop:
        tag, length = _tag(data, at, mode), _four(data, at + 4, mode)
        at += 8
        if tag == _SEQUENCE_ENDS and length == 0:
            return _DONE, at, spare
        if tag != ITEM or length == _UNDEFINED:
            return _WRONG, at, spare
        if spare == 0:
            return _MANY, at, spare
        spare -= 1
        at += length
        if at > stop:
            return _BEYOND, at, spare
    return _SHORT, at, spare


@inlined
def _open(frames: Any, level: int, stop: int, row: int, mode: int) -> None:
    frames[level, _STOP], frames[level, _ROW], frames[level, _MODE] = stop, row, mode
    frames[level, _ITEMS], frames[level, _LAST] = 0, -1


@inlined
def _write(rows: Any, count: int, tag: int, vr: int, start: int, value: int, stop: int) -> None:
    rows[count, TAG], rows[count, VR], rows[count, START] = tag, vr, start
    rows[count, VALUE], rows[count, STOP] = value, stop


@inlined
def _item(data: Any, at: int, frames: Any, level: int, rows: Any, count: int) -> Any:
    """(code, level, rows, position) behind the header of an item, or behind a delimiter."""
    stop, row, mode = frames[level, _STOP], frames[level, _ROW], frames[level, _MODE]
    tag, length, value = _tag(data, at, mode), _four(data, at + 4, mode), at + 8
    ends = _SEQUENCE_ENDS if mode & _OF_ITEMS else _ITEM_ENDS
    if tag == ends and length == 0 and not mode & _DEFINED:
        rows[row, STOP] = value
        return _DONE, level - 1, count, value
    if tag != ITEM or not mode & _OF_ITEMS:
        return _WRONG, level, count, at
    defined = length != _UNDEFINED
    if defined and value + length > stop:
        return _BEYOND, level, count, at
    if count == len(rows):
        return _FULL, level, count, at
    inside = value + length if defined else stop
    _write(rows, count, tag, 0, at, value, inside)
    rows[count, PARENT], rows[count, FORM], rows[count, FACT] = row, frames[level, _ITEMS], ABSENT
    frames[level, _ITEMS] += 1
    _open(frames, level + 1, inside, count, mode & (_IMPLICIT | _BIG) | defined * _DEFINED)
    return _DONE, level + 1, count + 1, value


@inlined
def _element(data: Any, at: int, frames: Any, level: int, rows: Any, count: int, spare: int, lookups: Any) -> Any:
    """(code, level, position, fragments left) behind an element, or before the items in it."""
    keys, packed, stated, long = lookups
    stop, mode, tag = frames[level, _STOP], frames[level, _MODE], _tag(data, at, frames[level, _MODE])
    code, vr, length, value = _head(data, at, stop, mode, stated, long)
    if code != _DONE:
        return code, level, at, spare
    if tag == frames[level, _LAST]:
        return _WRONG, level, at, spare
    frames[level, _LAST] = tag
    fact = _fact(tag, keys, packed)
    known, defined = fact & KNOWN_MASK, length != _UNDEFINED
    if defined and value + length > stop:
        return _BEYOND, level, at, spare
    if count == len(rows):
        return _FULL, level, at, spare
    behind = value + length if defined else stop
    _write(rows, count, tag, known if vr == 0 or vr == UN else vr, at, value, behind)
    rows[count, PARENT], rows[count, FACT] = frames[level, _ROW], fact
    listed = vr == SQ or ((vr == 0 or vr == UN) and known == SQ)
    rows[count, FORM] = SEQUENCE if listed else PLAIN
    if not defined and tag == _PIXEL_DATA:
        if vr != OB and vr != OW:
            return _WRONG, level, at, spare
        code, behind, spare = _fragments(data, value, stop, mode, spare)
        rows[count, STOP] = behind
        return code, level, behind, spare
    if defined and (not listed or length == 0):
        return _DONE, level, behind, spare
    if not listed and vr != 0 and vr != UN:
        return _WRONG, level, at, spare
    rows[count, VR], rows[count, FORM] = SQ, SEQUENCE
    inside = (mode | _IMPLICIT) & ~_BIG if vr == UN else mode
    _open(frames, level + 1, behind, count, inside & ~_DEFINED | _OF_ITEMS | defined * _DEFINED)
    return _DONE, level + 1, value, spare


@compiled
def _read(data: Any, at: int, mode: int, bounds: Any, rows: Any, keys: Any, packed: Any, stated: Any, long: Any) -> Any:
    """(code, rows, tag at fault or -1, whether tags ascend everywhere); levels are sequences and items in turn."""
    lookups = (keys, packed, stated, long)
    frames = np.empty((2 * bounds[0] + 3, 5), np.int64)
    _open(frames, 0, len(data), -1, mode | _DEFINED)
    level, count, spare, ascending = 0, 0, bounds[1] * _FRAGMENTS_PER_ROW, True
    while level >= 0:
        stop, mode = frames[level, _STOP], frames[level, _MODE]
        if at == stop and mode & _DEFINED:
            level -= 1
            continue
        if at + 8 > stop:
            return _SHORT, count, -1, ascending
        tag = _tag(data, at, mode)
        if mode & _OF_ITEMS or tag >> 16 == 0xFFFE:
            code, level, count, at = _item(data, at, frames, level, rows, count)
        else:
            ascending = ascending and tag >= frames[level, _LAST]
            code, level, at, spare = _element(data, at, frames, level, rows, count, spare, lookups)
            count += code == _DONE
            if code == _DONE and level > 2 * bounds[0]:
                return _DEEP, count, tag, ascending
        if code != _DONE:
            full = code == _FULL and count >= bounds[1]
            return _MANY if full else code, count, tag, ascending
    return _DONE, count, -1, ascending
