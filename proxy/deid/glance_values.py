"""The kernel of `glance`: which rows of an output pass, by their tag, VR and value, and which are left to the rules.

Values are compared with constants, with the form of pseudonymous UIDs and of times, and with what stands at the same
place of the input. One compiled pass; the cost is linear in both. Pure.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from proxy.deid.allowed import CONSTANTS as OURS
from proxy.deid.compiled import compiled, inlined
from proxy.deid.facts import TAG_AT, facts_of
from proxy.deid.glance import ANYTHING, CONSTANTS, EMPTY, MOVED, OWN_UIDS, PSEUDONYM, TIME, Case, Glance
from proxy.deid.hashes import place_of, put, room_for
from proxy.deid.profile import Policy
from proxy.deid.pseudonym import CROCKFORD
from proxy.deid.rows import FACT, FORM, PARENT, PLAIN, STOP, TAG, VALUE, VR
from proxy.deid.view import View

_ONE, _ITEM = np.uint64(1), np.uint64(1 << 32)
_BACKSLASH, _SPACE, _DOT, _PLUS, _MINUS, _ZERO, _NINE = 92, 32, 46, 43, 45, 48, 57
_OURS = np.frombuffer(b"".join(sorted(OURS)), np.uint8)
_OURS_FROM = np.cumsum([0, *map(len, sorted(OURS))], dtype=np.int64)
_STANDARD_ROOT, _OWN_ROOT = np.frombuffer(b"1.2.840.10008", np.uint8), np.frombuffer(b"2.25.", np.uint8)
_OWN_DIGITS = 39
_CROCKFORD_NUMBER = np.array([CROCKFORD.find(chr(byte)) for byte in range(256)])
_LOW = np.uint64(0xFFFFFFFF)


class Table(NamedTuple):
    """One policy's glances: number of a tag (see `Facts`) → row, VR → bits; row 0 lets nothing pass."""

    rows: NDArray[np.int64]
    passes: NDArray[np.uint8]
    #: of pseudonymous Patient IDs
    prefix: NDArray[np.uint8]
    #: the constants, and where each begins: handed over, for cached machine code keeps what it was compiled with
    ours: NDArray[np.uint8]
    starts: NDArray[np.int64]


@lru_cache(maxsize=64)
def table_of(policy: Policy) -> Table:
    """The glances of ``policy``; what is the same for many tags is decided once."""
    facts, glance = facts_of(policy), Glance(policy)
    seen: dict[Case | None, int] = {None: 0}
    rows = [0, *(seen.setdefault(glance.case(tag), len(seen)) for tag in facts.tags)]
    passes = np.zeros((len(seen), len(facts.names)), np.uint8)
    for case, row in seen.items():
        if case is not None:
            passes[row] = [glance.passes(case, vr) if vr else 0 for vr in facts.names]
    prefix = np.array([*policy.patient_id_prefix.encode("latin_1")], np.uint8)
    return Table(np.array(rows, np.int64), passes, prefix, _OURS, _OURS_FROM)


def left(output: View, source: View, table: Table) -> bytearray:
    """1 for each row of ``output`` that the rules have to look at, 0 for items and what passes."""
    marks = bytearray(len(output.rows))
    if marks:
        origins = np.empty(len(output.rows), np.int64)
        places = room_for(len(source.rows))
        _match(source.rows, places, np.empty(len(places), np.int64), output.rows, origins)
        _leave(output.data, output.rows, source.data, source.rows, origins, *table, np.frombuffer(marks, np.uint8))
    return marks


@inlined
def _key(parent: int, tag: int, form: int) -> Any:
    """A place below ``parent``, one number for each: of an element by its tag, of an item by its number."""
    what = np.uint64(tag) if form < 0 else np.uint64(form) | _ITEM
    return np.uint64(parent + 2) << np.uint64(33) | what


@compiled
def _match(before: Any, places: Any, which: Any, rows: Any, origins: Any) -> None:
    """For each of ``rows`` the row of ``before`` at the same place, -1 where there is none."""
    for row in range(len(before)):
        at = put(places, _key(before[row, PARENT], before[row, TAG], before[row, FORM]))
        which[at] = row
    for row in range(len(rows)):
        parent = rows[row, PARENT]
        above = origins[parent] if parent >= 0 else -1
        origins[row] = -1
        if parent < 0 or above >= 0:
            at = place_of(places, _key(above, rows[row, TAG], rows[row, FORM]))
            if at >= 0:
                origins[row] = which[at]


@inlined
def _inner(data: Any, start: int, stop: int) -> Any:
    while start < stop and (data[start] == _SPACE or data[start] == 0):
        start += 1
    while stop > start and (data[stop - 1] == _SPACE or data[stop - 1] == 0):
        stop -= 1
    return start, stop


@inlined
def _is_digit(byte: Any) -> Any:
    return _ZERO <= byte <= _NINE


@inlined
def _begins(data: Any, start: int, stop: int, with_: Any) -> bool:
    if stop - start < len(with_):
        return False
    same = 0
    while same < len(with_) and data[start + same] == with_[same]:
        same += 1
    return same == len(with_)


