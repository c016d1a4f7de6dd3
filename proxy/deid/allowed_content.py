"""The gate's own look at content items: a concept that PS3.15 Table E.3.4-1 removes must not be there.

Reads leaves in document order and knows the rows of the table, not the engine's plan of the tree. Pure.
"""

from __future__ import annotations

from collections.abc import Set

from proxy.deid.identifiers import stripped
from proxy.deid.reading import Leaf, Path
from proxy.deid.structured import ContentRules

_CONTENT = frozenset({0x0040A730, 0x00400555, 0x00400612})
_CONCEPT_NAME, _VALUE_TYPE, _SCHEME = 0x0040A043, 0x0040A040, 0x00080102
_CODES = frozenset({0x00080100, 0x00080119, 0x00080120})
#: what the check reads: it has to see each of these, in document order
ASKED = _CODES | {_SCHEME, _VALUE_TYPE}


class ContentCheck:
    """One output's content items, as they come by."""

    def __init__(self, rules: ContentRules, options: Set[str]) -> None:
        self._rules, self._options = rules, options
        self._kinds: dict[Path, str] = {}
        self._codes: dict[Path, list[str]] = {}
        self._schemes: dict[Path, str] = {}

    def refuses(self, leaf: Leaf) -> bool:
        """Whether ``leaf`` completes the name of a concept that may not be there."""
        path = leaf.path
        if leaf.tag == _VALUE_TYPE and len(path) >= 2 and path[-2] in _CONTENT:
            self._kinds[path] = _text(leaf)
            return False
        if len(path) < 4 or path[-2] != _CONCEPT_NAME or path[-4] not in _CONTENT:
            return False
        if leaf.tag in _CODES:
            self._codes.setdefault(path, []).append(_text(leaf))
        elif leaf.tag == _SCHEME:
            self._schemes[path] = _text(leaf)
        else:
            return False
        kind, scheme = self._kinds.get(path[:-2], ""), self._schemes.get(path, "")
        return any(self._removed(value, scheme, kind) for value in self._codes.get(path, ()))

    def _removed(self, value: str, scheme: str, kind: str) -> bool:
        rows = self._rules.rows.get((value.casefold(), scheme.casefold()), ())
        return any(
            row.value_type == kind and row.basic == "X" and self._options.isdisjoint(row.options) for row in rows
        )


def _text(leaf: Leaf) -> str:
    return stripped(leaf.value).decode("latin_1")
