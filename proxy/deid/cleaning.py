"""What cleans the texts of one instance: made when the first text is to be cleaned, from what the instance itself says.

Two questions: a text without identity (`TextCleaner`), and whether a short name of a thing (an application entity, a
code string) names a person or a place. Holds PHI; lives as long as the walk. Pure.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from proxy.deid.identity import identity_of
from proxy.deid.level import Level
from proxy.deid.place import Subject
from proxy.deid.profile import Policy
from proxy.deid.text import Cleaned, TextCleaner

_WORD = re.compile(r"[^\W_]+")
#: how long a word must be to give somebody away inside a longer one
_NAME, _NUMBER, _PLACE = 3, 4, 4


class Cleaning:
    """The cleaners of one instance."""

    def __init__(self, root: Level, policy: Policy, subject: Subject) -> None:
        self._root, self._policy, self._subject = root, policy, subject
        self._texts: TextCleaner | None = None
        self._words: frozenset[str] | None = None

    def __repr__(self) -> str:
        return "Cleaning(<phi>)"

    def clean(self, text: str, limit: int) -> Cleaned:
        """See `TextCleaner.clean`."""
        if self._texts is None:
            policy = self._policy
            self._texts = TextCleaner(
                policy.vocabulary,
                identity_of(self._root, policy.vrs),
                offset=self._subject.offset if policy.moves else None,
                dictionary=policy.names,
                keep_dates=policy.longitudinal == "UNMODIFIED",
            )
        return self._texts.clean(text, limit)

    def identifies(self, text: str) -> bool:
        """Whether a name of a thing holds a name, number or place of this instance that no option retains."""
        if self._words is None:
            retained = frozenset(t for t, cells in self._policy.cells.items() if set(cells.values()) == {"K"})
            identity = identity_of(self._root, self._policy.vrs, retained)
            self._words = frozenset(
                word
                for texts, least in (
                    ((*identity.names, *self._policy.names), _NAME),
                    (identity.numbers, _NUMBER),
                    (identity.places, _PLACE),
                    (identity.dates, _NUMBER),
                )
                for word in _words(texts)
                if len(word) >= least
            )
        joined = "".join(_WORD.findall(_plain(text)))
        return any(word in joined for word in self._words)


def _words(texts: Iterable[str]) -> list[str]:
    """Words and whole values, folded, without what stands between them."""
    found = []
    for text in texts:
        words = _WORD.findall(_plain(text))
        found += [*words, "".join(words)]
    return found


def _plain(text: str) -> str:
    apart = unicodedata.normalize("NFKD", text).casefold()
    return "".join(character for character in apart if not unicodedata.combining(character))
