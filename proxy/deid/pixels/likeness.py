"""Compares what was read in a picture with what identifies somebody, as forgiving as a reader of pictures errs.

Letters that look alike count as one, accents and separators for nothing, and one character may be wrong, missing or
too much. Pure.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

#: what is read for each other
_ALIKE = str.maketrans("OQDILSBZG", "000115826")
#: parts shorter than this are everywhere; parts of this length and more may differ in one character
_SHORT, _FORGIVEN = 3, 4
_DATE = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
_AGE = re.compile(r"0*([0-9]{1,3}[DWMY])")


class Identifiers:
    """What identifies somebody in one instance, ready to be met again in what a reader makes of its pixels."""

    def __init__(self, values: Iterable[str]) -> None:
        """``values`` of attributes as they stand in the data set: names, numbers, dates (DA), ages (AS), places."""
        self._words: set[str] = set()
        self._needles: set[str] = set()
        for value in values:
            for said in _forms(value):
                parts = [folded(part) for part in re.split(r"[^\w]|_", said) if part]
                self._words.update(part for part in parts if len(part) > 1)
                self._needles.update(part for part in (*parts, "".join(parts)) if len(part) >= _SHORT)

    def like(self, text: str) -> bool:
        """Whether ``text`` holds one of them, or something that could be a misreading of one."""
        whole = folded(text)
        words = {folded(word) for word in re.split(r"[^\w]|_", text)}
        return not words.isdisjoint(self._words) or any(_holds(whole, needle) for needle in self._needles)


def names(text: str, identities: Iterable[str]) -> bool:
    """Whether ``text`` could be a reading of one of ``identities``, values of attributes, or hold one."""
    return Identifiers(identities).like(text)


def folded(text: str) -> str:
    """Letters and digits of ``text``, without case and accents, those that look alike as one."""
    plain = unicodedata.normalize("NFKD", text).upper()
    return "".join(letter for letter in plain if letter.isalnum()).translate(_ALIKE)


def _forms(value: str) -> Iterable[str]:
    """``value`` and, of a date or an age, how it may be written."""
    yield value
    date = _DATE.match(value.strip())
    if date:
        year, month, day = date.groups()
        for one, two in ((day, month), (month, day)):
            yield from (f"{one}{two}{year}", f"{one}{two}{year[2:]}", f"{int(one)}{int(two)}{year}")
        yield f"{year[2:]}{month}{day}"
    age = _AGE.fullmatch(value.strip())
    if age:
        yield age[1]


def _holds(text: str, needle: str) -> bool:
    if len(needle) < _FORGIVEN:
        return needle in text
    if len(text) < len(needle) - 1:
        return False
    # one error lies in one half of the needle, so that the other half stands in the text as it is
    half = len(needle) // 2
    if needle[:half] not in text and needle[half:] not in text:
        return False
    lengths = (len(needle) - 1, len(needle), len(needle) + 1)
    return any(_one_apart(text[at : at + size], needle) for size in lengths for at in range(len(text) - size + 1))


def _one_apart(one: str, other: str) -> bool:
    """Whether ``one`` becomes ``other`` by one change at most."""
    short, long = sorted((one, other), key=len)
    same = next((at for at, letter in enumerate(short) if letter != long[at]), len(short))
    return short[same + (len(short) == len(long)) :] == long[same + 1 :]
