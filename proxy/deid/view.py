"""The gate's view of one data set: leaves made on demand from its rows; what nobody asks for costs nothing.

Pure. What it returns may be PHI and stays inside the gate.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from proxy.deid.facts import Facts, facts_of
from proxy.deid.level import Level, Value
from proxy.deid.profile import Policy
from proxy.deid.reading import CHARACTER_SET, PIXEL_DATA, Leaf, Path, codec_named
from proxy.deid.rows import FORM, PARENT, SEQUENCE, START, STOP, TAG, VALUE, VR, Rows, read_rows
from proxy.deid.tables import TransferSyntax

_NOTHING = memoryview(b"")
#: from so many rows on an index by tag pays
_MANY = 1024


def view_of(body: memoryview, start: int, syntax: TransferSyntax, policy: Policy) -> View:
    """Read the data set in ``body[start:]``; raises as `rows.read_rows`."""
    facts = facts_of(policy)
    rows = read_rows(body, start, implicit=syntax.implicit, little=syntax.little, facts=facts, limits=policy.limits)
    return View(body, rows, facts)


class View:
    """One data set that was read (`rows.read_rows`)."""

    def __init__(self, body: memoryview, rows: Rows, facts: Facts) -> None:
        self.body, self.rows, self.facts = body, rows, facts
        #: the same rows, for who wants single numbers of Python's
        self.cells = memoryview(rows.data)
        #: the same bytes for kernels
        self.data = np.frombuffer(body, np.uint8) if len(body) else np.zeros(0, np.uint8)
        self._codecs: dict[int, str | None] | None = None
        self._paths: dict[int, Path] = {-1: ()}
        self._order: Rows | None = None

    def leaf(self, row: int) -> Leaf:
        """The element of a row; "SQ" where it has items, which are rows of their own, and no value."""
        tag, number, start, value, stop, parent, form, _ = self.rows[row].tolist()
        vr = "SQ" if form == SEQUENCE else self.facts.names[number]
        content = self.body[value:stop] if form != SEQUENCE else self.body[:0]
        return Leaf(tag, vr, self.facts.vr_of(tag), self.path(parent), content, start, self.codec(parent))

    def value(self, row: int) -> memoryview:
        """Its bytes."""
        return self.body[self.cells[row, VALUE] : self.cells[row, STOP]]

    def rows_of(self, tag: int) -> list[int]:
        """Rows with this tag, in document order."""
        tags = self.rows[:, TAG]
        if len(tags) < _MANY:
            numbers: list[int] = (tags == tag).nonzero()[0].tolist()
            return numbers
        if self._order is None:
            self._order = np.argsort(tags, kind="stable")
        first, last = np.searchsorted(tags, (tag, tag + 1), sorter=self._order)
        return [int(row) for row in self._order[first:last]]

    def at_top(self, tag: int) -> int | None:
        """The row of an element of the data set itself."""
        return next((row for row in self.rows_of(tag) if self.cells[row, PARENT] < 0), None)

    def begins(self, at: int) -> bool:
        """Whether an element of the data set itself begins at this byte."""
        row = int(np.searchsorted(self.rows[:, START], at))
        return row < len(self.rows) and self.cells[row, START] == at and self.cells[row, PARENT] < 0

    def behind(self, row: int) -> int:
        """The first row that is not in ``row`` (-1: the data set)."""
        return int(np.searchsorted(self.rows[:, START], self.rows[row, STOP])) if row >= 0 else len(self.rows)

    def below(self, row: int) -> Rows:
        """The numbers of the rows that stand in ``row`` (-1: the data set), and in nothing else in it."""
        first = row + 1
        numbers: Rows = (self.rows[first : self.behind(row), PARENT] == row).nonzero()[0] + first
        return numbers

    def is_sequence(self, row: int) -> bool:
        """Whether it has items instead of a value."""
        return bool(self.cells[row, FORM] == SEQUENCE)

    def codec(self, item: int) -> str | None:
        """The codec in force in an item, -1: the data set; None where the character set is none of the standard's."""
        if self._codecs is None:
            self._codecs = {-1: "latin_1"}
            for row in self.rows_of(CHARACTER_SET):
                self._codecs[self.cells[row, PARENT]] = codec_named(self.value(row))
        above = item
        while above not in self._codecs:
            above = self.cells[above, PARENT]
        return self._codecs[above]

    @property
    def has_unknown_codec(self) -> bool:
        """Whether some text cannot be decoded at all."""
        self.codec(-1)
        return self._codecs is not None and None in self._codecs.values()

    def path(self, item: int) -> Path:
        """The place of an item, -1: the data set."""
        found = self._paths.get(item)
        if found is None:
            cells, sequence = self.cells, self.cells[item, PARENT]
            found = (*self.path(cells[sequence, PARENT]), cells[sequence, TAG], cells[item, FORM])
            self._paths[item] = found
        return found


class ViewLevel:
    """The data set (-1), or an item of it, as a `Level`."""

    def __init__(self, view: View, item: int = -1) -> None:
        self._view, numbers = view, view.below(item)
        #: tag → row
        self._own: dict[int, int] = dict(zip(view.rows[numbers, TAG].tolist(), numbers.tolist(), strict=True))

    def __contains__(self, tag: int) -> bool:
        return tag in self._own

    def bytes_of(self, tag: int) -> memoryview:
        """The value, empty where there is none or it has items."""
        row, cells = self._own.get(tag), self._view.cells
        if row is None or cells[row, FORM] == SEQUENCE:
            return _NOTHING
        return self._view.body[cells[row, VALUE] : cells[row, STOP]]

    def tags(self) -> list[int]:
        """As `Level.tags`."""
        return sorted(tag for tag in self._own if tag not in PIXEL_DATA)

    def parts(self) -> Iterator[int]:
        """As `Level.parts`."""
        yield from self.tags()

    def value(self, tag: int) -> tuple[str, Value]:
        """As `Level.value`; where the encoding says no VR, the one of PS3.6."""
        row, cells = self._own[tag], self._view.cells
        if cells[row, FORM] == SEQUENCE:
            return "SQ", self.items(tag)
        return self._view.facts.names[cells[row, VR]], bytes(self._view.body[cells[row, VALUE] : cells[row, STOP]])

    def items(self, tag: int) -> list[Level]:
        """As `Level.items`."""
        return list(self.below(tag))

    def values_below(self, sequence: int, tag: int) -> Iterator[memoryview]:
        """The values of ``tag`` in the items of a sequence; for one that is seldom and small, no level is made."""
        view, around = self._view, self._own.get(sequence)
        for row in view.rows_of(tag) if around is not None else ():
            item = view.cells[row, PARENT]
            if item >= 0 and view.cells[item, PARENT] == around and view.cells[row, FORM] != SEQUENCE:
                yield view.value(row)

    def below(self, tag: int) -> list[ViewLevel]:
        """The items of a sequence."""
        row = self._own.get(tag)
        if row is None or self._view.cells[row, FORM] != SEQUENCE:
            return []
        return [ViewLevel(self._view, each) for each in self._view.below(row).tolist()]
