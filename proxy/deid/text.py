"""Free text cleaned of identity (PS3.15 E.3.5, Clean Descriptors): clinical words stay, identity goes.

Works on decoded text, one value at a time. Shares no code with the gate (identifiers.py, search.py, repertoire.py),
which judges the result. What cannot be judged is emptied and says so. Pure: no I/O, clock, globals, logging.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field

from proxy.deid.text_context import Context
from proxy.deid.text_dates import DATE, GONE, Dates
from proxy.deid.text_join import join
from proxy.deid.text_names import collect_names
from proxy.deid.text_patterns import blank
from proxy.deid.text_scripts import judgeable, visible
from proxy.deid.text_terms import Vocabulary
from proxy.deid.text_tokens import Is, Tokens

#: what goes may bring new neighbours together; a text that is not at rest after so many passes is not judged
_PASSES = 12
_WORDS = (Is.TERM, Is.PLAIN, Is.SHORT, Is.EPONYM, Is.TITLE)


@dataclass(frozen=True, slots=True)
class Identity:
    """What this instance says about people and places, decoded. It is PHI: no value has a repr."""

    #: every PN value, with ^ and = as decoded (PS3.5 6.2.1)
    names: tuple[str, ...] = field(default=(), repr=False)
    #: patient IDs, accession numbers, other IDs, telephone
    numbers: tuple[str, ...] = field(default=(), repr=False)
    #: institutions, addresses, station names
    places: tuple[str, ...] = field(default=(), repr=False)
    #: YYYYMMDD of dates that vanish whatever the profile does with dates in text: the birth date above all
    dates: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A cleaned text. ``judged`` False: nothing could be said about the text, so ``text`` is empty."""

    text: str = field(repr=False)
    removed: int
    kept_words: int
    judged: bool


_UNJUDGED = Cleaned("", 0, 0, judged=False)


class TextCleaner:
    """Cleans the texts of one instance. ``offset``: whole days to add to dates in text, None removes them."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        identity: Identity,
        *,
        offset: int | None,
        dictionary: Sequence[str] = (),
        keep_dates: bool = False,
    ) -> None:
        """``dictionary``: names that the project knows. ``keep_dates``: dates stay but for those of ``identity``."""
        people = (*identity.names, *dictionary)
        names = collect_names(vocabulary, people, identity.numbers, identity.places, identity.dates)
        self._dates = Dates(vocabulary.months, identity.dates, offset, keep_dates)
        self._tokens = Tokens(vocabulary, names, years=self._dates.years, keep_years=keep_dates)
        self._context = Context(vocabulary, names)
        self._times = not keep_dates

    def clean(self, text: str, limit: int) -> Cleaned:
        """``text`` without identity, never longer than ``limit`` characters. Cleaning twice is cleaning once."""
        if not judgeable(text):
            return _UNJUDGED
        work, removed, words = _ascii_digits(visible(text)), 0, 0
        dates: list[str] = []
        for number in range(_PASSES):
            work, gone, words = self._pass(work, dates if number == 0 else None)
            removed += gone
            if not gone:
                result = _with_dates(work, dates)
                return _UNJUDGED if len(result) > limit else Cleaned(result, removed, words, judged=True)
        return _UNJUDGED

    def _pass(self, text: str, dates: list[str] | None) -> tuple[str, int, int]:
        """One pass: the text, how much went, how many words stay. Dates are only moved in the first."""
        text, past = self._dates.replace(text, dates)
        text, gone = blank(text, times=self._times)
        items, tail = self._tokens.split(text)
        self._context.apply(items)
        words = sum(item.kind in _WORDS for item in items)
        others = sum(not item.stays and item.text != GONE for item in items)
        return join(items, tail), past + gone + others, words


def _ascii_digits(text: str) -> str:
    """Decimal digits of any script as 0 to 9."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(c)) if c.isdecimal() and not c.isascii() else c for c in text)


def _with_dates(text: str, dates: list[str]) -> str:
    parts = text.split(DATE)
    return "".join(part + day for part, day in zip(parts, [*dates, ""], strict=True))