@inlined
def _is_ours(data: Any, start: int, stop: int, ours: Any, starts: Any) -> bool:
    """One of the constants, which lie in ``ours`` one behind the other."""
    for each in range(len(starts) - 1):
        first, size = starts[each], starts[each + 1] - starts[each]
        if size == stop - start:
            same = True
            for at in range(size):
                same = same and data[start + at] == ours[first + at]
            if same:
                return True
    return False


@inlined
def _is_own_uid(data: Any, start: int, stop: int) -> Any:
    """A UID of the standard, or 2.25 and a UUID of version 8: bits 76 to 79 (docs/pseudonyms.md)."""
    if _begins(data, start, stop, _STANDARD_ROOT):
        behind = start + len(_STANDARD_ROOT)
        return behind == stop or data[behind] == _DOT
    first = start + len(_OWN_ROOT)
    if not _begins(data, start, stop, _OWN_ROOT) or not 0 < stop - first <= _OWN_DIGITS:
        return False
    low, middle, high = np.uint64(0), np.uint64(0), np.uint64(0)
    for at in range(first, stop):
        if not _is_digit(data[at]):
            return False
        low = low * np.uint64(10) + np.uint64(data[at] - _ZERO)
        middle = middle * np.uint64(10) + (low >> np.uint64(32))
        high = high * np.uint64(10) + (middle >> np.uint64(32))
        low, middle = low & _LOW, middle & _LOW
    return (high >> np.uint64(12)) & np.uint64(15) == np.uint64(8)


@inlined
def _is_time(data: Any, start: int, stop: int) -> bool:
    """HH, HHMM, HHMMSS or HHMMSS.F (PS3.5 6.2), or nothing."""
    size = stop - start
    for at in range(min(size, 6)):
        most = _ZERO + (2 if at == 0 else 5 if at == 2 else 6 if at == 4 else 9)
        if not _ZERO <= data[start + at] <= most:
            return False
    if size <= 6:
        return size % 2 == 0
    if data[start + 6] != _DOT or not 8 <= size <= 13:
        return False
    at = start + 7
    while at < stop and _is_digit(data[at]):
        at += 1
    return at == stop


@inlined
def _is_pseudonym(data: Any, start: int, stop: int, prefix: Any) -> bool:
    """The prefix, sixteen characters of Crockford's base32 and the check character (ISO 7064 MOD 33,32)."""
    if stop - start != len(prefix) + 17 or not _begins(data, start, stop, prefix):
        return False
    product = 32
    for at in range(start + len(prefix), stop):
        number = _CROCKFORD_NUMBER[data[at]]
        if number < 0:
            return False
        if at == stop - 1:
            return bool(number == (33 - product) % 32)
        total = (product + number) % 32
        product = (total if total else 32) * 2 % 33
    return False


@inlined
def _all(data: Any, start: int, stop: int, uids: bool, ours: Any, starts: Any) -> bool:
    """Whether each of the values, without padding, is a constant, or a UID of the right kind or nothing."""
    begin = start
    for at in range(start, stop + 1):
        if at == stop or data[at] == _BACKSLASH:
            first, last = _inner(data, begin, at)
            if not (
                _is_own_uid(data, first, last) if uids and first < last else _is_ours(data, first, last, ours, starts)
            ):
                return False
            begin = at + 1
    return True


@inlined
def _has_moved(data: Any, start: int, stop: int, source: Any, rows: Any, origin: int) -> bool:
    """One date in figures that is not the one value at the same place of the input."""
    for at in range(start, stop):
        if not _is_digit(data[at]) and data[at] not in (_DOT, _PLUS, _MINUS):
            return False
    if origin < 0 or rows[origin, FORM] != PLAIN:
        return True
    first, last = _inner(source, rows[origin, VALUE], rows[origin, STOP])
    for at in range(first, last):
        if source[at] == _BACKSLASH:
            return False
    if last - first != stop - start:
        return True
    same = 0
    while start + same < stop and data[start + same] == source[first + same]:
        same += 1
    return start + same < stop


@inlined
def _passes(
    data: Any,
    start: int,
    stop: int,
    bits: int,
    source: Any,
    before: Any,
    origin: int,
    prefix: Any,
    ours: Any,
    starts: Any,
) -> bool:
    if bits & EMPTY and start == stop:
        return True
    first, last = _inner(data, start, stop)
    if bits & OWN_UIDS and _all(data, first, last, True, ours, starts):
        return True
    if bits & CONSTANTS and _all(data, first, last, False, ours, starts):
        return True
    if bits & PSEUDONYM and _is_pseudonym(data, first, last, prefix):
        return True
    if bits & TIME and _is_time(data, first, last):
        return True
    return bits & MOVED != 0 and _has_moved(data, first, last, source, before, origin)


@compiled
def _leave(
    data: Any, rows: Any, source: Any, before: Any, origins: Any, kinds: Any, passes: Any, prefix: Any, ours: Any,
    starts: Any, marks: Any,
) -> None:  # fmt: skip
    for row in range(len(rows)):
        if rows[row, FORM] >= 0:
            continue
        bits = passes[kinds[rows[row, FACT] >> TAG_AT], rows[row, VR]]
        if bits & ANYTHING:
            continue
        plain = bits != 0 and rows[row, FORM] == PLAIN
        start, stop = rows[row, VALUE], rows[row, STOP]
        if not plain or not _passes(data, start, stop, bits, source, before, origins[row], prefix, ours, starts):
            marks[row] = 1
