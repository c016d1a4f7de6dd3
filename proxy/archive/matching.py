"""Attribute matching (PS3.4 C.2.2.2) in two halves that must agree: what the index stores, and what a key asks for.

Single value, UID list, wildcard and range matching. Values are normalised on both sides: times are padded, person
names compared without case, numbers as numbers. Builds SQL conditions; runs none. `holds` is the same without SQL.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

from sqlalchemy import ColumnElement, and_, or_

_RANGES = frozenset({"DA", "TM", "DT"})
_WILD = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
_NUMERIC = frozenset({"IS", "US", "UL", "SS", "SL"})
_FIRST = {"TM": "000000.000000"}
_LAST = {"TM": "235959.999999"}


def index_values(vr: str, element: dict[str, Any]) -> list[str]:
    """What the index keeps of an element of the DICOM JSON Model: one text per value, and per person name group."""
    texts: list[str] = []
    for value in element.get("Value") or []:
        if isinstance(value, dict):
            texts += [str(group) for group in value.values()]
        elif value is not None:
            texts.append(str(value))
    return [_normal(vr, text) for text in texts]


def condition(vr: str, column: ColumnElement[str], asked: str) -> ColumnElement[bool] | None:
    """The condition on an indexed value, or None where the key matches everything (universal matching)."""
    parts = [part for part in asked.split("\\") if part]
    if not parts or asked == "*":
        return None
    if vr == "UI":
        return column.in_(parts)
    return or_(*(_one(vr, column, part) for part in parts))


def _one(vr: str, column: ColumnElement[str], asked: str) -> ColumnElement[bool]:
    if vr in _RANGES:
        low, dash, high = asked.partition("-")
        if not dash:
            high = low
        bounds = []
        if low:
            bounds.append(column >= _pad(vr, low, _FIRST))
        if high:
            bounds.append(column <= _pad(vr, high, _LAST))
        return and_(*bounds) if bounds else column.is_not(None)
    text = _normal(vr, asked)
    if vr in _WILD and ("*" in text or "?" in text):
        return column.op("GLOB", is_comparison=True)(text.replace("[", "[[]"))
    return column == text


def holds(vr: str, element: dict[str, Any], asked: str) -> bool:
    """Whether an element of the DICOM JSON Model matches, as `condition` says of its `index_values`."""
    parts = [part for part in asked.split("\\") if part]
    if not parts or asked == "*":
        return True
    values = index_values(vr, element)
    return any(_holds(vr, value, part) for value in values for part in parts)


def _holds(vr: str, value: str, asked: str) -> bool:
    if vr in _RANGES:
        low, dash, high = asked.partition("-")
        high = high if dash else low
        return (not low or value >= _pad(vr, low, _FIRST)) and (not high or value <= _pad(vr, high, _LAST))
    text = _normal(vr, asked)
    if vr in _WILD and ("*" in text or "?" in text):
        return fnmatchcase(value, text.replace("[", "[[]"))
    return value == text


def _normal(vr: str, text: str) -> str:
    if vr == "PN":
        return text.casefold()
    if vr == "TM":
        return _pad(vr, text, _FIRST)
    if vr in _NUMERIC:
        digits = text.strip().lstrip("+")
        return str(int(digits)) if digits.lstrip("-").isdigit() else text
    return text


def _pad(vr: str, text: str, template: dict[str, str]) -> str:
    text = text.replace(":", "") if vr == "TM" else text
    return text + template.get(vr, "")[len(text) :]
