"""Free text cleaned of identity (PS3.15 E.3.5, Clean Descriptors): clinical words stay, identity goes.

Works on decoded text, one value at a time. Shares no code with the gate (identifiers.py, search.py, repertoire.py),
which judges the result. What cannot be judged is emptied and says so. Pure: no I/O, clock, globals, logging.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from proxy.deid.text_terms import Vocabulary


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
        self._vocabulary, self._identity, self._offset = vocabulary, identity, offset
        self._dictionary, self._keep_dates = tuple(dictionary), keep_dates

    def clean(self, text: str, limit: int) -> Cleaned:
        """``text`` without identity, never longer than ``limit`` characters."""
        return Cleaned("", 0, 0, judged=not text and limit >= 0)
