"""The gate's view of an input: leaves made on demand from the compiled scan; what nobody asks for costs nothing.

Only elements that can hold identifiers are visited; values at some place are looked up when an output has that place.
Pure. What it returns is PHI and stays inside the gate.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from pydicom._dicom_dict import DicomDictionary

from proxy.deid.reading import CHARACTER_SET, PIXEL_DATA, Leaf, Path, codec_named
from proxy.deid.scanner import ITEM_TAG, PARENT, TAG, UNDEFINED_LENGTH, VR, VR_CODES, VR_NAMES, Table

_UI, _PN, _UN = (VR_CODES[name] for name in ("UI", "PN", "UN"))


@lru_cache(maxsize=8)
def people_and_uids(others: frozenset[int]) -> NDArray[np.int64]:
    """Sorted tags whose VR is PN or UI in PS3.6, and ``others``."""
    named = {tag for tag, entry in DicomDictionary.items() if entry[0] in ("PN", "UI")}
    return np.array(sorted(named | others), np.int64)


class OriginalView:
    """One scanned input; ``vr_of`` says the VR where the encoding does not."""

    def __init__(self, body: memoryview, table: Table, vr_of: Callable[[int], str]) -> None:
        self._body, self._table, self._vr_of = body, table, vr_of
        columns = table.T.tolist()
        self._tag, self._vr, _, self._value, self._length, self._end, _, self._parent = columns
        self._ordinals: dict[int, int] | None = None
        self._rows: dict[int, list[int]] | None = None
        self._codecs: dict[int, str | None] = {-1: "latin_1"}
        for row in self.rows(CHARACTER_SET):
            self._codecs[self._parent[row]] = codec_named(self._bytes(row))

    def candidates(self, others: frozenset[int]) -> Iterator[Leaf]:
        """Elements that are a name or a UID by their VR, or whose tag is one of ``others``."""
        tags, vrs = self._table[:, TAG], self._table[:, VR]
        wanted = people_and_uids(others)
        at = np.minimum(np.searchsorted(wanted, tags), len(wanted) - 1)
        for row in np.nonzero((vrs == _UI) | (vrs == _PN) | (wanted[at] == tags))[0].tolist():
            yield self._leaf(row)

    def rows(self, tag: int) -> list[int]:
        """Rows of the table with this tag, in document order."""
        if self._rows is None:
            self._rows = {}
            for row, each in enumerate(self._tag):
                self._rows.setdefault(each, []).append(row)
        return self._rows.get(tag, [])

    def leaves(self, tag: int) -> Iterator[Leaf]:
        """All elements with this tag that have a value."""
        for row in self.rows(tag):
            if self._end[row] > self._value[row] and not self._is_sequence(row) and tag not in PIXEL_DATA:
                yield self._leaf(row)

    def mentions(self, needle: bytes) -> bool:
        """Whether the bytes stand anywhere in the data set but in pixel data."""
        pattern, start = re.compile(re.escape(needle)), 0
        for row in (row for tag in sorted(PIXEL_DATA) for row in self.rows(tag)):
            if self._parent[row] == -1:
                if pattern.search(self._body[start : self._value[row]]):
                    return True
                start = self._end[row]
        return pattern.search(self._body[start:]) is not None

    def _leaf(self, row: int) -> Leaf:
        tag = self._tag[row]
        known = self._vr_of(tag)
        stated = VR_NAMES[self._vr[row]]
        vr = "SQ" if self._is_sequence(row) else known if stated in ("", "UN") else stated
        value = self._body[:0] if vr == "SQ" else self._bytes(row)
        return Leaf(tag, vr, known, self._path(row), value, self._value[row], self._codec(row))

    def _bytes(self, row: int) -> memoryview:
        return self._body[self._value[row] : self._end[row]]

    def _is_sequence(self, row: int) -> bool:
        opened = row + 1 < len(self._tag) and self._parent[row + 1] == row
        undefined = self._length[row] == UNDEFINED_LENGTH and self._tag[row] not in PIXEL_DATA
        return opened or undefined or VR_NAMES[self._vr[row]] == "SQ"

    def _codec(self, row: int) -> str | None:
        above = self._parent[row]
        while above not in self._codecs:
            above = self._parent[above]
        return self._codecs[above]

    def _path(self, row: int) -> Path:
        steps: list[int] = []
        item = self._parent[row]
        while item >= 0:
            sequence = self._parent[item]
            steps += (self._ordinal(item), self._tag[sequence])
            item = self._parent[sequence]
        return tuple(reversed(steps))

    def _ordinal(self, item: int) -> int:
        if self._ordinals is None:
            seen: dict[int, int] = {}
            self._ordinals = {}
            for row in np.nonzero(self._table[:, TAG] == ITEM_TAG)[0].tolist():
                parent = int(self._table[row, PARENT])
                self._ordinals[row] = seen.get(parent, 0)
                seen[parent] = self._ordinals[row] + 1
        return self._ordinals[item]
