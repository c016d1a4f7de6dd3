"""Words for kernels: how a sieve tells them in bytes, and how it keeps apart what it knows of them.

As `identifiers.WORD` for ASCII: a run of letters, in either case, or a number with inner dots. Pure.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from proxy.deid.compiled import inlined
from proxy.deid.hashes import SEED, lowered, mixed

#: apart: hashes of words, of phrases of two words and of more, of the first words of phrases, of whole values
WORD, PAIR, TRIPLE, FIRST, VALUE = (np.uint64(salt << 56) for salt in (1, 2, 3, 4, 5))
#: bytes of the shortest byte string that is noted
LEAST_NOTED = 4
BACKSLASH, CARET, EQUALS, ESCAPE, DOT, SPACE = 92, 94, 61, 27, 46, 32
#: byte → letter, digit or neither
_LETTER, _DIGIT = 1, 2
_IS = np.array([_LETTER if chr(n).isalpha() else _DIGIT if chr(n).isdigit() else 0 for n in range(128)] + [0] * 128)


@inlined
def inner(data: Any, start: int, stop: int) -> Any:
    """Begin and end without padding."""
    while start < stop and (data[start] == SPACE or data[start] == 0):
        start += 1
    while stop > start and (data[stop - 1] == SPACE or data[stop - 1] == 0):
        stop -= 1
    return start, stop


@inlined
def hash_between(data: Any, start: int, stop: int) -> Any:
    """The hash of bytes in small letters."""
    value = SEED
    for at in range(start, stop):
        value = mixed(value, lowered(data[at]))
    return value


@inlined
def next_word(data: Any, at: int, stop: int) -> Any:
    """(begin, end, hash) of the first word from ``at``; it begins at ``stop`` where there is none."""
    while at < stop and _IS[data[at]] == 0:
        at += 1
    begin, value = at, SEED
    if at < stop and _IS[data[at]] == _LETTER:
        while at < stop and _IS[data[at]] == _LETTER:
            value = mixed(value, lowered(data[at]))
            at += 1
        return begin, at, value
    while at < stop:
        inside = data[at] == DOT and at > begin and at + 1 < stop and _IS[data[at + 1]] == _DIGIT
        if not inside and _IS[data[at]] != _DIGIT:
            break
        value = mixed(value, data[at])
        at += 1
    return begin, at, value
