"""The gate's own reading of a site's rules: which is about this element, and does the value look as it says?

Matches on what the gate itself read of the input. A rule never switches off the search for identifiers. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from proxy.deid.identifiers import stripped
from proxy.deid.original import Source
from proxy.deid.pseudonym import CROCKFORD
from proxy.deid.reading import Leaf
from proxy.deid.repertoire import decode
from proxy.deid.rules import FIXED, Condition, Rule

_SOP_CLASS, _MODALITY = 0x00080016, 0x00080060
_HASHED = re.compile(f"[{CROCKFORD}]{{16}}")
_TEXTS = frozenset({"LO", "LT", "SH", "ST", "UC", "UT"})
_NEVER_KEPT = frozenset({"UI", "PN", "UN"})


class RuleCheck:
    """The rules that are about one input."""

    def __init__(self, rules: Iterable[Rule], source: Source, came: Callable[[Leaf], bool], moves: bool) -> None:
        """``came``: whether a value is one that the attribute had in the input."""
        self._came, self._moves, self._at = came, moves, source.at
        self._rules = [rule for rule in rules if _is_about(rule, source)]

    def verdict(self, leaf: Leaf, vr: str, creator: str = "") -> bool | None:
        """True: as its rule says. False: a rule says that it must not be there. None: ask the table.

        ``creator``: whose private data element it is, "" for others.
        """
        for rule in self._rules:
            if not _reaches(rule, leaf.tag, vr) or bool(rule.creators) != bool(creator):
                continue
            if rule.creators and creator not in rule.creators:
                continue
            if rule.do in ("remove", "refuse"):
                return False
            return True if self._is_as_said(rule, leaf, vr) else None
        return None

    def _is_as_said(self, rule: Rule, leaf: Leaf, vr: str) -> bool:
        value = stripped(leaf.value)
        if vr == "SQ":
            return rule.do in ("keep", "clean")
        if rule.do == "keep" or (rule.do == "clean" and vr in ("AE", "CS")):
            dated = vr in ("DA", "DT") and self._moves
            return vr not in _NEVER_KEPT and not dated and self._came(leaf)
        if rule.do == "clean":
            return vr in _TEXTS
        text = value.decode("latin_1")
        if rule.do == "replace":
            return text == rule.argument
        if rule.do == "hash":
            return vr != "UI" and all(not part or _HASHED.fullmatch(part.strip()) for part in text.split("\\"))
        if rule.do == "shift":
            return vr in ("DA", "DT") and self._differs(leaf, text.split("\\"))
        if rule.do == "truncate":
            return all(not part or _truncated(part.strip(), int(rule.argument)) for part in text.split("\\"))
        return rule.do == "empty" and not value

    def _differs(self, leaf: Leaf, values: list[str]) -> bool:
        before = self._at(leaf.path, leaf.tag).decode("latin_1").split("\\")
        return all(not value or [value] != before[index : index + 1] for index, value in enumerate(values))


def _truncated(text: str, day: int) -> bool:
    digits = text.replace(".", "")
    if day == 0:
        return len(digits) <= 8 and digits[4:] in ("", "01", "0101")
    last = digits[6:] in ("28", "29", "30") and int(digits[6:]) < day
    return len(digits) <= 8 and (digits[6:] in ("", f"{day:02d}") or last)


def _is_about(rule: Rule, source: Source) -> bool:
    sop_class, modality = (source.at((), tag).decode("latin_1") for tag in (_SOP_CLASS, _MODALITY))
    return (
        (not rule.sop_classes or sop_class in rule.sop_classes)
        and (not rule.modalities or modality in rule.modalities)
        and all(_holds(condition, source) for condition in rule.when)
    )


def _holds(condition: Condition, source: Source) -> bool:
    leaf = next((leaf for leaf in source.elements(condition.tag) if not leaf.path), None)
    text = decode(stripped(leaf.value), leaf.codec or "latin_1", strict=False) if leaf is not None else ""
    if condition.kind in ("present", "absent"):
        return bool(text) == (condition.kind == "present")
    values = [part.strip(" \0") for part in text.split("\\")] if text else []
    if condition.kind == "value":
        return not set(values).isdisjoint(condition.texts)
    return any(re.fullmatch(pattern, value) for pattern in condition.texts for value in values)


def _reaches(rule: Rule, tag: int, vr: str) -> bool:
    if tag in FIXED or rule.of_instances or (rule.vrs and vr not in rule.vrs):
        return False
    if tag in rule.tags or (not rule.tags and not rule.masks):
        return True
    return any(tag & bits == wanted for bits, wanted in rule.masks)
