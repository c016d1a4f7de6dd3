"""A content item's attributes (PS3.3 C.17.3, C.18 and Table 10-2), each with what happens to it, and whether it stays.

The value types and attributes are a table. An attribute that does not belong to the item's value type is removed, so a
name cannot hide in a measurement. What is not named here is left to the ordinary rules (Table E.1-1, the profile).
Sees which attributes there are, never a value. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass

from proxy.deid.structured import REFERENCES, TEMPORAL, Concept, ContentAction, ContentRow, ContentRules

TEXT_VALUE, PERSON_NAME, UID = 0x0040A160, 0x0040A123, 0x0040A124
DATETIME, DATE, TIME = 0x0040A120, 0x0040A121, 0x0040A122
CONCEPT_CODE_SEQUENCE, MEASURED_VALUE_SEQUENCE, REFERENCED_SOP_SEQUENCE = 0x0040A168, 0x0040A300, 0x00081199
NUMERIC_VALUE = 0x0040A30A
#: Floating Point Value, Rational Numerator and Denominator Value: the same number again, more exactly
OTHER_NUMERIC_VALUES = (0x0040A161, 0x0040A162, 0x0040A163)
OBSERVATION_DATETIME, OBSERVATION_UID = 0x0040A032, 0x0040A171
REFERENCED_CONTENT_ITEM_IDENTIFIER, CONTENT_SEQUENCE = 0x0040DB73, 0x0040A730

#: what an attribute carries, by which its word is found
_KEEP, _WALK, _TEXT, _NAME, _MOMENT, _REFERENCE = "keep", "walk", "text", "name", "moment", "reference"
_GRAPHIC = {0x00700022: _KEEP, 0x00700023: _KEEP, 0x00480301: _KEEP, 0x0070031A: _REFERENCE}
#: value type → its value attributes
VALUES: Mapping[str, Mapping[int, str]] = {
    "CODE": {CONCEPT_CODE_SEQUENCE: _WALK},
    "CONTAINER": {0x0040A050: _KEEP, 0x0040A504: _WALK},
    "DATE": {DATE: _MOMENT},
    "DATETIME": {DATETIME: _MOMENT},
    # the flat form of Table 10-2 has number and units in the item itself
    "NUM": {MEASURED_VALUE_SEQUENCE: _WALK, 0x0040A301: _WALK, NUMERIC_VALUE: _KEEP}
    | dict.fromkeys(OTHER_NUMERIC_VALUES, _KEEP)
    | {0x004008EA: _WALK},
    "PNAME": {PERSON_NAME: _NAME},
    "SCOORD": _GRAPHIC,
    "SCOORD3D": _GRAPHIC | {0x30060024: _REFERENCE},
    "TCOORD": {0x0040A130: _KEEP, 0x0040A132: _KEEP, 0x0040A138: _KEEP, 0x0040A13A: _MOMENT},
    "TEXT": {TEXT_VALUE: _TEXT},
    "TIME": {TIME: _MOMENT},
    "UIDREF": {UID: _REFERENCE},
    **{kind: {REFERENCED_SOP_SEQUENCE: _WALK} for kind in REFERENCES},
}
_ALL = frozenset(tag for attributes in VALUES.values() for tag in attributes)
#: (what, action) → word. Missing: (what, "") is the word whatever the action
_WORDS: Mapping[tuple[str, str], str] = {
    (_KEEP, ""): "keep",
    (_WALK, ""): "recurse",
    (_TEXT, "K"): "keep",
    (_TEXT, "C"): "clean",
    (_TEXT, ""): "dummy",
    (_NAME, ""): "dummy",
    (_MOMENT, "K"): "keep",
    (_MOMENT, "C"): "shift",
    (_MOMENT, ""): "dummy",
    (_REFERENCE, "K"): "keep",
    (_REFERENCE, ""): "remap",
}
#: around the value, in every item
_FRAME: Mapping[int, str] = {
    0x0040A010: "keep",  # Relationship Type
    0x0040A040: "keep",  # Value Type
    0x0040A043: "recurse",  # Concept Name Code Sequence
    REFERENCED_CONTENT_ITEM_IDENTIFIER: "relocate",
    CONTENT_SEQUENCE: "recurse",
}
#: Subject Age: capped like an age, in its one plain form
_SUBJECT_AGE = ("121033", "DCM")
_AGE = {MEASURED_VALUE_SEQUENCE: "age", NUMERIC_VALUE: "age"} | dict.fromkeys(OTHER_NUMERIC_VALUES, "remove")


@dataclass(frozen=True, slots=True)
class ContentItem:
    """What the plan has to know of an item. ``concepts``: all codes of its concept name; ``tags``: its attributes."""

    value_type: str
    concepts: tuple[Concept, ...]
    tags: frozenset[int]
    root: bool = False


@dataclass(frozen=True, slots=True)
class ContentPlan:
    """``attributes``: tag → word.

    keep, remove, dummy, clean, shift, remap, recurse as everywhere; pseudonym: a keyed one of the text; relocate: see
    `structured_outline`; age: recurse, or here if it is the number itself, and let `DatePolicy.age_number` cap the
    Numeric Value while the other forms of the number (`OTHER_NUMERIC_VALUES`) go.
    """

    stays: bool
    row: ContentRow | None
    value_type: str
    attributes: Mapping[int, str]


def content_plan(rules: ContentRules, item: ContentItem, options: Set[str]) -> ContentPlan:
    """What happens to the item. A document's root stays whatever its title; an item of no known kind does not."""
    stated = item.value_type.strip(" \0")
    kind = "CONTAINER" if item.root else stated or _implied(item.tags)
    frame = {tag: word for tag, word in _FRAME.items() if tag in item.tags} | _observation(item.tags, options)
    if not stated and not item.root and REFERENCED_CONTENT_ITEM_IDENTIFIER in item.tags:
        return ContentPlan(True, None, "", dict.fromkeys(_ALL & item.tags, "remove") | frame)
    decided = rules.strictest(item.concepts, kind, options)
    if decided.action == "X":
        if not item.root:
            return ContentPlan(False, decided.row, kind, {})
        decided = ContentAction("K", None)
    own = VALUES[kind]
    values = {tag: _word(own[tag], decided, kind, options) if tag in own else "remove" for tag in _ALL & item.tags}
    if decided.row is not None and (decided.row.code_value, decided.row.scheme) == _SUBJECT_AGE:
        values |= {tag: word for tag, word in _AGE.items() if tag in values}
    return ContentPlan(True, decided.row, kind, values | frame)


