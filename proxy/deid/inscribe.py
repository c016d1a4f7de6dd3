"""Writes settled rows: retained, dropped, remapped, moved or foregone, with the lengths that they have now.

One compiled pass; no object is made for an element. See `transcript`. Pure.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from proxy.deid.compiled import compiled, inlined
from proxy.deid.days import moved_day, put_date
from proxy.deid.labels import MOVE, PIXELS, REMOVE, RETAIN, find
from proxy.deid.scanner import END, ITEM_TAG, LENGTH, OFFSET, PARENT, TAG, VALUE
from proxy.deid.settling import foregone_at

#: in the order of `foregone.COUNTS`
_KEPT, _REMOVED, _REMAPPED, _SHIFTED = range(4)
#: columns of a run: tag of the first element written, -1 where none is; first byte and byte behind; counts
_TAG, _START, _STOP, COUNTED = range(4)
#: columns of an entry: row of the item it stands in, its run or -1, its row
_IN, _RUN, _ROW = range(3)


@inlined
def _put(out: Any, at: int, value: int, size: int, big: bool) -> None:
    for each in range(size):
        shift = 8 * (size - 1 - each if big else each)
        out[at + each] = value >> shift & 255


@inlined
def _copy(data: Any, start: int, stop: int, out: Any, at: int) -> Any:
    for each in range(start, stop):
        out[at + each - start] = data[each]
    return at + stop - start


@inlined
def _element(
    data: Any, table: Any, row: int, mark: int, intact: bool, encoding: Any, texts: Any, days: int, out: Any, at: int,
    counts: Any,
) -> Any:  # fmt: skip
    """Write one element that has no items, or that leaves as it came; the position behind it."""
    ids, text, limits, same = texts
    offset, start = table[row, OFFSET], table[row, VALUE]
    if intact:
        return _copy(data, offset, table[row, END], out, at)
    if mark == REMOVE:
        counts[_REMOVED] += 1
        return at
    if mark == MOVE:
        at = _copy(data, offset, start, out, at)
        if table[row, LENGTH] == 0:
            counts[_KEPT] += 1
            return at
        put_date(out, at, moved_day(data, start, days))
        counts[_SHIFTED if days else _KEPT] += 1
        return at + 8
    first, last = limits[ids[row]], limits[ids[row] + 1]
    counts[_KEPT if same[ids[row]] else _REMAPPED] += 1
    short = 4 if encoding[0] else 6  # tag, and VR where there is one
    at = _copy(data, offset, offset + short, out, at)
    _put(out, at, last - first, 8 - short, encoding[1])
    return _copy(text, first, last, out, at + 8 - short)


@inlined
def _sequence(
    data: Any, table: Any, row: int, marks: Any, following: Any, intact: Any, encoding: Any, texts: Any, days: int,
    out: Any, at: int, counts: Any, frames: Any,
) -> Any:  # fmt: skip
    """Write a sequence whose whole content is settled, with the lengths that it has now."""
    top, each, stop = -1, row, following[row]
    while True:
        while top >= 0 and each >= frames[top, 0]:
            place = frames[top, 1]
            _put(out, place, at - place - 4, 4, encoding[1])
            top -= 1
        if each >= stop:
            return at
        item = table[each, TAG] == ITEM_TAG
        if item or (marks[each] == RETAIN and not intact[each]):
            counts[_KEPT] += not item
            at = _copy(data, table[each, OFFSET], table[each, VALUE] - 4, out, at) + 4
            top += 1
            frames[top, 0], frames[top, 1] = following[each], at - 4
            each += 1
            continue
        at = _element(data, table, each, marks[each], intact[each], encoding, texts, days, out, at, counts)
        counts[_KEPT] += _elements_in(table, each, following[each]) if intact[each] else 0
        each = following[each]


@inlined
def _elements_in(table: Any, first: int, stop: int) -> Any:
    count = 0
    for row in range(first, stop):
        count += table[row, TAG] != ITEM_TAG
    return count


@inlined
def _begin(runs: Any, count: int, at: int, entries: Any, found: int, item: int, row: int) -> None:
    for column in range(runs.shape[1]):
        runs[count, column] = 0
    runs[count, _TAG], runs[count, _START] = -1, at
    entries[found, _IN], entries[found, _RUN], entries[found, _ROW] = item, count, row


@compiled
def write(
    data: Any, table: Any, settled: Any, encoding: Any, borders: Any, texts: Any, days: int, known: Any, out: Any,
    runs: Any, entries: Any, range_: Any,
) -> Any:  # fmt: skip
    """(runs, entries), in document order; ``known``: tags, kinds, starts and bytes of foregone conclusions.

    ``range_``: first row, the one behind the last, how deep sequences may be nested.
    """
    marks, following, whole, intact = settled
    tags, kinds, starts, bytes_ = known
    frames = np.empty((2 * range_[2] + 4, 2), np.int64)
    count, found, at, row, item, border = 0, 0, 0, range_[0], -2, -1
    while row < range_[1]:
        tag, conclusion = table[row, TAG], foregone_at(table, marks, row, tags)
        if tag == ITEM_TAG or not (whole[row] or conclusion >= 0):
            if tag != ITEM_TAG and marks[row] != PIXELS:
                entries[found, _IN], entries[found, _RUN], entries[found, _ROW] = table[row, PARENT], -1, row
                found += 1
            item = -2
            row += 1
            continue
        here = find(borders, tag + 1)
        if item != table[row, PARENT] or here != border:
            item, border = table[row, PARENT], here
            _begin(runs, count, at, entries, found, item, row)
            count, found = count + 1, found + 1
        counts, before = runs[count - 1, COUNTED:], at
        if conclusion >= 0:
            at = _copy(bytes_, starts[conclusion], starts[conclusion + 1], out, at)
            counts[kinds[conclusion]] += 1
        elif marks[row] == RETAIN:
            at = _sequence(data, table, row, marks, following, intact, encoding, texts, days, out, at, counts, frames)
        else:
            at = _element(data, table, row, marks[row], False, encoding, texts, days, out, at, counts)
        runs[count - 1, _STOP] = at
        if runs[count - 1, _TAG] < 0 and at > before:
            runs[count - 1, _TAG] = tag
        row = following[row]
    return count, found
