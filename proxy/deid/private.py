"""Retain Safe Private (PS3.15 E.3.10): which private elements may stay, and as what.

An element is known by its creator, group and low byte (PS3.5 7.8.1), never by the block it happens to stand in. Safe
are the rows of Table E.3.10-1 and a project's own list; what the instance declares of itself in (0008,0300) can take
away, and adds only what can be judged by its VR. Everything else is removed. "Safe" never means "keep the bytes": text
is cleaned, dates move, UIDs are replaced, sequences are walked. Decides only; values are not seen here. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from proxy.deid.private_blocks import NOT_PRIVATE, Blocks, canonical_creator, is_creator, is_private_data
from proxy.deid.tables import tag_text
from proxy.errors import ConfigError

__all__ = [
    "Blocks",
    "Declaration",
    "PrivateAction",
    "SafePrivate",
    "canonical_creator",
    "is_creator",
    "is_private_data",
    "project_rows",
    "safe_rows",
]

_MASKED = re.compile(r"\(([0-9A-F]{3}[13579BDF]),xx([0-9A-F]{2})\)")
#: the VR of bulk data that may be either (Table E.3.10-1); OB is the one that no byte order touches
_EITHER, _OPAQUE = "OW/OB", "OB"
_FREE_TEXT = frozenset({"LO", "LT", "SH", "ST", "UC", "UT"})
_NUMBERS = frozenset({"AT", "DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV"})
_BULK = frozenset({"OB", "OD", "OF", "OL", "OV", "OW"})
#: VRs of one kind: the one in the file may stand for the one in the list
_KINDS = (_FREE_TEXT | {"CS"}, _NUMBERS, _BULK, frozenset({"DA", "DT", "TM"}))
#: VR → what happens to a safe element. Names (PN), application entities, addresses and UN are not here: removed
_SAFE: Mapping[str, str] = {
    **dict.fromkeys(_NUMBERS | _BULK | {"CS"}, "keep"),
    **dict.fromkeys(_FREE_TEXT, "clean"),
    **dict.fromkeys(("AS", "DA", "DT", "TM"), "shift"),
    "UI": "remap",
    "SQ": "recurse",
}
#: the same where only the instance itself says so: bulk data cannot be judged, and a code string may be anybody's name
_DECLARED: Mapping[str, str] = {**_SAFE, "CS": "clean", **dict.fromkeys(_BULK, "remove")}
_LISTABLE = frozenset(_SAFE) | {"", _EITHER}

#: (creator, group, low byte of the element)
Place = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class PrivateAction:
    """``action``: remove, keep, clean, remap, shift (also ages: by the date policy) or recurse. ``vr``: read it as."""

    action: str
    vr: str


@dataclass(frozen=True, slots=True)
class Declaration:
    """An item of Private Data Element Characteristics Sequence (0008,0300) as plain values (PS3.3 C.12.1)."""

    group: int
    creator: str
    status: str
    nonidentifying: frozenset[int] = frozenset()
    identifying: frozenset[int] = frozenset()
    #: low byte → VR, from (0008,0310)
    vrs: Mapping[int, str] = field(default_factory=dict)

    def speaks_of(self, creator: str, group: int) -> bool:
        """Whether it is about this creator's elements."""
        return self.group == group and canonical_creator(self.creator) == creator

    def calls_safe(self, element: int) -> bool:
        """SAFE: all; MIXED: the listed ones; any other word: none. What is called identifying never is."""
        if element in {number & 0xFF for number in self.identifying}:
            return False
        status = self.status.strip(" \0")
        return status == "SAFE" or (status == "MIXED" and element in self.nonidentifying)


