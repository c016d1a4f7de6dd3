"""Blocks of private elements and their creators (PS3.5 7.8.1): who owns a tag in one data set or item.

Knows numbers and names, no values and no rules. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

#: PS3.5 7.8: odd groups that are not private
NOT_PRIVATE = frozenset({0x0001, 0x0003, 0x0005, 0x0007, 0xFFFF})


class Blocks:
    """Who reserved which block of one data set or one item; items inherit nothing (PS3.5 7.8.1).

    A creator may reserve several blocks of a group: all are read the same way. An element without a creator, or whose
    creator element says two names or none, belongs to nobody.
    """

    __slots__ = ("_creators",)

    def __init__(self, reserved: Mapping[int, str]) -> None:
        """``reserved``: tag (gggg,00bb) → decoded value of that creator element."""
        names = {tag: canonical_creator(name) for tag, name in reserved.items() if is_creator(tag)}
        self._creators = {tag: name for tag, name in names.items() if name and "\\" not in name}

    def creator_of(self, tag: int) -> str | None:
        """The creator of a private data element, or whom a creator element names; None where nobody claims it."""
        return self._creators.get(tag if is_creator(tag) else self.creator_tag(tag))

    @staticmethod
    def creator_tag(tag: int) -> int:
        """(gggg,bbee) → (gggg,00bb)."""
        return (tag & 0xFFFF0000) | (tag >> 8 & 0xFF)

    @staticmethod
    def relative(tag: int) -> int:
        """(gggg,bbee) → (gggg,00ee), what the creator calls it."""
        return tag & 0xFFFF00FF

    def still_needed(self, kept: Iterable[int]) -> frozenset[int]:
        """The creator elements that must stay for the private elements ``kept``; the others keep nothing and go."""
        return frozenset({self.creator_tag(tag) for tag in kept if is_private_data(tag)} & self._creators.keys())


def is_creator(tag: int) -> bool:
    """PS3.5 7.8.1: (gggg,0010) to (gggg,00FF)."""
    return _private_group(tag) and 0x10 <= tag & 0xFFFF <= 0xFF


def is_private_data(tag: int) -> bool:
    """PS3.5 7.8.1: (gggg,1000) to (gggg,FFFF)."""
    return _private_group(tag) and tag & 0xFFFF >= 0x1000


def canonical_creator(name: str) -> str:
    """Padding does not count (PS3.5 6.2 LO), letter case does: another spelling is another creator."""
    return name.strip(" \0")


def _private_group(tag: int) -> bool:
    return tag >> 16 & 1 == 1 and tag >> 16 not in NOT_PRIVATE
