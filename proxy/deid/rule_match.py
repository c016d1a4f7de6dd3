"""Which of a site's rules are about this instance, and which is the first about an element: the engine's reading.

Conditions are on the top level of the instance and are asked once. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from proxy.deid.access import charset_of, plain_of, text_of
from proxy.deid.decisions import FREE_TEXT, TEMPORAL, Decision
from proxy.deid.level import Level
from proxy.deid.rules import Condition, Rule
from proxy.deid.values import split
from proxy.errors import InstanceHeld, Reason

_MODALITY = 0x00080060


class Matcher:
    """The rules that are about one instance."""

    def __init__(self, rules: Iterable[Rule], root: Level, sop_class: str, moves: bool) -> None:
        """``moves``: dates of this profile move, so that a date that is kept would give away how far."""
        modality = plain_of(root, _MODALITY) or ""
        self._moves = moves
        self._rules = [
            rule
            for rule in rules
            if (not rule.sop_classes or sop_class in rule.sop_classes)
            and (not rule.modalities or modality in rule.modalities)
            and all(_holds(condition, root) for condition in rule.when)
        ]
        for rule in self._rules:
            if rule.of_instances:
                raise InstanceHeld(Reason.REFUSED_BY_RULE, f"{rule.name} refuses this instance")

    def first(self, tag: int, vr: str, creator: str, normally: Decision) -> Decision:
        """What the first rule about the element says; ``normally`` where none is.

        ``creator``: whose private data element it is, "" for others. One that would go stays gone: only the lists of
        safe elements, and no rule, make a private element safe.
        """
        for rule in self._rules:
            if not rule.reaches(tag, vr) or (rule.creators and creator not in rule.creators):
                continue
            if rule.do == "refuse":
                raise InstanceHeld(Reason.REFUSED_BY_RULE, f"{rule.name} refuses this instance", tag)
            if creator and (normally.action == "X" or (vr == "SQ" and rule.do in ("keep", "clean"))):
                return normally
            action = _action(rule.do, vr, self._moves)
            return Decision(action, rule.name, "", normally, rule.argument) if action else normally
        return normally


def _action(do: str, vr: str, moves: bool) -> str:
    """The action of the walk; "" where it does nothing for this VR."""
    if do in ("remove", "empty"):
        return "X" if do == "remove" else "Z"
    if vr == "SQ":
        return "R" if do in ("keep", "clean") else ""
    if do == "keep":
        if vr in TEMPORAL:
            return "" if moves and vr != "TM" else "keep_date"
        return "" if vr in ("UI", "PN", "UN", "") else "keep"
    if do == "clean":
        return "clean" if vr in FREE_TEXT else "clean_whole" if vr in ("AE", "CS") else ""
    if do in ("shift", "truncate"):
        return do if vr in ("DA", "DT") else ""
    return {"replace": "constant", "hash": "hash"}[do]


def _holds(condition: Condition, root: Level) -> bool:
    text = _text(root, condition.tag)
    if condition.kind in ("present", "absent"):
        return bool(text) == (condition.kind == "present")
    values = split(text) if text else []
    if condition.kind == "value":
        return any(value in condition.texts for value in values)
    return any(re.fullmatch(text, value) for text in condition.texts for value in values)


def _text(root: Level, tag: int) -> str:
    """The value, read as text whatever it is; "" where there is none."""
    if tag not in root or not isinstance(root.value(tag)[1], bytes):
        return ""
    return text_of(root, tag, charset_of(root))
