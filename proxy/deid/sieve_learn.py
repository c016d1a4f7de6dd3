"""What a sieve learns of an input: the identifiers in it, as hashes of words and phrases, and as byte strings.

As `identifiers.collect` for text that is ASCII: what that would note is known here too, and a little more. A phrase is
known by its first three words. Kernels of `sieve`. Pure.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from proxy.deid.compiled import compiled, inlined
from proxy.deid.facts import BIRTH, CLASS_UID, HOLDS_AT, HOLDS_MASK, NAME, NOTHING, NUMBER, PN, UI, UID
from proxy.deid.hashes import SEED, lowered, mixed, put
from proxy.deid.rows import FACT, FORM, PLAIN, STOP, VR
from proxy.deid.rows import VALUE as VALUE_AT
from proxy.deid.sieve_words import (
    BACKSLASH,
    CARET,
    DOT,
    EQUALS,
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

#: a longer value is a document, not an identifier
_LONGEST = 4096
#: how many characters of an identifier make one: of a name, a number, a place, a UID outside UI
_NAME, _NUMBER, _PLACE, _UID = 3, 4, 6, 10
_STANDARD_ROOT = np.frombuffer(b"1.2.840.10008", np.uint8)


@inlined
def _is_in(hashes: Any, value: Any) -> bool:
    found = False
    for each in hashes:
        found |= each == value
    return found


@inlined
def _phrase(data: Any, start: int, stop: int, least: int, nobody: Any, marks: Any) -> None:
    """Words that identify together; a single one that names nobody does not."""
    count, length, first, pair, triple = 0, 0, SEED, SEED, SEED
    begin, end, value = next_word(data, start, stop)
    while begin < stop:
        count, length = count + 1, length + end - begin
        if count == 1:
            first = value
        elif count == 2:
            pair = mixed(first, value)
        elif count == 3:
            triple = mixed(pair, value)
        begin, end, value = next_word(data, end, stop)
    if length < least or (count == 1 and _is_in(nobody, first)):
        return
    if count == 1:
        put(marks, first ^ WORD)
        return
    put(marks, first ^ FIRST)
    put(marks, pair ^ PAIR if count == 2 else triple ^ TRIPLE)


@inlined
def _needle(data: Any, start: int, stop: int, nobody: Any, text: Any, starts: Any, count: int) -> Any:
    """Note a value as a byte string; returns how many there are."""
    if stop - start < LEAST_NOTED or _is_in(nobody, hash_between(data, start, stop)):
        return count
    to = starts[count]
    for at in range(start, stop):
        text[to] = lowered(data[at])
        to += 1
    starts[count + 1] = to
    return count + 1


@inlined
def _component(data: Any, start: int, stop: int, nobody: Any, marks: Any) -> Any:
    """One component of a name, and each of its words; (letters that name somebody, longest such word, its hash)."""
    _phrase(data, start, stop, _NAME, nobody, marks)
    letters, longest, which = 0, 0, SEED
    begin, end, value = next_word(data, start, stop)
    while begin < stop:
        if not _is_in(nobody, value):
            letters += end - begin
            if end - begin >= _NAME:
                put(marks, value ^ WORD)
            if end - begin > longest:
                longest, which = end - begin, value
        begin, end, value = next_word(data, end, stop)
    return letters, longest, which


@inlined
def _names(data: Any, start: int, stop: int, nobody: Any, marks: Any, text: Any, starts: Any, count: int) -> Any:
    """PS3.5 6.2.1. Where all words of a name have to be there, the longest of them has to."""
    letters, longest, which, begin = 0, 0, SEED, start
    for at in range(start, stop + 1):
        if at < stop and data[at] != BACKSLASH and data[at] != CARET and data[at] != EQUALS:
            continue
        first, last = inner(data, begin, at)
        more, length, value = _component(data, first, last, nobody, marks)
        count = _needle(data, first, last, nobody, text, starts, count)
        letters, begin = letters + more, at + 1
        if length > longest:
            longest, which = length, value
        if at == stop or data[at] != CARET:
            if letters >= _NAME:
                put(marks, which ^ WORD)
            letters, longest, which = 0, 0, SEED
    return count


@inlined
def _is_standard(data: Any, start: int, stop: int) -> bool:
    size = len(_STANDARD_ROOT)
    if stop - start < size:
        return False
    for at in range(size):
        if data[start + at] != _STANDARD_ROOT[at]:
            return False
    return stop - start == size or data[start + size] == DOT


@inlined
def _uid(data: Any, start: int, stop: int, marks: Any) -> bool:
    """A UID that is not the standard's, as a whole value; whether it is long enough to count anywhere."""
    if start == stop or _is_standard(data, start, stop):
        return False
    put(marks, hash_between(data, start, stop) ^ VALUE)
    return stop - start >= _UID