@dataclass(frozen=True, slots=True)
class SafePrivate:
    """The elements known to be safe, with their VR ("" where the list has none)."""

    elements: Mapping[Place, str]

    def decide(self, creator: str, tag: int, vr: str, declared: Sequence[Declaration] = ()) -> PrivateAction:
        """For an element that states ``vr`` ("" in implicit VR) in a block of ``creator``. The stricter word wins."""
        name, group, element = canonical_creator(creator), tag >> 16, tag & 0xFF
        said = [item for item in declared if item.speaks_of(name, group)]
        if not name or not is_private_data(tag) or not all(item.calls_safe(element) for item in said):
            return PrivateAction("remove", vr)
        listed = self.elements.get((name, group, element))
        if listed is not None:
            return _action(_SAFE, listed, vr)
        known = {item.vrs[element] for item in said if element in item.vrs}
        if not said or len(known) > 1:
            return PrivateAction("remove", vr)
        return _action(_DECLARED, known.pop() if known else "", vr)

    def extended(self, more: SafePrivate, where: str) -> SafePrivate:
        """With a project's own list; it may name the VR of a row that has none, but not contradict one."""
        for (creator, group, element), vr in more.elements.items():
            if self.elements.get((creator, group, element), vr) not in (vr, ""):
                raise ConfigError(
                    where, f"{tag_text(group << 16 | element)} of {creator} has another VR in Table E.3.10-1"
                )
        return SafePrivate({**self.elements, **more.elements})


def safe_rows(rows: Iterable[Mapping[str, str]]) -> SafePrivate:
    """The rows of Table E.3.10-1: private_creator, tag "(gggg,xxee)", vr."""
    listed = ((row["private_creator"], row["tag"], row["vr"]) for row in rows)
    return _compile(listed, "rules/standard/ps3.15-e3.10-1-safe-private.csv")


def project_rows(rows: Any, where: str) -> SafePrivate:
    """A project's own list: mappings of creator, tag, vr and note, which says why it is safe. All four are needed."""
    if not isinstance(rows, list):
        raise ConfigError(where, "it is a list of creator, tag, vr and note")
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, Mapping) or set(row) != {"creator", "tag", "vr", "note"}:
            raise ConfigError(f"{where}, entry {number}", "it has creator, tag, vr and note, and nothing else")
        if not all(isinstance(cell, str) and cell.strip() for cell in row.values()):
            raise ConfigError(f"{where}, entry {number}", "every cell is a text")
        if row["vr"] not in _SAFE:
            raise ConfigError(f"{where}, entry {number}", f"an element of VR '{row['vr']}' cannot be safe")
    return _compile(((row["creator"], row["tag"], row["vr"]) for row in rows), where)


def _compile(listed: Iterable[tuple[str, str, str]], where: str) -> SafePrivate:
    elements: dict[Place, str] = {}
    for creator, text, vr in listed:
        match = _MASKED.fullmatch(text)
        name = canonical_creator(creator)
        if match is None or not name or "\\" in name or vr not in _LISTABLE or int(match[1], 16) in NOT_PRIVATE:
            raise ConfigError(where, f"no private element of one creator: {creator}, {text}, {vr}", 'tag "(gggg,xxee)"')
        place = (name, int(match[1], 16), int(match[2], 16))
        if place in elements:
            raise ConfigError(where, f"{text} of {creator} stands twice")
        elements[place] = vr
    return SafePrivate(elements)


def _action(words: Mapping[str, str], known: str, stated: str) -> PrivateAction:
    vr = _vr(known, stated)
    # a text under the name of a code string is a text, whichever of the two says so
    word = "clean" if known in _FREE_TEXT and vr == "CS" else words.get(vr, "remove")
    return PrivateAction(word, vr or stated)


def _vr(known: str, stated: str) -> str:
    """The VR to read the element by; "" where file and list do not speak of the same kind of thing."""
    if stated in ("", "UN"):
        return _OPAQUE if known == _EITHER else known
    kind = _OPAQUE if known == _EITHER else known
    same = not known or stated == kind or any(stated in each and kind in each for each in _KINDS)
    return stated if same else ""
