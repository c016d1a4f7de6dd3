"""What one instance, and the project's dictionary, say about people and places, ready to be met again in its texts.

Names by word, by initials, joined and inflected, in another script; numbers with any separators; whole addresses. A
collection of its own: the gate's (identifiers.py, search.py) is another, so that no mistake passes both. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import permutations

from proxy.deid.text_scripts import (
    CASED,
    HALF_WIDTH,
    HANGUL,
    MARKS,
    POINTED,
    THAI,
    UNSPACED,
    key,
    one_to_one,
    sounds,
)
from proxy.deid.text_terms import Vocabulary

#: letters, digits, or a run of a script without spaces: what is compared as one piece
UNIT = re.compile(f"[{CASED}{POINTED}][{CASED}{POINTED}{MARKS}]*|[0-9]+|[{UNSPACED}{HALF_WIDTH}{HANGUL}{THAI}]+")
_RUN = re.compile(f"[{UNSPACED}{HALF_WIDTH}{HANGUL}{THAI}]+")
#: what stands for a name that is not said
_UNSAID = frozenset({"anonymous", "anonymized", "anonymised", "anon", "unknown", "none", "removed"})
#: words beside others in a name that name nobody; alone they do (Sen, Van, Le)
_NOBODY = _UNSAID | frozenset(
    {"von", "van", "der", "den", "del", "los", "las", "the", "and", "dr", "prof", "med", "mr", "mrs", "ms", "miss"}
    | {"sir", "sen", "phd", "for", "de", "di", "da", "du", "do", "la", "le", "el", "al", "zu", "af", "av", "st", "jr"}
    | {"sr", "md", "ii", "iv"}
)
_LEAST_WORD, _LEAST_NUMBER, _LEAST_PLACE, _LEAST_STEM, _LONGEST = 3, 4, 4, 4, 128
_LEAST_INSIDE = 5
_INFLECTION = 5  # letters that grammar may add to the stem of a name
_MOST_WORDS = 6  # of one name: orders are tried for so many
STARTS = 3


class Names:
    """Built once for an instance; then asked about words. Holds PHI: no repr."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self.words: set[str] = set()
        #: two letters: a name only where they are written as one, Li or LI
        self.short: set[str] = set()
        #: letters that a patient's initials could be
        self.initials: set[str] = set()
        #: two or more units written together, under their keys
        self.joined: set[str] = set()
        #: the same in a script without spaces
        self.unspaced: set[str] = set()
        self._stems: set[str] = set()
        self._long: set[str] = set()
        self._latin: set[str] = set()
        self._foreign: set[str] = set()
        self._heard: dict[bool, frozenset[str]] = {}

    def __repr__(self) -> str:
        return "Names(<phi>)"

    def seal(self) -> None:
        """Computes what the look-ups need; nothing is added afterwards."""
        self.starts = frozenset(word[:STARTS] for word in self.joined)
        self.longest = max(map(len, self.joined), default=0)
        self.runs = sorted({len(word) for word in self.unspaced}, reverse=True)
        self._stem_lengths = sorted({len(stem) for stem in self._stems})
        self._long_lengths = sorted({len(word) for word in self._long})

    def is_name(self, word: str, word_key: str) -> bool:
        """A word of a name or place, whatever the vocabulary says of it."""
        if word_key in self.words or (word_key in self.short and word[:1].isupper()):
            return True
        others = self._foreign if word_key.isascii() else self._latin
        return bool(others) and not sounds(word_key).isdisjoint(self._sounds(word_key.isascii()))

    def _sounds(self, foreign: bool) -> frozenset[str]:
        """How the names of other scripts sound, or those in Latin letters; computed when first asked."""
        if foreign not in self._heard:
            words = self._foreign if foreign else self._latin
            self._heard[foreign] = frozenset(s for word in words for s in sounds(word) if len(s) >= _LEAST_WORD)
        return self._heard[foreign]

    def resembles(self, word: str, word_key: str) -> bool:
        """Inflected, within a longer word, or initials; only asked about words that are not in the vocabulary."""
        if word_key in self.initials and word.isupper():
            return True
        for length in self._stem_lengths:
            if len(word_key) - length <= _INFLECTION and word_key[:length] in self._stems:
                return True
        for length in self._long_lengths:
            if any(word_key[at : at + length] in self._long for at in range(len(word_key) - length + 1)):
                return True
        return False

    def add_person(self, value: str) -> None:
        """A PN value (PS3.5 6.2.1), or a name as it is spoken."""
        for group in re.split(r"[\\=]", value):
            components = [re.sub(r"[\s\0]+", " ", c).strip() for c in group.split("^")]
            words = [word for component in components for word in UNIT.findall(component) if not word[0].isdigit()]
            for word in words:
                self._add_word(word, alone=word in components[:2])
            self._add_orders([word for word in words if key(word) not in _NOBODY][:_MOST_WORDS])
            for component in components:
                self._add_joined(component, _LEAST_WORD)
            self._add_run("".join(components[:2]))
            self._add_run("".join(components[1::-1]))

    def add_number(self, value: str) -> None:
        """An identifier, whatever separates its parts."""
        for part in value.split("\\"):
            plain = part.strip(" \0")
            if len(plain) < _LEAST_NUMBER:
                continue
            compact = key(re.sub(r"[\W_]+", "", plain))
            self.joined.update({compact[:_LONGEST], compact.lstrip("0")} - {""})
            self._add_run(plain)
            for unit in UNIT.findall(plain):
                if unit.isdigit() and len(unit) >= _LEAST_NUMBER:
                    self.joined.update({unit, unit.lstrip("0")} - {""})
                elif not unit.isdigit() and not self._vocabulary.knows(key(unit)):
                    self._add_word(unit)

    def add_place(self, value: str) -> None:
        """An institution, address or station: as a whole, and each of its words that is no term."""
        for part in value.split("\\"):
            self._add_joined(part, _LEAST_PLACE)
            self._add_run(part.strip(" \0"))
            for unit in UNIT.findall(part):
                word = key(unit)
                if unit.isdigit():
                    self.joined.update({unit} if len(unit) >= _LEAST_NUMBER else ())
                elif _RUN.fullmatch(unit):
                    self._add_run(unit)
                elif len(word) > 2 and (word in self._vocabulary.eponyms or not self._vocabulary.knows(word)):
                    self._add_word(unit)

    def add_date(self, value: str) -> None:
        """A DA value, as figures in any order; forms with month names are `text_dates`' part."""
        if re.fullmatch("[0-9]{8}", value):
            y, m, d = value[:4], value[4:6], value[6:]
            for month, day in ((m, d), (m.lstrip("0"), d.lstrip("0"))):
                self.joined.update({y + month + day, day + month + y, month + day + y})
            self.joined.update({y[2:] + m + d, d + m + y[2:], m + d + y[2:]})

    def _add_word(self, word: str, *, alone: bool = False) -> None:
        if _RUN.fullmatch(word):
            self._add_run(word)
            return
        plain = key(word)
        if plain in (_UNSAID if alone else _NOBODY) or len(word) < 2:
            return
        if len(word) < _LEAST_WORD:
            self.short.add(plain)
            return
        self.words.add(plain)
        if len(plain) >= _LEAST_INSIDE:
            self._stems.add(plain[:-2] if len(plain) > _LEAST_INSIDE else plain[:-1])
            self._long.add(plain)
        (self._latin if plain.isascii() else self._foreign).add(plain)

    def _add_run(self, text: str) -> None:
        plain = one_to_one(re.sub(r"\s", "", text))
        if len(plain) >= 2 and _RUN.search(plain):
            self.unspaced.add(plain)
            self._foreign.add(plain)

    def _add_joined(self, text: str, least: int) -> None:
        units = UNIT.findall(text)
        compact = "".join(map(key, units))
        if len(compact) >= least and (len(units) > 1 or compact not in _NOBODY):
            self.joined.add(compact[:_LONGEST])

    def _add_orders(self, words: list[str]) -> None:
        """Two words of a name as one, a name with the initial of another, and initials alone."""
        keys = [key(word) for word in words]
        for first, second in permutations(keys, 2):
            self.joined.update(
                part for part in (first + second, first[:1] + second, first + second[:1]) if len(part) > 3
            )
        firsts = "".join(word[:1] for word in keys)
        if 2 <= len(firsts) <= 4:
            self.initials.update(
                {firsts, firsts[1:] + firsts[:1], firsts[-1:] + firsts[:-1], firsts[:2], firsts[1::-1]}
            )


def collect_names(
    vocabulary: Vocabulary,
    people: Iterable[str],
    numbers: Iterable[str],
    places: Iterable[str],
    dates: Iterable[str],
) -> Names:
    """Everything of one instance and its project."""
    names = Names(vocabulary)
    for values, add in (
        (people, names.add_person),
        (numbers, names.add_number),
        (places, names.add_place),
        (dates, names.add_date),
    ):
        for value in values:
            add(value)
    names.seal()
    return names
