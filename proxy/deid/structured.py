"""Clean Structured Content (PS3.15 E.3.4): what happens to a content item, by its concept name and value type.

Table E.3.4-1 names 214 concepts; the others are decided by value type, and what cannot be placed is removed. Holds for
Content Sequence, Acquisition Context Sequence and Specimen Preparation Step Content Item Sequence alike. Decides only;
`structured_plan` says what that means for each attribute, `structured_outline` keeps the tree valid. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

from proxy.errors import ConfigError

#: (code value, coding scheme designator)
Concept = tuple[str, str]
#: the columns of Table E.3.4-1 behind the Basic Profile's
OPTIONS = (
    "rtn_uids", "rtn_dev_id", "rtn_inst_id", "rtn_pat_chars", "rtn_long_full", "rtn_long_modif", "clean_desc",
)  # fmt: skip
_TABLE = "rules/standard/ps3.15-e3.4-1-clean-structured-content.csv"
TEMPORAL = frozenset({"DATE", "DATETIME", "TIME"})
REFERENCES = frozenset({"COMPOSITE", "IMAGE", "WAVEFORM"})
_CODED = frozenset({"CODE", "NUM"})
_WRITTEN = frozenset({"PNAME", "TEXT", "UIDREF"}) | TEMPORAL
_PLAIN = frozenset({"CONTAINER", "SCOORD", "SCOORD3D", "TCOORD"})
_TYPES = _WRITTEN | _CODED | REFERENCES | _PLAIN
#: value types of one family: an option of a row for one holds for the others
_FAMILIES = (TEMPORAL, REFERENCES)
#: value type of an item → value types of rows that warn of the same concept in another dress. A text can say anything,
#: so every written or coded row counts; a finding that is coded is not the text that the row for its concept is about
_RELATED: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(_WRITTEN, _WRITTEN | _CODED),
    "UIDREF": _WRITTEN | _CODED | REFERENCES,
    **dict.fromkeys(_CODED, _CODED),
    **dict.fromkeys(REFERENCES, REFERENCES | {"UIDREF"}),
}
_STRICTNESS = "XDUCK"
#: coding scheme designators of SNOMED in its retired style (PS3.15 E.3.4 note 3)
_RETIRED_SCHEMES = frozenset({"srt", "snm3", "99sdm"})
#: PS3.16 annex O: retired code → SNOMED CT code of a row of the table
RETIRED: Mapping[str, str] = {
    "DD-60002": "116224001",
    "DF-0068E": "398325003",
    "DF-0070B": "398164008",
    "F-00033": "271921002",
    "F-02455": "160476009",
    "G-C0E3": "363698007",
    "G-D320": "397898000",
    "G-D321": "398201009",
    "PA-30029": "440252007",
    "R-42B89": "371524004",
}
_BY_RETIRED = {old.casefold(): new for old, new in RETIRED.items()}
#: "NCDR [2.0b]" in PS3.16 is the designator NCDR of version 2.0b
_VERSION = re.compile(r" *\[[^\]]*\]$")


@dataclass(frozen=True, slots=True)
class ContentRow:
    """A row of Table E.3.4-1. ``options``: column → K or C."""

    meaning: str
    code_value: str
    scheme: str
    value_type: str
    basic: str
    options: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ContentAction:
    """``action``: X, D, K, C, or U for whatever refers by UID. ``row`` is None where the value type decided."""

    action: str
    row: ContentRow | None


@dataclass(frozen=True, slots=True)
class ContentRules:
    """Table E.3.4-1 by concept."""

    rows: Mapping[Concept, tuple[ContentRow, ...]]

    def decide(self, code_value: str, scheme: str, value_type: str, options: Set[str]) -> ContentAction:
        """For one concept name; ("", "") where the item has none. Where options meet, the stricter wins."""
        kind = value_type.strip(" \0")
        if kind not in _TYPES:
            return ContentAction("X", None)
        rows = self.rows.get(canonical(code_value, scheme), ())
        # a row for this very value type speaks for it alone
        meant = [row for row in rows if row.value_type == kind] or [
            row for row in rows if row.value_type in _RELATED.get(kind, ())
        ]
        if not meant:
            return ContentAction(_default(kind, options), None)
        return min((ContentAction(_of_row(row, kind, options), row) for row in meant), key=_strictness)

    def strictest(self, concepts: Iterable[Concept], value_type: str, options: Set[str]) -> ContentAction:
        """For a concept name that states several codes (Equivalent Code Sequence): a row wins over no row."""
        found = [self.decide(value, scheme, value_type, options) for value, scheme in concepts]
        found = found or [self.decide("", "", value_type, options)]
        return min([action for action in found if action.row] or found, key=_strictness)


def content_rules(rows: Iterable[Mapping[str, str]]) -> ContentRules:
    """The rows of Table E.3.4-1; `ConfigError` for a word that is not known."""
    compiled: dict[Concept, list[ContentRow]] = {}
    for number, row in enumerate(rows, start=2):
        options = {option: row[option] for option in OPTIONS if row[option]}
        known = (
            row["basic"] in ("X", "D", "X/D") and row["value_type"] in _TYPES and set(options.values()) <= {"K", "C"}
        )
        if not known or not row["code_value"] or not row["scheme"]:
            raise ConfigError(_TABLE, f"row {number} is not understood")
        concept = canonical(row["code_value"], row["scheme"])
        listed = compiled.setdefault(concept, [])
        if any(other.value_type == row["value_type"] for other in listed):
            raise ConfigError(_TABLE, f"row {number} stands twice")
        listed.append(
            ContentRow(row["code_meaning"], row["code_value"], row["scheme"], row["value_type"], row["basic"], options)
        )
    return ContentRules({concept: tuple(listed) for concept, listed in compiled.items()})


def canonical(code_value: str, scheme: str) -> Concept:
    """One spelling: unpadded, letter case and scheme version apart, SNOMED's retired style as SNOMED CT."""
    value = code_value.strip(" \0").casefold()
    name = _VERSION.sub("", scheme.strip(" \0")).casefold()
    if name in _RETIRED_SCHEMES and value in _BY_RETIRED:
        return _BY_RETIRED[value], "sct"
    return value, name


def _strictness(action: ContentAction) -> int:
    return _STRICTNESS.index(action.action)


def _of_row(row: ContentRow, kind: str, options: Set[str]) -> str:
    speaks = row.value_type == kind or any(kind in each and row.value_type in each for each in _FAMILIES)
    words = {row.options[option] for option in options if option in row.options} if speaks else set()
    if words:
        return "C" if "C" in words else "K"
    if row.basic == "X":
        return "X"
    return "U" if kind == "UIDREF" or kind in REFERENCES else "D"  # X/D: a dummy is valid in every template


def _default(kind: str, options: Set[str]) -> str:
    if kind in _CODED or kind in _PLAIN:
        return "K"
    if kind == "TEXT":
        return "C" if "clean_desc" in options else "D"
    if kind in TEMPORAL:
        return "C" if "rtn_long_modif" in options else "K" if "rtn_long_full" in options else "D"
    if kind == "PNAME":
        return "D"
    return "K" if "rtn_uids" in options else "U"
