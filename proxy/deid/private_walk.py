"""Private elements for the walk (PS3.15 E.3.10): whose they are, what the instance declares of them, what they become.

What is safe is decided by `private`; here the instance is read for it. Pure.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from proxy.deid.access import text_of
from proxy.deid.decisions import Decider, Decision
from proxy.deid.level import Level
from proxy.deid.private import Blocks, Declaration, SafePrivate, is_creator, is_private_data
from proxy.deid.rule_match import Matcher
from proxy.deid.values import Charset
from proxy.errors import InstanceHeld

_CHARACTERISTICS, _DEFINITIONS = 0x00080300, 0x00080310
_GROUP, _CREATOR, _STATUS, _NONIDENTIFYING = 0x00080301, 0x00080302, 0x00080303, 0x00080304
_ACTIONS, _IDENTIFYING, _ELEMENT, _ELEMENT_VR = 0x00080305, 0x00080306, 0x00080308, 0x0008030A
_GONE = Decision("X", "E.1-1 X", "E.2")
_CREATOR_STAYS = Decision("keep", "option rtn_safe_priv: creator of a block that stays", "E.3.10")


@dataclass(frozen=True, slots=True)
class PrivatePlace:
    """The blocks of one data set or item, and each private element's decision and VR."""

    decisions: dict[int, tuple[Decision, str]]
    #: tag → whose it is
    creators: dict[int, str]

    def decide(self, tag: int) -> tuple[Decision, str]:
        """For a tag of an odd group."""
        return self.decisions.get(tag, (_GONE, ""))

    def name_of(self, tag: int) -> str:
        """What ``tag`` is called wherever it stands: a private element by its creator, not by its block."""
        creator = self.creators.get(tag)
        return f"{tag:08X}" if creator is None else f"{Blocks.relative(tag):08X} {creator}"


def private_place(
    level: Level,
    charset: Charset,
    safe: SafePrivate,
    declared: Sequence[Declaration],
    little: bool,
    decider: Decider,
    matcher: Matcher | None,
) -> PrivatePlace:
    """Decide for every private element of ``level``, then for the creators of what stays. Rules are asked last."""
    tags = [tag for tag in level.tags() if tag >> 16 & 1]
    blocks = Blocks({tag: _text(level, tag, charset) for tag in tags if is_creator(tag)})
    found: dict[int, tuple[Decision, str]] = {}
    creators: dict[int, str] = {}
    for tag in tags:
        creator = blocks.creator_of(tag)
        if creator is None or not is_private_data(tag):
            continue
        creators[tag] = creator
        stated, _ = level.value(tag)
        decision, vr = _GONE, stated
        if stated != "UN" or little:  # otherwise its bytes are little endian, those of the instance are not
            action = safe.decide(creator, tag, stated, declared)
            if action.action != "remove" and action.vr:
                decision, vr = decider.private(action.action, action.vr), action.vr
        found[tag] = (matcher.first(tag, vr, creator, decision) if matcher is not None else decision), vr
    staying = [tag for tag, (decision, _) in found.items() if decision.action != "X"]
    found |= dict.fromkeys(blocks.still_needed(staying), (_CREATOR_STAYS, "LO"))
    return PrivatePlace(found, creators)


def declarations(root: Level, charset: Charset, little: bool) -> tuple[Declaration, ...]:
    """(0008,0300) as plain values; what cannot be read declares nothing."""
    order = "<" if little else ">"
    found = []
    for item in root.items(_CHARACTERISTICS):
        groups = _numbers(item, _GROUP, order)
        identifying = {n for action in item.items(_ACTIONS) for n in _numbers(action, _IDENTIFYING, order)}
        vrs = {
            number & 0xFF: _text(each, _ELEMENT_VR, charset)
            for each in item.items(_DEFINITIONS)
            for number in _numbers(each, _ELEMENT, order)
        }
        found += [
            Declaration(
                group,
                _text(item, _CREATOR, charset),
                _text(item, _STATUS, charset),
                frozenset(_numbers(item, _NONIDENTIFYING, order)),
                frozenset(identifying),
                vrs,
            )
            for group in groups
        ]
    return tuple(found)


def _text(level: Level, tag: int, charset: Charset) -> str:
    try:
        return text_of(level, tag, charset)
    except InstanceHeld:  # it names nobody, so what it would name is removed
        return ""


def _numbers(level: Level, tag: int, order: str) -> tuple[int, ...]:
    _, value = level.value(tag) if tag in level else ("", b"")
    if not isinstance(value, bytes) or len(value) % 2:
        return ()
    return struct.unpack(f"{order}{len(value) // 2}H", value)
