"""Which rows need no walk at all, with what stands in them, and which UIDs they remap; compiled passes of `transcript`.

Pure.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from proxy.deid.compiled import compiled, inlined
from proxy.deid.days import stays_a_date
from proxy.deid.hashes import SEED, mixed
from proxy.deid.labels import MAP, MOVE, PIXELS, REMOVE, RETAIN, WALK, find
from proxy.deid.scanner import END, ITEM_TAG, LENGTH, OFFSET, PARENT, TAG, UNDEFINED_LENGTH, VALUE

_SPACE = 32


@compiled
def settle(data: Any, table: Any, marks: Any, following: Any, days: int, whole: Any, intact: Any) -> Any:
    """(rows to remap, bytes of the data set but for pixels).

    ``whole``: nothing in the row needs the walk. ``intact``: it leaves as the bytes that it came as.
    """
    maps, room = 0, 0
    broken, changed = np.zeros(len(table), np.bool_), np.zeros(len(table), np.bool_)
    for row in range(len(table) - 1, -1, -1):
        mark, parent = marks[row], table[row, PARENT]
        if mark == MOVE and not stays_a_date(data, table[row, VALUE], table[row, LENGTH], days):
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
def foregone_at(table: Any, marks: Any, row: int, tags: Any) -> Any:
    """Where in ``tags`` the row's tag is, -1 where it is not, or does not stand at the top."""
    if table[row, PARENT] >= 0 or marks[row] != WALK:
        return -1
    at = find(tags, table[row, TAG])
    return at if at < len(tags) and tags[at] == table[row, TAG] else -1


@compiled
def collect(
    data: Any, table: Any, marks: Any, following: Any, foregone: Any, places: Any, ids: Any, starts: Any, stops: Any
) -> Any:
    """Each UID to remap once, unpadded; which of them a row has → ``ids``. Returns how many."""
    count, row = 0, 0
    which = np.empty(len(places), np.int64)
    while row < len(table):
        if (marks[row] == REMOVE and table[row, TAG] != ITEM_TAG) or foregone_at(table, marks, row, foregone) >= 0:
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
