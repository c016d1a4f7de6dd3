"""Writes what needs no thought as it leaves: runs of elements retained, dropped, remapped, moved or foregone.

`labels` has marked the rows; here sequences whose whole content is so marked are settled with it, UIDs get what the
caller says, dates move by whole days, lengths are put right. One compiled pass each; no object is made for an element.
Same bytes as the walk would make, which tests hold together. Pure; holds PHI for one instance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proxy.deid.compiled import compiled, inlined
from proxy.deid.foregone import COUNTS, Foregone
from proxy.deid.hashes import SEED, mixed, room_for
from proxy.deid.labels import DAYS_BEFORE, MAP, MOVE, PIXELS, REMOVE, RETAIN, WALK, find
from proxy.deid.level import Gone, Run
from proxy.deid.scanner import END, ITEM_TAG, LENGTH, OFFSET, PARENT, TAG, UNDEFINED_LENGTH, VALUE, Table

#: in the order of `COUNTS`
_KEPT, _REMOVED, _REMAPPED, _SHIFTED = range(4)
#: columns of a run: tag of the first element written, -1 where none is; first byte and byte behind; counts
_TAG, _START, _STOP, _COUNTED = range(4)
#: columns of an entry: row of the item it stands in, its run or -1, its row
_IN, _RUN, _ROW = range(3)
#: bytes that a remapped UID needs at most, header and padding included
_UID_ROOM = 80
_SPACE, _ZERO = 32, 48
#: days from 1 January of year 1 (proleptic Gregorian) to that of year 10000
_LAST_DAY = 3652059


class Transcript:
    """What becomes of the rows of one instance, by the item that they stand in (-1: the data set)."""

    def __init__(self, data: NDArray[np.uint8], table: Table, marks: NDArray[np.uint8], policy: Settled) -> None:
        """``marks``: see `labels.mark`; they are used up."""
        self._data, self._table, self._marks, self._policy = data, table, marks, policy
        rows, days, foregone = len(table), policy.days, policy.foregone
        self._whole, self._intact = np.empty(rows, np.bool_), np.empty(rows, np.bool_)
        flags = (self._whole, self._intact)
        self._maps, self._room = _settle(data, table, marks, policy.following, days, *flags)
        ids, starts, stops = (np.empty(size, np.int64) for size in (rows, self._maps, self._maps))
        places = room_for(self._maps)
        count = _collect(data, table, marks, policy.following, foregone.tags, places, ids, starts, stops)
        self._texts = (ids, *_mapped(data, starts[:count], stops[:count], policy.uid))
        self._tags: list[int] = table[:, TAG].tolist()
        self._parts: dict[int, list[int | Run | Gone]] = {}
        self._write(0, rows)

    def parts(self, item: int) -> list[int | Run | Gone]:
        """Tags that need the walk, and what is settled between them."""
        if (
            item not in self._parts
        ):  # in a sequence that was settled as a whole, and which the walk entered all the same
            self._parts[item] = []
            self._write(item + 1, int(self._policy.following[item]))
        return self._parts[item]

    def _write(self, first: int, stop: int) -> None:
        policy, foregone, rows = self._policy, self._policy.foregone, stop - first
        if not rows:
            return
        room = len(foregone.data) + self._room if first == 0 else _extent(self._table[first:stop])
        out = np.empty(room + min(self._maps, rows) * _UID_ROOM, np.uint8)
        runs, entries = np.empty((rows, _COUNTED + len(COUNTS)), np.int64), np.empty((rows, 3), np.int64)
        made, found = _write(
            self._data,
            self._table,
            (self._marks, policy.following, self._whole, self._intact),
            policy.encoding,
            policy.borders,
            self._texts,
            policy.days,
            (foregone.tags, foregone.kinds, foregone.starts, foregone.data),
            out,
            runs,
            entries,
            (first, stop, policy.depth),
        )
        done, written = runs[:made].tolist(), memoryview(out.data)
        for item, run, row in entries[:found].tolist():
            part = self._tags[row] if run < 0 else _part(done[run], written)
            self._parts.setdefault(item, []).append(part)


def _extent(rows: Table) -> int:
    return int(rows[:, END].max()) - int(rows[0, OFFSET])


@dataclass(frozen=True, slots=True)
class Settled:
    """What an instance's transcript depends on, besides its rows. ``encoding``: implicit VR, big endian.

    ``uid`` says what a UID becomes, dates move by ``days``; ``depth``: how deep sequences may be nested.
    """

    following: NDArray[np.int64]
    encoding: tuple[bool, bool]
    borders: NDArray[np.int64]
    uid: Callable[[str], str]
    days: int
    foregone: Foregone
    depth: int


def _mapped(
    data: NDArray[np.uint8], starts: NDArray[np.int64], stops: NDArray[np.int64], uid: Callable[[str], str]
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.bool_]]:
    """What UIDs become, padded: all in one, where each begins, and whether it is what it was."""
    before = [bytes(data[start:stop]) for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)]
    after = [uid(value.decode("ascii")).encode("ascii") for value in before]
    padded = [value + b"\0" * (len(value) % 2) for value in after]
    same = [old == new for old, new in zip(before, after, strict=True)]
    limits = np.cumsum([0, *map(len, padded)], dtype=np.int64)
    return np.frombuffer(b"".join(padded), np.uint8), limits, np.array(same, np.bool_)


def _part(run: list[int], written: memoryview) -> Run | Gone:
    tag, start, stop, kept, removed = run[:5]
    if tag < 0:
        return Gone(removed)
    others = tuple((name, count) for name, count in zip(COUNTS[1:], run[4:], strict=True) if count)
    return Run(tag, bytes(written[start:stop]), kept, others)


@compiled
def _settle(data: Any, table: Any, marks: Any, following: Any, days: int, whole: Any, intact: Any) -> Any:
    """(rows to remap, bytes of the data set but for pixels).

    ``whole``: nothing in the row needs the walk. ``intact``: it leaves as the bytes that it came as.
    """
    maps, room = 0, 0
    broken, changed = np.zeros(len(table), np.bool_), np.zeros(len(table), np.bool_)
    for row in range(len(table) - 1, -1, -1):
        mark, parent = marks[row], table[row, PARENT]
        if mark == MOVE and not _moves(data, table[row, VALUE], table[row, LENGTH], days):
            mark = marks[row] = WALK
        maps += mark == MAP
        if parent < 0 and mark != PIXELS:
            room += table[row, END] - table[row, OFFSET]
        defined = table[row, LENGTH] != UNDEFINED_LENGTH
        alone = following[row] == row + 1 and mark in (MAP, MOVE)
        whole[row] = mark == REMOVE or (mark == RETAIN and not broken[row]) or alone
        intact[row] = mark == RETAIN and not broken[row] and not changed[row] and defined
        if parent >= 0:
            broken[parent] |= not whole[row]
            changed[parent] |= not intact[row]
    return maps, room


@inlined
def _number(data: Any, at: int, digits: int) -> Any:
    value: Any = np.int64(0)
    for each in range(at, at + digits):
        value = value * 10 + np.int64(data[each]) - _ZERO
    return value


@inlined
def _day(year: int, month: int, day: int) -> Any:
    """Days since 1 January of year 1 (proleptic Gregorian calendar)."""
    years = year - 1
    leap = month > 2 and (year % 4 == 0 and (year % 100 != 0 or year % 400 == 0))
    return years * 365 + years // 4 - years // 100 + years // 400 + DAYS_BEFORE[month] + leap + day - 1


@inlined
def _moves(data: Any, start: int, length: int, days: int) -> bool:
    """Whether a date that is one stays in the years 1 to 9999."""
    if length == 0:
        return True
    moved = _day(_number(data, start, 4), _number(data, start + 4, 2), _number(data, start + 6, 2)) + days
    return bool(0 <= moved < _LAST_DAY)


@inlined
def _put_date(out: Any, at: int, day: int) -> None:
    year = day // 366 + 1
    while _day(year + 1, 1, 1) <= day:
        year += 1
    month = 1
    while month < 12 and _day(year, month + 1, 1) <= day:
        month += 1
    number = year * 10000 + month * 100 + day - _day(year, month, 1) + 1
    for place in range(7, -1, -1):
        out[at + place] = _ZERO + number % 10
        number //= 10


@inlined
def _is_foregone(table: Any, marks: Any, row: int, tags: Any) -> Any:
    """Where in ``tags`` the row's tag is, -1 where it is not, or does not stand at the top."""
    if table[row, PARENT] >= 0 or marks[row] != WALK:
        return -1
    at = find(tags, table[row, TAG])
    return at if at < len(tags) and tags[at] == table[row, TAG] else -1