def _word(what: str, decided: ContentAction, kind: str, options: Set[str]) -> str:
    row, action = decided.row, decided.action
    if what == _MOMENT and kind not in TEMPORAL:
        action = _moment(options)  # a temporal coordinate follows the dates, not its concept
    elif what == _REFERENCE and kind != "UIDREF":
        action = "K" if "rtn_uids" in options else "U"
    elif what == _TEXT and action == "D" and row is not None and "clean_desc" not in row.options:
        return "pseudonym"  # an identifier: what was different must stay different
    return _WORDS.get((what, action)) or _WORDS[what, ""]


def _observation(tags: Set[int], options: Set[str]) -> dict[int, str]:
    """Observation DateTime (1C) and UID (3) of an item."""
    moment = {"K": "keep", "C": "shift", "D": "remove"}[_moment(options)]
    words = {OBSERVATION_DATETIME: moment, OBSERVATION_UID: "keep" if "rtn_uids" in options else "remap"}
    return {tag: word for tag, word in words.items() if tag in tags}


def _moment(options: Set[str]) -> str:
    return "C" if "rtn_long_modif" in options else "K" if "rtn_long_full" in options else "D"


#: the attribute that tells the value type of an item that does not state one (Table 10-2 before Value Type was type 1)
_TELLING = {
    TEXT_VALUE: "TEXT",
    PERSON_NAME: "PNAME",
    UID: "UIDREF",
    DATETIME: "DATETIME",
    DATE: "DATE",
    TIME: "TIME",
    CONCEPT_CODE_SEQUENCE: "CODE",
    MEASURED_VALUE_SEQUENCE: "NUM",
    NUMERIC_VALUE: "NUM",
    REFERENCED_SOP_SEQUENCE: "COMPOSITE",
}


def _implied(tags: Set[int]) -> str:
    kinds = {kind for tag, kind in _TELLING.items() if tag in tags}
    return kinds.pop() if len(kinds) == 1 else ""
