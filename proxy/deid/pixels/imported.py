"""Device rules that come from another program, as a document of ours; `import_ctp` and `import_deid` read its files.

What cannot be said in our words becomes a `Problem` with its line, never a rule that does less. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydicom.datadict import keyword_for_tag, tag_for_keyword

from proxy.deid.pixels.device_words import BELOW
from proxy.deid.pixels.plan import Box
from proxy.deid.pixels.regions import Size
from proxy.deid.pixels.risk import COLUMNS, ROWS
from proxy.deid.pixels.signature import STATES, Comparison, Either, Every, Not, Signature
from proxy.deid.tables import tag_text

_NUMBER = re.compile(r"[1-9][0-9]{0,4}")
#: operators on Rows and Columns that mean one size, with a number ("contains 768" is how libraries say it)
_SIZED = frozenset({"equals", "contains", "search"})
_LONGEST_NAME = 48
_FAR = 1 << 20


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that was not imported. ``line`` counts from 1."""

    line: int
    what: str


@dataclass(frozen=True, slots=True)
class Found:
    """One rule of the other program. ``parts``: what is blanked, in our words."""

    line: int
    label: str
    signature: Signature
    parts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Imported:
    """What a file gave. ``notes``: what it also says, and what Veil does not take from such a file."""

    rules: tuple[dict[str, Any], ...]
    first: bool
    problems: tuple[Problem, ...] = ()
    notes: tuple[Problem, ...] = ()

    def document(self, name: str, note: str) -> dict[str, Any]:
        """A file of device rules called ``name``."""
        head: dict[str, Any] = {"version": 1, "name": name, "note": note}
        return head | ({"first": True} if self.first else {}) | {"rules": list(self.rules)}


def rules_of(found: Sequence[Found], tool: str, other_sizes: str, *, join: bool) -> tuple[dict[str, Any], ...]:
    """Rules as documents; ``join``: those with one signature become one rule with several sizes."""
    rules: list[dict[str, Any]] = []
    names: set[str] = set()
    for each in found:
        signature, size = sized(each.signature)
        match = words_of(signature)
        text = size_text(size)
        same = next((rule for rule in rules if rule["match"] == match), None) if join and text else None
        if same is not None and text not in same.get("sizes", {text: None}):
            same["sizes"][text] = dict(each.parts)
            continue
        name = _name(each, names)
        names.add(name)
        rule: dict[str, Any] = {"name": name, "note": f"{tool}, line {each.line}: {each.label}".rstrip(": ")}
        rule["match"] = match
        rule |= (
            {"sizes": {text: dict(each.parts)}, "other_sizes": other_sizes} if text else {"any_size": dict(each.parts)}
        )
        rules.append(rule | {"covers": False})
    return tuple(rules)


def sized(signature: Signature) -> tuple[Signature, Size]:
    """The signature without what says that Rows or Columns are one number, and these numbers (0: not said)."""
    parts = flat(signature)
    size = {ROWS: 0, COLUMNS: 0}
    rest: list[Signature] = []
    for part in parts:
        tag = part.path[0] if isinstance(part, Comparison) and len(part.path) == 1 else 0
        if isinstance(part, Comparison) and tag in size and not size[tag] and _is_number(part):
            size[tag] = int(part.texts[0])
        else:
            rest.append(part)
    return (rest[0] if len(rest) == 1 else Every(tuple(rest))), (size[COLUMNS], size[ROWS])


def _is_number(part: Comparison) -> bool:
    return part.operator in _SIZED and len(part.texts) == 1 and _NUMBER.fullmatch(part.texts[0]) is not None


def flat(signature: Signature) -> tuple[Signature, ...]:
    """The parts that must all hold."""
    if not isinstance(signature, Every):
        return (signature,)
    return tuple(each for part in signature.parts for each in flat(part))


def size_text(size: Size) -> str:
    """``1024x768``, ``*x768``, or "" where nothing is said."""
    return "x".join(str(number or "*") for number in size) if any(size) else ""


def cut(parts: Mapping[str, Any], signature: Signature) -> dict[str, Any]:
    """``parts`` inside the size that ``signature`` says; ValueError for a box beyond it."""
    columns, rows = sized(signature)[1]
    whole = {**parts}
    for key in ("blank", "keep"):
        if not isinstance(parts.get(key), list):
            continue
        boxes = [Box(*numbers).within(columns or _FAR, rows or _FAR) for numbers in parts[key]]
        if None in boxes:
            raise ValueError("a box beyond the size that its criteria say")
        whole[key] = [box_words(box) for box in boxes if box is not None]
    return whole


def box_words(box: Box) -> list[int]:
    """A box as files have it."""
    return [box.left, box.top, box.right, box.bottom]


def words_of(signature: Signature) -> dict[str, Any]:
    """A signature as files have it (`device_words.read_signature` reads it back)."""
    if isinstance(signature, Comparison):
        return {_attribute(signature): _compared(signature)}
    if isinstance(signature, Not):
        return {"not": words_of(signature.part)}
    parts = [words_of(part) for part in signature.parts]
    if isinstance(signature, Either):
        return {"any": parts}
    plain = all(isinstance(part, Comparison) for part in signature.parts)
    joined = {key: value for part in parts for key, value in part.items()}
    return joined if plain and len(joined) == len(parts) > 1 else {"all": parts}


def _attribute(comparison: Comparison) -> str:
    return BELOW.join(_keyword(tag) for tag in comparison.path)


def _keyword(tag: int) -> str:
    """The keyword where it names just this tag: those of overlays and curves name sixteen."""
    keyword = keyword_for_tag(tag)
    return keyword if keyword and tag_for_keyword(keyword) == tag else tag_text(tag)


def _compared(comparison: Comparison) -> Any:
    if comparison.operator in STATES:
        return comparison.operator
    texts = comparison.texts
    value: Any = texts[0] if len(texts) == 1 else list(texts)
    if comparison.exact:
        return {comparison.operator: value, "case": "exact"}
    plain = comparison.operator == "equals" and STATES.keys().isdisjoint(texts)
    return value if plain else {comparison.operator: value}


def _name(each: Found, taken: set[str]) -> str:
    base = re.sub(r"[^a-z0-9]+", "-", each.label.lower())[:_LONGEST_NAME].strip("-") or "rule"
    name, number = base, 1
    while name in taken:
        number += 1
        name = f"{base}-{number}"
    return name
