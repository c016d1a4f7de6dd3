"""Keeps a content tree valid when items leave it (PS3.3 C.17.3): who has to go too, and where references point then.

Items are referred to by their position in the tree (C.17.3.2.5), so every item that leaves moves others. A coordinate
without the image it was selected from is none, and a reference to an item that is gone is none. Linear in the number of
items. Knows the shape of the tree, no values. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

#: value types that need a child by this relationship (PS3.3 C.18.6, C.18.7)
_SELECTED_FROM = "SELECTED FROM"
_NEED_SELECTED = frozenset({"SCOORD", "TCOORD"})


@dataclass(frozen=True, slots=True)
class Settled:
    """Answers by the number that `Outline.add` gave."""

    _gone: tuple[bool, ...]
    _childless: tuple[bool, ...]
    _references: tuple[tuple[int, ...], ...]

    def stays(self, item: int) -> bool:
        """False for an item that leaves, or stands in one that does."""
        return not self._gone[item]

    def childless(self, item: int) -> bool:
        """True where nothing is left for its Content Sequence (type 1C): it goes as a whole."""
        return self._childless[item]

    def reference(self, item: int) -> tuple[int, ...]:
        """Referenced Content Item Identifier (0040,DB73) of an item that stays, as it is now; () where it had none."""
        return self._references[item]


class Outline:
    """The tree as it is met, parents before children, siblings in order."""

    __slots__ = ("_children", "_needs", "_parents", "_references", "_selected", "_stays")

    def __init__(self) -> None:
        self._parents: list[int] = []
        self._children: list[list[int]] = []
        self._stays: list[bool] = []
        self._needs: list[bool] = []
        self._selected: list[bool] = []
        self._references: list[tuple[int, ...]] = []

    def add(
        self,
        parent: int,
        value_type: str = "",
        relationship: str = "",
        stays: bool = True,
        reference: Sequence[int] = (),
    ) -> int:
        """The next item's number; the root comes first, with ``parent`` -1."""
        number = len(self._parents)
        if (parent < 0) != (number == 0) or parent >= number:
            raise ValueError("the first item is the root, and parents come before their children")
        self._parents.append(parent)
        self._children.append([])
        self._stays.append(stays or parent < 0)
        self._needs.append(value_type.strip(" \0") in _NEED_SELECTED)
        self._selected.append(relationship.strip(" \0") == _SELECTED_FROM)
        self._references.append(tuple(reference))
        if parent >= 0:
            self._children[parent].append(number)
        return number

    def settle(self) -> Settled:
        """Follow every removal to its end."""
        targets = [self._target(reference) if reference else None for reference in self._references]
        gone = self._fall(targets)
        ordinals = self._ordinals(gone)
        references = tuple(
            () if target is None or gone[number] else self._position(target, ordinals)
            for number, target in enumerate(targets)
        )
        childless = tuple(all(gone[child] for child in children) for children in self._children)
        return Settled(tuple(gone), childless, references)

    def _target(self, reference: tuple[int, ...]) -> int:
        """The item at a position (1 is the root, 1\\2 its second child); -1 where there is none."""
        if reference[0] != 1 or not self._parents:
            return -1
        at = 0
        for ordinal in reference[1:]:
            if not 1 <= ordinal <= len(self._children[at]):
                return -1
            at = self._children[at][ordinal - 1]
        return at

    def _fall(self, targets: Sequence[int | None]) -> list[bool]:
        gone = [False] * len(self._parents)
        referrers: list[list[int]] = [[] for _ in self._parents]
        selected = [sum(self._selected[child] for child in children) for children in self._children]
        for number, target in enumerate(targets):
            if target is not None and target >= 0:
                referrers[target].append(number)
        falling = [n for n, stays in enumerate(self._stays) if not stays or targets[n] == -1]
        while falling:
            number = falling.pop()
            if gone[number] or number == 0:
                continue
            gone[number] = True
            falling += self._children[number] + referrers[number]
            parent = self._parents[number]
            selected[parent] -= self._selected[number]
            if self._selected[number] and self._needs[parent] and not selected[parent]:
                falling.append(parent)
        return gone

    def _ordinals(self, gone: Sequence[bool]) -> list[int]:
        """Each item's place among the siblings that stay."""
        ordinals = [1] * len(self._parents)
        for children in self._children:
            place = 0
            for child in children:
                place += not gone[child]
                ordinals[child] = place
        return ordinals

    def _position(self, number: int, ordinals: Sequence[int]) -> tuple[int, ...]:
        path = []
        while number >= 0:
            path.append(ordinals[number])
            number = self._parents[number]
        return tuple(reversed(path))
