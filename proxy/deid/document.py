"""The data set and its items straight on the token table: nothing is parsed twice or converted.

`TokenLevel.parts` are, in tag order, tags that need the walk, and `Run`s: neighbours that leave together as the bytes
they came as. Pure; the scan has bounded everything that is looked at here.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from proxy.deid.access import PIXEL_DATA
from proxy.deid.labels import PIXELS, REMOVE, RETAIN, Labelled, Labels, label
from proxy.deid.level import Gone, Level, Run, Value
from proxy.deid.part10 import Limits
from proxy.deid.scanner import ITEM_TAG, UNDEFINED_LENGTH, VR_NAMES, Encoding, Scanned, scan_table

#: any sequence of PS3.6, to hold items that stand alone
_SEQUENCE_TAG = 0x00081140
_SEQUENCE = b"\x08\0\x40\x11"
#: the bounds of a scan, and the tags that are sequences
Bounds = tuple[Limits, NDArray[np.int64]]


class Document:
    """A scanned instance: the token table as lists, and the labels where its tags are in order."""

    __slots__ = (
        "_bounds", "body", "depth", "end", "labelled", "length", "offset", "parent", "rows", "tag", "value", "vr",
    )  # fmt: skip

    def __init__(
        self, body: memoryview, scanned: Scanned, labels: Labels | None, implicit: bool, bounds: Bounds
    ) -> None:
        """``labels`` None: every element goes through the walk."""
        self.body = body
        self._bounds = bounds
        self.rows = len(scanned.table)
        columns = scanned.table.T.tolist()
        self.tag, self.vr, self.offset, self.value, self.length, self.end, self.depth, self.parent = columns
        self.labelled: Labelled | None = None
        if labels is not None and scanned.ordered:
            self.labelled = label(body, scanned.table, labels, implicit)

    def root(self) -> TokenLevel:
        """The data set itself."""
        return TokenLevel(self, -1)

    def children(self, row: int) -> list[int]:
        """The rows directly below ``row`` (-1: the top level)."""
        if row < 0:
            return [at for at, parent in enumerate(self.parent) if parent < 0]
        found, at, stop = [], row + 1, self.behind(row)
        while at < stop:
            found.append(at)
            at = self.behind(at)
        return found

    def within(self, row: int) -> list[Level]:
        """The items in a value that the scan took for bytes (private, UN): implicit VR little endian (PS3.5 6.2.2)."""
        value = self.body[self.value[row] : self.end[row]]
        if not len(value):
            return []
        data = memoryview(_SEQUENCE + len(value).to_bytes(4, "little") + bytes(value))
        limits, sequences = self._bounds
        scanned = scan_table(data, 0, Encoding(True, True, sequences), limits)
        return Document(data, scanned, None, True, self._bounds).root().items(_SEQUENCE_TAG)

    def behind(self, row: int) -> int:
        """The first row that is not inside ``row``."""
        if self.labelled is not None:
            return self.labelled.following[row]
        end, at = self.end[row], row + 1
        while at < self.rows and self.offset[at] < end:
            at += 1
        return at


class TokenLevel:
    """A `Level` of a `Document`."""

    __slots__ = ("_document", "_index", "_row")

    def __init__(self, document: Document, row: int) -> None:
        """``row`` is that of the item; -1 is the top level."""
        self._document, self._row = document, row
        self._index: dict[int, int] | None = None

    @property
    def _rows(self) -> dict[int, int]:
        if self._index is None:
            document = self._document
            self._index = {document.tag[row]: row for row in document.children(self._row)}
        return self._index

    def __contains__(self, tag: int) -> bool:
        return tag in self._rows

    def tags(self) -> list[int]:
        """See `Level.tags`."""
        found = sorted(self._rows)
        return found if self._row >= 0 else [tag for tag in found if tag not in PIXEL_DATA]

    def parts(self) -> Iterator[int | Run | Gone]:
        """See `Level.parts`."""
        document = self._document
        labelled = document.labelled
        if labelled is None:
            yield from self.tags()
            return
        at = self._row + 1
        stop = document.rows if self._row < 0 else labelled.following[self._row]
        while at < stop:
            word = labelled.label[at]
            if word == RETAIN:
                data = document.body[document.offset[at] : labelled.run_end[at]]
                yield Run(document.tag[at], bytes(data), labelled.run_count[at])
                at = labelled.run_row[at]
            elif word == REMOVE:
                yield Gone(labelled.run_count[at])
                at = labelled.run_row[at]
            else:
                if word != PIXELS:
                    yield document.tag[at]
                at = labelled.following[at]

    def value(self, tag: int) -> tuple[str, Value]:
        """See `Level.value`."""
        document, row = self._document, self._rows[tag]
        vr = VR_NAMES[document.vr[row]]
        if vr == "SQ" or document.length[row] == UNDEFINED_LENGTH or self._opened(row):
            return ("SQ" if vr != "UN" or document.length[row] == UNDEFINED_LENGTH else vr), self.items(tag)
        return vr, bytes(document.body[document.value[row] : document.end[row]])

    def items(self, tag: int) -> list[Level]:
        """See `Level.items`."""
        document = self._document
        if tag not in self._rows:
            return []
        row = self._rows[tag]
        if tag >> 16 & 1 and not self._opened(row) and document.length[row] != UNDEFINED_LENGTH:
            return document.within(row)
        return [TokenLevel(document, each) for each in document.children(row)]

    def _opened(self, row: int) -> bool:
        document = self._document
        return row + 1 < document.rows and document.parent[row + 1] == row and document.tag[row + 1] == ITEM_TAG
