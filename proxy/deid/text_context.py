"""What an item is beside its neighbours: titles, surnames that are terms, initials, numbers behind cue words.

One table of rules, applied in order, each a single sweep over the items; an item only ever goes, none comes back. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise

from proxy.deid.text_names import STARTS, UNIT, Names
from proxy.deid.text_scripts import key
from proxy.deid.text_terms import Vocabulary
from proxy.deid.text_tokens import SETTINGS, Is, Item

_NEAR = re.compile(r"[ .,^_'’/-]{0,3}")
_CUED = re.compile(r"[\s:#.=/№º°(-]{0,4}")
_POSSESSIVE = ("'", "’")
#: words between a title and the name
_HONOURS = frozenset({"med", "habil", "phil", "dent", "univ", "rer", "nat", "dipl", "ing", "hc", "mult", "priv", "doz"})
_PARTICLES = frozenset(
    {
        "von",
        "van",
        "der",
        "den",
        "del",
        "de",
        "la",
        "le",
        "di",
        "da",
        "do",
        "dos",
        "das",
        "du",
        "el",
        "al",
        "bin",
        "ibn",
        "ben",
    }
    | {"zu", "zum", "zur", "ter", "ten", "und", "y", "e", "af", "av", "geb", "nee", "born"}
)
_LINKS = frozenset({"de", "von", "nach", "di", "da", "of", "des", "du", "del", "la", "του", "της", "по"})
_PERSONAL = (Is.NAME, Is.UNKNOWN)
_CUE_DIGITS, _PLACE_DIGITS, _MOST_UNITS = 3, 4, 16
_UNITS_AFTER = frozenset(
    {"ms", "s", "sec", "mm", "cm", "hz", "khz", "ml", "mg", "mcg", "kg", "g", "hu", "iu", "mbq", "bq", "x", "px", "w"}
    | {"kv", "ma", "mas", "gy", "cgy"}
)


class Context:
    """The rules for one instance."""

    def __init__(self, vocabulary: Vocabulary, names: Names) -> None:
        self._vocabulary, self._names = vocabulary, names
        self._rules: tuple[Callable[[Sequence[Item]], None], ...] = (
            self._settings,
            self._joined,
            self._cues,
            self._surnames,
            self._titles,
            self._eponyms,
            self._initials,
            self._eponyms,
            self._initials,
            self._particles,
            self._possessives,
            self._postal,
        )

    def apply(self, items: Sequence[Item]) -> None:
        """Changes the kinds of ``items``."""
        for rule in self._rules:
            rule(items)

    def _settings(self, items: Sequence[Item]) -> None:
        """A long number or one like a year is a measure where its unit or its setting stands beside it (TR 2000 ms)."""
        for place, item in enumerate(items):
            if item.kind is not Is.CODE or not item.text.isdigit() or len(item.text) > 6:
                continue
            after = items[place + 1] if place + 1 < len(items) else None
            before = items[place - 1] if place else None
            measured = after is not None and after.before in ("", " ") and after.key in _UNITS_AFTER
            set_to = (
                before is not None and before.key in SETTINGS and item.before in ("", " ", "=", ":", ": ", " = ", "_")
            )
            if (measured and len(item.text) <= 5) or (set_to and len(item.text) <= 4):
                item.kind = Is.NUMBER

    def _joined(self, items: Sequence[Item]) -> None:
        """Units that together are an identifier, whatever separates them."""
        if not self._names.joined:
            return
        units: list[tuple[str, int]] = []
        for place, item in enumerate(items):
            if item.text and item.key:
                units += [(key(unit), place) for unit in UNIT.findall(item.text)]
        for start in range(len(units)):
            text = ""
            for stop in range(start, min(start + _MOST_UNITS, len(units))):
                text += units[stop][0]
                if len(text) >= STARTS and text[:STARTS] not in self._names.starts:
                    break
                if len(text) > self._names.longest:
                    break
                if text in self._names.joined:
                    for _, place in units[start : stop + 1]:
                        items[place].kind = Is.NAME

    def _cues(self, items: Sequence[Item]) -> None:
        for cue, item in pairwise(items):
            if (
                cue.key in self._vocabulary.cues
                and item.kind in (Is.NUMBER, Is.SHORT, Is.PLAIN)
                and _CUED.fullmatch(item.before)
            ):
                digits = sum(c.isdigit() for c in item.text)
                if digits >= _CUE_DIGITS or (digits and len(item.text) > _PLACE_DIGITS):
                    item.kind = Is.CODE

    def _surnames(self, items: Sequence[Item]) -> None:
        """Smith, Brown: terms in Smith fracture and Brown tumour alone."""
        for place, item in enumerate(items):
            surname = item.kind is Is.EPONYM and item.key in self._vocabulary.surnames
            if surname and not (self._anchored(items, place) or self._anchors_behind(items, place)):
                item.kind = Is.UNKNOWN

    def _anchors_behind(self, items: Sequence[Item], place: int) -> bool:
        """A word for a disease behind, at most a letter (Weber B fracture), an 's or another eponym in between."""
        for item in items[place + 1 : place + 4]:
            if not item.stays or not _NEAR.fullmatch(item.before) or "," in item.before:
                return False
            if item.key in self._vocabulary.anchors:
                return True
            if len(item.text) > 1 and item.kind is not Is.EPONYM:
                return False
        return False

    def _titles(self, items: Sequence[Item]) -> None:
        place = 0
        while place < len(items):
            start = place
            if items[place].kind is Is.TITLE:
                place = self._after_titles(items, place)
                self._titled(items, start, place)
            place = max(place, start + 1)

    def _after_titles(self, items: Sequence[Item], place: int) -> int:
        """Where the chain of titles and honours that begins at ``place`` is over (Prof. Dr. med.)."""
        at = place + 1
        while at < len(items) and _NEAR.fullmatch(items[at].before):
            if items[at].kind is not Is.TITLE and items[at].key not in _HONOURS:
                break
            at += 1
        return at

    def _titled(self, items: Sequence[Item], start: int, at: int) -> None:
        """The name behind the titles from ``start`` to ``at`` goes, and they with it."""
        if at >= len(items) or not _NEAR.fullmatch(items[at].before):
            return
        name = items[at]
        if name.stays and not self._is_titled(items[at - 1], name):
            return
        if not name.stays and name.kind not in _PERSONAL:
            return
        for item in items[start : at + 1]:
            item.kind = Is.NAME
        after = items[at + 1] if at + 1 < len(items) else None
        if after is not None and after.before in (" ", "-", "^") and after.kind in (Is.EPONYM, Is.SHORT):
            after.kind = Is.NAME

    def _is_titled(self, title: Item, name: Item) -> bool:
        """Whether a word that would stay is the name that belongs to ``title``."""
        if name.kind in (Is.NUMBER, Is.DATE):
            return False
        if name.text == name.text.lower():
            return name.kind is Is.PLAIN and len(name.text) > 2
        if title.key in self._vocabulary.ambiguous_titles and title.text.isupper() and "." not in name.before:
            return name.kind is Is.EPONYM
        return True

    def _eponyms(self, items: Sequence[Item]) -> None:
        """A term that is a surname as well goes with the name beside it."""
        for order in (1, -1):
            places = range(len(items)) if order > 0 else range(len(items) - 1, -1, -1)
            for place in places:
                if (
                    items[place].kind is Is.EPONYM
                    and any(_personal_beside(items, place, side) for side in (-1, 1))
                    and not self._anchored(items, place)
                ):
                    items[place].kind = Is.NAME

    def _anchored(self, items: Sequence[Item], place: int) -> bool:
        """A word for a disease right in front (Morbus Crohn, maladie de Crohn); one behind may follow John Brown."""
        at = place - 1
        if at > 0 and items[at].key in _LINKS:
            at -= 1
        return at >= 0 and items[at].stays and items[at].key in self._vocabulary.anchors

    def _initials(self, items: Sequence[Item]) -> None:
        """Capitals beside a name."""
        for order in (1, -1):
            places = range(len(items)) if order > 0 else range(len(items) - 1, -1, -1)
            for place in places:
                item = items[place]
                alone = len(item.text) == 1 and item.text.isalpha() and item.text.isupper()
                if (item.kind is Is.SHORT or (alone and item.stays)) and any(
                    _personal_beside(items, place, side) for side in (-1, 1)
                ):
                    item.kind = Is.NAME

    def _particles(self, items: Sequence[Item]) -> None:
        """von, de la between two parts of a name, or behind a title that went."""
        place = 0
        while place < len(items):
            start = place
            while place < len(items) and items[place].stays and items[place].key in _PARTICLES:
                place += 1
            inside = 0 < start < place < len(items)
            if inside and items[start - 1].kind in _PERSONAL and items[place].kind in _PERSONAL:
                for item in items[start:place]:
                    item.kind = Is.NAME
            place = max(place, start + 1)

    def _possessives(self, items: Sequence[Item]) -> None:
        for owner, item in pairwise(items):
            if owner.kind in _PERSONAL and item.before in _POSSESSIVE and len(item.text) <= 2:
                item.kind = Is.NAME

    def _postal(self, items: Sequence[Item]) -> None:
        """Four figures beside a name are a postal code or a house."""
        for place, item in enumerate(items):
            if (
                item.kind is Is.NUMBER
                and item.text.isdigit()
                and len(item.text) >= _PLACE_DIGITS
                and any(_personal_beside(items, place, side) for side in (-1, 1))
            ):
                item.kind = Is.CODE


def _personal_beside(items: Sequence[Item], place: int, side: int) -> bool:
    other = place + side
    if not 0 <= other < len(items) or items[other].kind not in _PERSONAL:
        return False
    return _NEAR.fullmatch(items[max(place, other)].before) is not None