@inlined
def _values(
    data: Any, start: int, stop: int, holds: int, nobody: Any, marks: Any, text: Any, starts: Any, count: int
) -> Any:
    """Numbers, places and UIDs: each of the values by itself."""
    begin = start
    for at in range(start, stop + 1):
        if at < stop and data[at] != BACKSLASH:
            continue
        first, last = inner(data, begin, at)
        begin = at + 1
        if holds == UID:
            if _uid(data, first, last, marks):
                count = _needle(data, first, last, nobody, text, starts, count)
            continue
        _phrase(data, first, last, _NUMBER if holds == NUMBER else _PLACE, nobody, marks)
        if holds == NUMBER and last - first >= _NUMBER:
            put(marks, hash_between(data, first, last) ^ VALUE)
        count = _needle(data, first, last, nobody, text, starts, count)
    return count


@compiled
def candidates(data: Any, rows: Any, picked: Any) -> Any:
    """Rows that hold identifiers → ``picked`` (row, what it holds: negative where it is not plain ASCII).

    (how many, whether one is negative, bytes of all).
    """
    count, odd, total = 0, False, 0
    for row in range(len(rows)):
        start, stop = rows[row, VALUE_AT], rows[row, STOP]
        if rows[row, FORM] != PLAIN or not 0 < stop - start <= _LONGEST:
            continue
        holds, vr = rows[row, FACT] >> HOLDS_AT & HOLDS_MASK, rows[row, VR]
        if vr == UI:
            holds = NOTHING if holds == CLASS_UID else UID
        elif vr == PN:
            holds = NAME
        if holds in (NOTHING, CLASS_UID):
            continue
        for at in range(start, stop):
            if data[at] > 127 or data[at] == ESCAPE:
                holds, odd = -abs(holds), True
        picked[count, 0], picked[count, 1] = row, holds
        count, total = count + 1, total + stop - start
    return count, odd, total


@compiled
def learn(data: Any, rows: Any, picked: Any, uids: bool, nobody: Any, marks: Any, text: Any, starts: Any) -> Any:
    """Take in what was picked, but for birth dates and what is not plain; returns how many byte strings there are.

    ``starts[0]`` is 0; ``text[starts[n]:starts[n + 1]]`` will be byte string n.
    """
    count = 0
    for which in range(len(picked)):
        row, holds = picked[which, 0], picked[which, 1]
        start, stop = rows[row, VALUE_AT], rows[row, STOP]
        if holds == NAME:
            count = _names(data, start, stop, nobody, marks, text, starts, count)
        elif holds > 0 and holds != BIRTH and (uids or holds != UID):
            count = _values(data, start, stop, holds, nobody, marks, text, starts, count)
    return count


@compiled
def learn_phrases(data: Any, nobody: Any, marks: Any) -> None:
    """Phrases that somebody else has made, each with a NUL behind it, and each as a whole value too."""
    start = 0
    for at in range(len(data)):
        if data[at] == 0:
            _phrase(data, start, at, 1, nobody, marks)
            put(marks, hash_between(data, start, at) ^ VALUE)
            start = at + 1
