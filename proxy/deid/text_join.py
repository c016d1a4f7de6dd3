"""The items that stay, joined again: one separator where something went, brackets in pairs, lines kept. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from proxy.deid.text_tokens import Item

_PAIRS = {")": "(", "]": "[", "}": "{", ">": "<", "）": "（", "］": "［", "】": "【", "」": "「", "』": "『", "»": "«"}
_OPENERS = frozenset(_PAIRS.values())
_LINE = re.compile(r"\r\n|\n|\r|\f")
_ENDS = (".", "!", "?", ";", "。", "！", "？")
#: what ends a part of a sentence: kept between two parts, not at the end
_PAUSES = (",", ":", "、", "，")
#: kept as they are when nothing else stands where something went (CHEST_SMITH_PA)
_JOINTS = frozenset("_^-/\\|+&")


def join(items: Sequence[Item], tail: str) -> str:
    """The text of the items that stay. Where nothing goes it is the text that came."""
    parts: list[str] = []
    gap: list[str] = []
    broken = False
    for item in items:
        gap.append(item.before)
        if item.stays:
            parts += ["".join(gap) if not broken else _across("".join(gap), first=not parts, last=False), item.text]
            gap, broken = [], False
        else:
            broken = True
    gap.append(tail)
    parts.append("".join(gap) if not broken else _across("".join(gap), first=not parts, last=True))
    return "".join(parts)


def _across(gap: str, *, first: bool, last: bool) -> str:
    """What is left of the separators around something that went."""
    closers, openers = _unpaired(gap)
    if first and last:
        return ""
    end = gap[:1] if gap.startswith(_ENDS if last else _ENDS + _PAUSES) and not first else ""
    if last:
        return closers + end
    if first:
        return openers
    line = _LINE.search(gap)
    bare = set(gap)
    between = line[0] if line else gap[0] if len(bare) == 1 and bare <= _JOINTS else " "
    return closers + end + between + openers


def _unpaired(gap: str) -> tuple[str, str]:
    """Brackets that close what stands before the gap, and that open what comes behind."""
    closers: list[str] = []
    openers: list[str] = []
    for c in gap:
        if c in _OPENERS:
            openers.append(c)
        elif c in _PAIRS:
            if openers and openers[-1] == _PAIRS[c]:
                openers.pop()
            elif not openers:
                closers.append(c)
    return "".join(closers), "".join(openers)
