"""A text as items (words, numbers, codes, runs) with what separates them, and what each item is by itself.

What is not known to be harmless and looks like a name (a capital letter, unknown to the vocabulary) goes. Neighbours
are `text_context`'s part. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import IntEnum

from proxy.deid.text_dates import DATE, GONE
from proxy.deid.text_names import UNIT, Names
from proxy.deid.text_runs import Runs
from proxy.deid.text_scripts import CASED, HALF_WIDTH, HANGUL, MARKS, POINTED, THAI, UNSPACED, key
from proxy.deid.text_terms import Vocabulary

_ITEM = re.compile(
    f"(?P<chunk>[{CASED}0-9][{CASED}{MARKS}0-9]*(?:(?<=[0-9])[.,](?=[0-9])[{CASED}{MARKS}0-9]+)*)"
    f"|(?P<run>[{UNSPACED}]+|[{HALF_WIDTH}]+|[{HANGUL}]+|[{THAI}]+)|(?P<pointed>[{POINTED}][{POINTED}{MARKS}]*)"
    f"|(?P<sign>[{GONE}{DATE}])"
)
_CAMEL = re.compile(f"[^{CASED}]+|(?:(?![a-zß-ÿ])[{CASED}])?[a-zß-öø-ÿ]+|[A-ZÀ-ÖØ-Þ]+(?![a-zß-ÿ])")
_VOWEL = re.compile("[aeiouyäöüàâéèêëîïôûùœæøåáíóúаеёиоуыэюяіїєαεηιουωάέήίόύώ]", re.IGNORECASE)
_NUMBER = re.compile(r"([0-9]+)(?:[.,]([0-9]+))?")
_MEASURE = re.compile(f"([0-9]{{1,6}}(?:[.,][0-9]{{1,4}})?)([{CASED}]{{1,8}})")
#: prefixes of the values that a sequence is set to (b1000, TE90, FOV256)
SETTINGS = frozenset(
    {
        "b",
        "te",
        "tr",
        "ti",
        "td",
        "fa",
        "fov",
        "dfov",
        "sfov",
        "sp",
        "sl",
        "st",
        "bvalue",
        "bval",
        "etl",
        "matrix",
        "mx",
        "venc",
    }
    | {"jpeg", "kv", "kvp", "ma", "mas", "hu", "ww", "wl", "wc", "ms", "mm", "hz", "khz", "x"}
)
_ARTICLES = ("وال", "ال", "و", "ب", "ل", "ה", "ו", "ב", "ל", "מ", "ש", "כ")
#: as numbers of segments, nerves, grades and types
_ROMAN = re.compile("(?:X{0,2}(?:IX|IV|V?I{0,3}))[abcABC]?")
_LONGEST_WORD, _LONGEST_CODE, _CODE_DIGITS, _YEARS = 40, 20, 6, range(1900, 2040)
_MOST_CACHED = 100_000


class Is(IntEnum):
    """What an item is. Those from `NAME` on go."""

    TERM = 0
    #: lower case, or an abbreviation without vowels
    PLAIN = 1
    NUMBER = 2
    DATE = 3
    #: one or two capitals: an abbreviation, or initials
    SHORT = 4
    #: a term that is a surname as well
    EPONYM = 5
    TITLE = 6
    #: part of what identifies
    NAME = 7
    #: looks like a name and is not in the vocabulary
    UNKNOWN = 8
    #: a number or code that could identify
    CODE = 9
    #: what a pattern took away already
    GONE = 10


@dataclass(slots=True)
class Item:
    """One piece of text; ``before`` is what separates it from the item in front."""

    before: str = field(repr=False)
    text: str = field(repr=False)
    key: str = field(repr=False)
    kind: Is

    @property
    def stays(self) -> bool:
        """Whether it is in the output."""
        return self.kind < Is.NAME


class Tokens:
    """Judges the items of one instance's texts."""

    def __init__(self, vocabulary: Vocabulary, names: Names, *, years: frozenset[int], keep_years: bool) -> None:
        """``years``: those that vanish although ``keep_years``."""
        self._vocabulary, self._names, self._runs = vocabulary, names, Runs(vocabulary, names)
        self._years, self._keep_years = years, keep_years
        self._cache: dict[str, tuple[str, Is]] = {}

    def split(self, text: str) -> tuple[list[Item], str]:
        """The items of ``text`` and what stands behind the last."""
        items: list[Item] = []
        at = 0
        for match in _ITEM.finditer(text):
            before, at = text[at : match.start()], match.end()
            group, piece = match.lastgroup, match[0]
            if group == "run":
                for place, (part, kept) in enumerate(self._runs.pieces(piece)):
                    items.append(Item("" if place else before, part, "", Is.TERM if kept else Is.CODE))
            elif group == "sign":
                items.append(Item(before, piece, "", Is.DATE if piece == DATE else Is.GONE))
            else:
                items.append(Item(before, piece, *self._judged(piece, group == "pointed")))
        return items, text[at:]

    def _judged(self, piece: str, pointed: bool) -> tuple[str, Is]:
        found = self._cache.get(piece)
        if found is None:
            word_key = key(piece)
            found = (word_key, self._pointed(piece, word_key) if pointed else self._chunk(piece, word_key))
            if len(self._cache) < _MOST_CACHED:
                self._cache[piece] = found
        return found

    def _chunk(self, piece: str, word_key: str) -> Is:
        if piece.isalpha() or not any(c.isdigit() for c in piece):
            return self.word(piece, word_key)
        number = _NUMBER.fullmatch(piece)
        return self._number(number) if number else self._code(piece, word_key)

    def word(self, word: str, word_key: str) -> Is:
        """A word by itself."""
        if self._names.is_name(word, word_key):
            return Is.NAME
        small = word == word.lower()
        if word_key in self._vocabulary.titles:
            return Is.TITLE
        if word_key in self._vocabulary.eponyms:
            return Is.TERM if small and word_key not in self._vocabulary.only_names else Is.EPONYM
        if self._vocabulary.knows(word_key) or self._joined_terms(word):
            return Is.TERM
        if self._names.resembles(word, word_key):
            return Is.NAME
        if len(word) > 1 and _ROMAN.fullmatch(word):
            return Is.PLAIN
        if len(word) > _LONGEST_WORD:
            return Is.UNKNOWN
        if small:
            return Is.PLAIN
        if len(word) <= 2 or (len(word) <= 5 and word.isupper() and not _VOWEL.search(word)):
            return Is.SHORT
        return Is.UNKNOWN

    def _joined_terms(self, word: str) -> bool:
        """Terms written together with capitals in between (HeadNeck, AxFlair)."""
        if len(word) > _LONGEST_WORD or word.isupper() or word[1:].islower() or word.islower():
            return False
        parts = _CAMEL.findall(word)
        return "".join(parts) == word and all(len(p) > 1 and key(p) in self._vocabulary.terms for p in parts)

    def _number(self, number: re.Match[str]) -> Is:
        whole, fraction = number[1], number[2]
        if len(whole) > 4 or len(fraction or "") > (6 if len(whole) <= 2 else 4):
            return Is.CODE
        if fraction is None and len(whole) == 4 and int(whole) in _YEARS:
            return Is.NUMBER if self._keep_years and int(whole) not in self._years else Is.CODE
        return Is.NUMBER

    def _code(self, piece: str, word_key: str) -> Is:
        """Letters and digits in one: a measure (5mm), a setting (b1000), the name of a sequence (ep2d, T2W, B30f)."""
        units = UNIT.findall(piece)
        if len(piece) > _LONGEST_CODE or any(self._names.is_name(unit, key(unit)) for unit in units):
            return Is.CODE if len(piece) > _LONGEST_CODE else Is.NAME
        measure = _MEASURE.fullmatch(piece)
        if measure and (len(measure[2]) <= 3 or self._vocabulary.knows(key(measure[2]))):
            return Is.NUMBER if len(measure[1]) <= 4 or self._is_unit(measure[2]) else Is.CODE
        figures = [unit for unit in units if unit.isdigit()]
        letters = [unit for unit in units if not unit.isdigit()]
        if not letters:  # a list (255,128,0) or a version (1.2.3)
            listed = "." not in piece and max(map(len, figures)) <= 4
            return Is.NUMBER if listed or sum(map(len, figures)) <= _CODE_DIGITS else Is.CODE
        least = 5 if key(letters[0]) in SETTINGS and len(units) <= 3 else 3
        if max(map(len, figures)) > least or sum(map(len, figures)) > _CODE_DIGITS:
            return Is.CODE
        plain = all(len(u) <= 2 or self.word(u, key(u)) in (Is.TERM, Is.PLAIN, Is.SHORT, Is.EPONYM) for u in letters)
        return Is.NUMBER if plain else Is.UNKNOWN

    def _is_unit(self, letters: str) -> bool:
        return key(letters) in SETTINGS or letters in ("s", "ml", "mg", "g", "cm", "m", "kg", "MBq", "mSv", "mGy")

    def _pointed(self, word: str, word_key: str) -> Is:
        if self._names.is_name(word, word_key) or self._names.resembles(word, word_key):
            return Is.NAME
        bare = [
            word_key,
            *(word_key[len(a) :] for a in _ARTICLES if word_key.startswith(a) and len(word_key) > len(a) + 1),
        ]
        terms = self._vocabulary.terms
        return Is.TERM if any(form in terms for form in bare) else Is.UNKNOWN
