"""Asks an output for what a sieve has learned: which of its rows may hold an identifier.

As `search.Search` for text that is ASCII; other text always may. Kernels of `sieve`. Pure.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from proxy.deid.compiled import compiled, inlined
from proxy.deid.facts import BYTES, DATED, KNOWN_MASK, UIDS, WHOLE, WORDS
from proxy.deid.hashes import SEED, mixed, place_of
from proxy.deid.rows import FACT, FORM, PLAIN, START, STOP, VR
from proxy.deid.rows import VALUE as VALUE_AT
from proxy.deid.sieve_words import (
    BACKSLASH,
    ESCAPE,
    FIRST,
    LEAST_NOTED,
    PAIR,
    TRIPLE,
    VALUE,
    WORD,
    hash_between,
    inner,
    next_word,
)  # fmt: skip

#: what UIDs, dates and times are made of (PS3.5 6.2); anything else in their VRs is read as text
_FIGURE = np.isin(np.arange(256), list(b"0123456789.+-:\\ \0"))


@inlined
def _has(marks: Any, value: Any) -> bool:
    return bool(place_of(marks, value) >= 0)


@inlined
def _asks_words(data: Any, start: int, stop: int, phrases: bool, marks: Any) -> bool:
    """Whether a word is one of the input's identifiers, or begins some phrase of them."""
    parted, one, two, count = False, SEED, SEED, 0
    if phrases:
        for at in range(start, stop):
            parted = parted or data[at] == BACKSLASH
    begin, end, value = next_word(data, start, stop)
    while begin < stop:
        if _has(marks, value ^ WORD):
            return True
        # between values that say nothing, words may follow each other: then the first is enough
        if phrases and parted and _has(marks, value ^ FIRST):
            return True
        if phrases and count >= 1 and _has(marks, mixed(one, value) ^ PAIR):
            return True
        if phrases and count >= 2 and _has(marks, mixed(mixed(two, one), value) ^ TRIPLE):
            return True
        two, one, count = one, value, count + 1
        begin, end, value = next_word(data, end, stop)
    return False


@inlined
def _asks_values(data: Any, start: int, stop: int, marks: Any) -> bool:
    begin = start
    for at in range(start, stop + 1):
        if at == stop or data[at] == BACKSLASH:
            first, last = inner(data, begin, at)
            if first < last and _has(marks, hash_between(data, first, last) ^ VALUE):
                return True
            begin = at + 1
    return False


@inlined
def _are_figures(data: Any, start: int, stop: int) -> bool:
    while start < stop and _FIGURE[data[start]]:
        start += 1
    return start == stop


@inlined
def _is_plain(data: Any, start: int, stop: int) -> bool:
    while start < stop and data[start] < 128 and data[start] != ESCAPE:
        start += 1
    return start == stop


@inlined
def _is_wide(data: Any, start: int, stop: int) -> bool:
    """Whether four characters with zeros between them stand anywhere: an identifier in UTF-16 could."""
    run = 0
    for at in range(start, stop - 1):
        run = run + 1 if (data[at] != 0 and data[at + 1] == 0) or (run and data[at] == 0 and data[at + 1] != 0) else 0
        if run >= 2 * LEAST_NOTED - 2:
            return True
    return False


@inlined
def _asks(data: Any, start: int, stop: int, read: int, marks: Any) -> bool:
    """As `Search.finds`, but for byte strings and for UIDs in texts, which are looked for in all values at once."""
    if read == BYTES:
        return False
    if read == UIDS and _asks_values(data, start, stop, marks):
        return True
    if read in (UIDS, DATED) and _are_figures(data, start, stop):
        return False
    if not _is_plain(data, start, stop):
        return True
    if read == WHOLE:
        return bool(_asks_values(data, start, stop, marks) or _asks_words(data, start, stop, False, marks))
    return bool(_asks_words(data, start, stop, True, marks))


@compiled
def ask(data: Any, rows: Any, reads: Any, marks: Any, suspects: Any) -> bool:
    """1 in ``suspects`` for rows that may hold an identifier; whether a value looks like UTF-16.

    ``reads``: VR → how its values are searched.
    """
    wide = False
    for row in range(len(rows)):
        start, stop = rows[row, VALUE_AT], rows[row, STOP]
        if rows[row, FORM] != PLAIN or start == stop:
            continue
        known = reads[rows[row, FACT] & KNOWN_MASK]
        read = known if known == WORDS else reads[rows[row, VR]]
        if _asks(data, start, stop, read, marks):
            suspects[row] = 1
        wide = wide or _is_wide(data, start, stop)
    return wide


@compiled
def widened(text: Any, starts: Any, wide: Any, limits: Any) -> None:
    """The byte strings in UTF-16: a zero behind each byte but the last (both byte orders end up the same, unpadded)."""
    to = 0
    for which in range(len(starts) - 1):
        for at in range(starts[which], starts[which + 1]):
            wide[to], wide[to + 1] = text[at], 0
            to += 2
        to -= 1
        limits[which + 1] = to


@compiled
def mark(rows: Any, at: int, suspects: Any) -> int:
    """Mark the row that the byte at ``at`` belongs to; returns a byte behind ``at`` from which others may follow."""
    low, high = 0, len(rows)
    while low < high:
        middle = (low + high) // 2
        if rows[middle, START] <= at:
            low = middle + 1
        else:
            high = middle
    if low > 0:
        suspects[low - 1] = 1
    return int(rows[low, START] if low < len(rows) else max(at + 1, rows[low - 1, STOP]))
