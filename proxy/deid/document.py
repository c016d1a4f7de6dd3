"""The data set and its items straight on the token table: nothing is parsed twice or converted.

`TokenLevel.parts` are, in tag order, tags that need the walk, and `Run`s: neighbours that are settled already. Pure;
the scan has bounded everything that is looked at here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from proxy.deid.access import PIXEL_DATA
from proxy.deid.foregone import Foregone
from proxy.deid.labels import Labels, follow, mark
from proxy.deid.level import Gone, Level, Run, Value
from proxy.deid.part10 import Limits
from proxy.deid.scanner import (
    END,
    LENGTH,
    PARENT,
    TAG,
    UNDEFINED_LENGTH,
    VALUE,
    VR,
    VR_NAMES,
    Encoding,
    Scanned,
    scan_table,
)
from proxy.deid.transcript import Settled, Transcript

#: any sequence of PS3.6, to hold items that stand alone
_SEQUENCE_TAG = 0x00081140
_SEQUENCE = b"\x08\0\x40\x11"
#: the bounds of a scan, and the tags that are sequences
Bounds = tuple[Limits, NDArray[np.int64]]


class Document:
    """A scanned instance: the token table, and a transcript of what is settled where its tags are in order."""

    __slots__ = (
        "_bounds", "_encoding", "_following", "_labels", "_scanned", "body", "cells", "following", "transcript",
    )  # fmt: skip

    def __init__(
        self, body: memoryview, scanned: Scanned, labels: Labels | None, encoding: tuple[bool, bool], bounds: Bounds
    ) -> None:
        """``labels`` None: every element goes through the walk. ``encoding``: implicit VR, big endian."""
        self.body = body
        self._bounds, self._encoding, self._scanned, self._labels = bounds, encoding, scanned, labels
        self._following = np.empty(len(scanned.table), np.int64)
        follow(scanned.table, self._following)
        #: the table, and for each row the first one that is not inside it, for who wants single numbers of Python's
        self.cells, self.following = memoryview(scanned.table.data), memoryview(self._following.data)
        self.transcript: Transcript | None = None

    def transcribe(self, uid: Callable[[str], str], days: int, foregone: Foregone) -> None:
        """Settle what needs no thought; without this, or where tags are not in order, all goes through the walk."""
        labels, table = self._labels, self._scanned.table
        if labels is None or not self._scanned.ordered or not len(table):
            return
        data, depth = np.frombuffer(self.body, np.uint8), self._bounds[0].nesting_depth
        marks = mark(data, table, labels, self._encoding[0])
        settled = Settled(self._following, self._encoding, labels.borders, days, foregone, depth)
        self.transcript = Transcript(data, table, marks, settled, uid)

    def root(self) -> TokenLevel:
        """The data set itself."""
        return TokenLevel(self, -1)

    def elements(self, row: int) -> dict[int, int]:
        """Tag → row of what stands directly below ``row`` (-1: the top level)."""
        if row >= 0:
            return {self.cells[each, TAG]: each for each in self.children(row)}
        table = self._scanned.table
        numbers = (table[:, PARENT] < 0).nonzero()[0]
        return dict(zip(table[numbers, TAG].tolist(), numbers.tolist(), strict=True))

    def children(self, row: int) -> list[int]:
        """The rows directly below ``row``."""
        following, stop = self.following, self.following[row]
        found, at = [], row + 1
        while at < stop:
            found.append(at)
            at = following[at]
        return found

    def within(self, row: int) -> list[Level]:
        """The items in a value that the scan took for bytes (private, UN): implicit VR little endian (PS3.5 6.2.2)."""
        value = self.body[self.cells[row, VALUE] : self.cells[row, END]]
        if not len(value):
            return []
        data = memoryview(_SEQUENCE + len(value).to_bytes(4, "little") + bytes(value))
        limits, sequences = self._bounds
        scanned = scan_table(data, 0, Encoding(True, True, sequences), limits)
        return Document(data, scanned, None, (True, False), self._bounds).root().items(_SEQUENCE_TAG)


class TokenLevel:
    """A `Level` of a `Document`."""

    __slots__ = ("_document", "_row", "_rows")

    def __init__(self, document: Document, row: int) -> None:
        """``row`` is that of the item; -1 is the top level."""
        self._document, self._row = document, row
        self._rows = document.elements(row)

    def __contains__(self, tag: int) -> bool:
        return tag in self._rows

    def row(self, tag: int) -> int | None:
        """The row of an element."""
        return self._rows.get(tag)

    def transcribe(self, uid: Callable[[str], str], days: int, foregone: Foregone) -> None:
        """See `Document.transcribe`."""
        self._document.transcribe(uid, days, foregone)

    def tags(self) -> list[int]:
        """See `Level.tags`."""
        found = sorted(self._rows)
        return found if self._row >= 0 else [tag for tag in found if tag not in PIXEL_DATA]

    def parts(self) -> Iterator[int | Run | Gone]:
        """See `Level.parts`."""
        transcript = self._document.transcript
        return iter(self.tags() if transcript is None else transcript.parts(self._row))

    def value(self, tag: int) -> tuple[str, Value]:
        """See `Level.value`."""
        document, row = self._document, self._rows[tag]
        cells = document.cells
        vr, undefined = VR_NAMES[cells[row, VR]], cells[row, LENGTH] == UNDEFINED_LENGTH
        if vr == "SQ" or undefined or document.following[row] > row + 1:
            return ("SQ" if vr != "UN" or undefined else vr), self.items(tag)
        return vr, bytes(document.body[cells[row, VALUE] : cells[row, END]])

    def items(self, tag: int) -> list[Level]:
        """See `Level.items`."""
        document, row = self._document, self._rows.get(tag)
        if row is None:
            return []
        if tag >> 16 & 1 and document.following[row] == row + 1 and document.cells[row, LENGTH] != UNDEFINED_LENGTH:
            return document.within(row)
        return [TokenLevel(document, each) for each in document.children(row)]