@compiled
def _collect(
    data: Any, table: Any, marks: Any, following: Any, foregone: Any, places: Any, ids: Any, starts: Any, stops: Any
) -> Any:
    """Each UID to remap once, unpadded; which of them a row has → ``ids``. Returns how many."""
    count, row = 0, 0
    which = np.empty(len(places), np.int64)
    while row < len(table):
        if (marks[row] == REMOVE and table[row, TAG] != ITEM_TAG) or _is_foregone(table, marks, row, foregone) >= 0:
            row = following[row]
            continue
        if marks[row] == MAP:
            start, stop = table[row, VALUE], table[row, VALUE] + table[row, LENGTH]
            while stop > start and (data[stop - 1] == 0 or data[stop - 1] == _SPACE):
                stop -= 1
            at = _place(data, start, stop, places, which, starts, stops)
            if places[at] == 0:
                places[at], which[at] = 1, count
                starts[count], stops[count] = start, stop
                count += 1
            ids[row] = which[at]
        row += 1
    return count


@inlined
def _place(data: Any, start: int, stop: int, places: Any, which: Any, starts: Any, stops: Any) -> Any:
    """Where in an open addressing of texts this one is, or is to be."""
    value = SEED
    for at in range(start, stop):
        value = mixed(value, data[at])
    place = np.int64(value >> np.uint64(32)) & (len(places) - 1)
    while places[place] != 0:
        first, size = starts[which[place]], stops[which[place]] - starts[which[place]]
        same = 0
        while size == stop - start and same < size and data[first + same] == data[start + same]:
            same += 1
        if size == stop - start and same == size:
            break
        place = (place + 1) & (len(places) - 1)
    return place


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
        day = _day(_number(data, start, 4), _number(data, start + 4, 2), _number(data, start + 6, 2)) + days
        _put_date(out, at, day)
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
def _write(
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
        tag, conclusion = table[row, TAG], _is_foregone(table, marks, row, tags)
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
        counts, before = runs[count - 1, _COUNTED:], at
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
