"""Texts of pictures against what an instance says of people: which may stay, and which name somebody. Pure.

A text stays only where a strict grammar knows it (scale bars, measurements, sides) and no identifier is like it; a
reader mistakes letters, so one wrong letter still is a match.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

_UNITS = "mm|cm|m/s|cm/s|mm2|cm2|mm²|cm²|ml|cc|hz|khz|mhz|db|fps|%|°|deg|ms|kv|kvp|ma|mas|mgy|hu|bpm|kpa|mmhg|x"
_NUMBER = r"[+-]?\d{1,3}(?:[.,]\d{1,2})?"
#: what scanners draw that says nothing of anybody
_GRAMMAR = re.compile(
    rf"(?:{_NUMBER}\s?(?:{_UNITS})"  # 5 cm, 12 Hz
    rf"|(?:mi|tis|tib|tic|gn|gain|dr|wl|ww|fr|d|f|p|c|2d|cf|pw)\s?[:=]?\s?{_NUMBER}\s?(?:{_UNITS})?"  # MI 1.1
    rf"|[lrahfpi]{{1,2}}|{_NUMBER})",  # sides; a number of no more than three digits
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_]+")
#: letters of a name that make it worth looking for, and of one that may be read with one letter wrong
_SHORTEST, _FUZZY = 3, 5


def is_harmless(text: str, identities: Iterable[str]) -> bool:
    """Whether ``text`` may stay in a picture of somebody whom ``identities`` name."""
    return _GRAMMAR.fullmatch(text.strip()) is not None and not names(text, identities)


def names(text: str, identities: Iterable[str]) -> bool:
    """Whether a word of one of ``identities`` stands in ``text``, alone or joined to others, a letter wrong or not."""
    said = set(_words(text))
    joined = "".join(_words(text))
    return any(_is_in(word, said, joined) for identity in identities for word in _words(identity))


def _words(text: str) -> Iterator[str]:
    plain = unicodedata.normalize("NFKD", text).casefold()
    return iter(_WORD.findall("".join(letter for letter in plain if not unicodedata.combining(letter))))


def _is_in(word: str, said: set[str], joined: str) -> bool:
    if len(word) < _SHORTEST:
        return False
    if word in said or (len(word) > _SHORTEST and word in joined):
        return True
    return len(word) >= _FUZZY and any(_nearly(word, other) for other in said)


def _nearly(one: str, other: str) -> bool:
    """Whether one letter more, less or other makes ``one`` of ``other``."""
    if abs(len(one) - len(other)) > 1:
        return False
    if len(one) > len(other):
        one, other = other, one
    at = next((index for index, letter in enumerate(one) if letter != other[index]), len(one))
    return one[at + (len(one) == len(other)) :] == other[at + 1 :]
