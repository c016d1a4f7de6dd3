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
        return self.body[int(self.rows[row, VALUE]) : int(self.rows[row, STOP])]

    def rows_of(self, tag: int) -> list[int]:
        """Rows with this tag, in document order."""
        tags = self.rows[:, TAG]
        if len(tags) < _MANY:
            return [int(row) for row in np.flatnonzero(tags == tag)]
        if self._order is None:
            self._order = np.argsort(tags, kind="stable")
        first, last = np.searchsorted(tags, (tag, tag + 1), sorter=self._order)
        return [int(row) for row in self._order[first:last]]

    def behind(self, row: int) -> int:
        """The first row that is not in ``row``."""
        return int(np.searchsorted(self.rows[:, START], self.rows[row, STOP]))

    def is_sequence(self, row: int) -> bool:
        """Whether it has items instead of a value."""
        return bool(self.rows[row, FORM] == SEQUENCE)

    def codec(self, item: int) -> str | None:
        """The codec in force in an item, -1: the data set; None where the character set is none of the standard's."""
        if self._codecs is None:
            parents = self.rows[:, PARENT]
            declared = self.rows_of(CHARACTER_SET)
            self._codecs = {-1: "latin_1"}
            self._codecs.update((int(parents[row]), codec_named(self.value(row))) for row in declared)
        above = item
        while above not in self._codecs:
            above = int(self.rows[above, PARENT])
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
            sequence = int(self.rows[item, PARENT])
            around = self.path(int(self.rows[sequence, PARENT]))
            found = (*around, int(self.rows[sequence, TAG]), int(self.rows[item, FORM]))
            self._paths[item] = found
        return found


class ViewLevel:
    """The data set (-1), or an item of it, as a `Level`."""

    def __init__(self, view: View, item: int = -1) -> None:
        self._view = view
        self._numbers = (view.rows[:, PARENT] == item).nonzero()[0]
        self._own: dict[int, list[int]] = {row[TAG]: row for row in view.rows[self._numbers].tolist()}

    def __contains__(self, tag: int) -> bool:
        return tag in self._own

    def bytes_of(self, tag: int) -> memoryview:
        """The value, empty where there is none or it has items."""
        row = self._own.get(tag)
        return self._view.body[row[VALUE] : row[STOP]] if row is not None and row[FORM] != SEQUENCE else _NOTHING

    def tags(self) -> list[int]:
        """As `Level.tags`."""
        return sorted(tag for tag in self._own if tag not in PIXEL_DATA)

    def parts(self) -> Iterator[int]:
        """As `Level.parts`."""
        yield from self.tags()

    def value(self, tag: int) -> tuple[str, Value]:
        """As `Level.value`; where the encoding says no VR, the one of PS3.6."""
        row = self._own[tag]
        if row[FORM] == SEQUENCE:
            return "SQ", self.items(tag)
        return self._view.facts.names[row[VR]], bytes(self._view.body[row[VALUE] : row[STOP]])

    def items(self, tag: int) -> list[Level]:
        """As `Level.items`."""
        return list(self.below(tag))

    def below(self, tag: int) -> list[ViewLevel]:
        """The items of a sequence."""
        if tag not in self._own or self._own[tag][FORM] != SEQUENCE:
            return []
        rows, place = self._view.rows, list(self._own).index(tag)
        return [ViewLevel(self._view, each) for each in (rows[:, PARENT] == self._numbers[place]).nonzero()[0].tolist()]
