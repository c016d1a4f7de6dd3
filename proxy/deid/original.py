"""The gate's view of an input: its elements by tag and place, and its identifiers, both made when somebody asks.

Pure. What it returns is PHI and stays inside the gate.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Set

from proxy.deid.identifiers import VALUE_LIMIT, Identifiers, collect, comparable, stripped
from proxy.deid.reading import PIXEL_DATA, Leaf, Path
from proxy.deid.rows import PARENT, STOP, VALUE
from proxy.deid.view import View


class Source:
    """One input."""

    def __init__(self, view: View, candidates: Iterable[int]) -> None:
        """``candidates``: rows of what may identify."""
        self._view, self._candidates = view, candidates
        self._identifiers: Identifiers | None = None
        self._values: dict[int, set[bytes]] = {}
        self._places: dict[int, dict[Path, memoryview]] = {}

    def __repr__(self) -> str:
        return "Source(<phi>)"

    @property
    def identifiers(self) -> Identifiers:
        """All that would tell whose instance it is."""
        if self._identifiers is None:
            self._identifiers = collect(map(self._view.leaf, self._candidates))
        return self._identifiers

    def without(self, tags: Set[int]) -> Identifiers:
        """The same without what stands in these attributes."""
        leaves = map(self._view.leaf, self._candidates)
        return collect(each for each in leaves if tags.isdisjoint((each.tag, *each.path[::2])))

    def elements(self, tag: int) -> Iterator[Leaf]:
        """All elements with this tag that have a value, wherever they stand."""
        for row in self._view.rows_of(tag) if tag not in PIXEL_DATA else ():
            leaf = self._view.leaf(row)
            if len(leaf.value):
                yield leaf

    def values(self, tag: int) -> set[bytes]:
        """The values that an attribute has in the input, in their `comparable` form."""
        if tag not in self._values:
            leaves = self.elements(tag)
            self._values[tag] = {comparable(leaf) for leaf in leaves if len(leaf.value) <= VALUE_LIMIT}
        return self._values[tag]

    def had(self, leaf: Leaf) -> bool:
        """Whether the value of ``leaf`` is one that its attribute had in the input, or empty."""
        return len(leaf.value) == 0 or comparable(leaf) in self.values(leaf.tag)

    def at(self, path: Path, tag: int) -> bytes:
        """The unpadded value at one place of the input, b"" where there is none."""
        if tag not in self._places:
            self._places[tag] = {leaf.path: leaf.value for leaf in self.elements(tag)}
        return stripped(self._places[tag].get(path, b""))

    def mentions(self, needle: bytes) -> bool:
        """Whether the bytes stand anywhere in the data set but in pixel data."""
        view, pattern, start = self._view, re.compile(re.escape(needle)), 0
        for row in sorted(row for tag in PIXEL_DATA for row in view.rows_of(tag)):
            if view.rows[row, PARENT] == -1:
                if pattern.search(view.body[start : int(view.rows[row, VALUE])]):
                    return True
                start = int(view.rows[row, STOP])
        return pattern.search(view.body[start:]) is not None
