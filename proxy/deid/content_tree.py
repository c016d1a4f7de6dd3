"""Reads a content tree (PS3.3 C.17.3) for the walk: each item with its plan, and what has to leave with others.

The plans are those of `structured_plan`, the shape is kept by `structured_outline`. Pure.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from proxy.deid.access import charset_of, plain_of, text_of
from proxy.deid.decisions import Decision
from proxy.deid.level import Level
from proxy.deid.structured import Concept, ContentRules
from proxy.deid.structured_outline import Outline, Settled
from proxy.deid.structured_plan import (
    CONTENT_SEQUENCE,
    NUMERIC_VALUE,
    OTHER_NUMERIC_VALUES,
    REFERENCED_CONTENT_ITEM_IDENTIFIER,
    ContentItem,
    ContentPlan,
    content_plan,
)
from proxy.deid.values import Charset
from proxy.errors import InstanceHeld, Reason

CONCEPT_NAME_CODE_SEQUENCE, EQUIVALENT_CODE_SEQUENCE = 0x0040A043, 0x00080121
VALUE_TYPE, RELATIONSHIP_TYPE, SCHEME = 0x0040A040, 0x0040A010, 0x00080102
#: Code Value, Long Code Value, URN Code Value
_CODE_VALUES = (0x00080100, 0x00080119, 0x00080120)
SECTION = "E.3.4"
#: word of a plan → action of the walk, and the action where the value does not allow it
_ACTIONS = {
    "keep": ("keep", ""),
    "remove": ("X", ""),
    "dummy": ("D", ""),
    "clean": ("clean", "D"),
    "shift": ("shift", "D"),
    "remap": ("U", ""),
    "recurse": ("R", ""),
    "pseudonym": ("hash", "D"),
    "relocate": ("relocate", ""),
    "age": ("age", "X"),
}
#: inside the Measured Value Sequence of an age
_AGES = {NUMERIC_VALUE: Decision("age", "E.3.4-1 Subject Age: age", SECTION, Decision("X", "no age", SECTION))} | {
    tag: Decision("X", "E.3.4-1 Subject Age: the same number again", SECTION) for tag in OTHER_NUMERIC_VALUES
}


@dataclass(frozen=True, slots=True)
class Node:
    """One content item. ``number``: of the item in its sequence; ``outline``: in the tree."""

    level: Level
    number: int
    outline: int
    plan: ContentPlan
    children: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Content:
    """What the walk has to know inside a content item: decisions that come before all others."""

    decisions: Mapping[int, Decision]
    node: Node | None = None
    settled: Settled | None = None

    def below(self) -> list[Node]:
        """The children that stay."""
        node, settled = self.node, self.settled
        return [child for child in node.children if settled.stays(child.outline)] if node and settled else []

    def position(self) -> tuple[int, ...]:
        """Where the item refers to, in the tree as it is now."""
        return self.settled.reference(self.node.outline) if self.node and self.settled else ()


AGES = Content(_AGES)


class ContentReader:
    """Reads trees under one profile's options."""

    def __init__(self, rules: ContentRules, options: Sequence[str], little: bool) -> None:
        self._rules, self._options, self._order = rules, frozenset(options), "<" if little else ">"

    def read(self, items: Sequence[Level], charset: Charset) -> tuple[list[Node], Settled]:
        """The items of a content sequence; the data set or item around it is the root."""
        outline = Outline()
        root = outline.add(-1, "CONTAINER")
        nodes = self._nodes(items, charset, outline, root)
        return nodes, outline.settle()

    def content(self, node: Node, settled: Settled) -> Content:
        """The decisions for one item."""
        plan = node.plan
        said = f"E.3.4-1 {plan.row.meaning}" if plan.row else f"content item {plan.value_type or 'by reference'}"
        decisions = {tag: _decision(word, said) for tag, word in plan.attributes.items()}
        if CONTENT_SEQUENCE in decisions:
            decisions[CONTENT_SEQUENCE] = Decision("content_below", f"{said}: recurse", SECTION)
        return Content(decisions, node, settled)

    def _nodes(self, items: Sequence[Level], around: Charset, outline: Outline, parent: int) -> list[Node]:
        found = []
        for number, level in enumerate(items):
            charset = charset_of(level, around)
            kind = plain_of(level, VALUE_TYPE) or ""
            tags = frozenset(level.tags())
            plan = content_plan(
                self._rules, ContentItem(kind, tuple(self._concepts(level, charset)), tags), self._options
            )
            place = outline.add(
                parent, kind, plain_of(level, RELATIONSHIP_TYPE) or "", plan.stays, self._reference(level)
            )
            below = level.items(CONTENT_SEQUENCE) if plan.stays else []
            found.append(Node(level, number, place, plan, tuple(self._nodes(below, charset, outline, place))))
        return found

    def _concepts(self, level: Level, charset: Charset) -> Iterator[Concept]:
        for name in level.items(CONCEPT_NAME_CODE_SEQUENCE):
            for code in (name, *name.items(EQUIVALENT_CODE_SEQUENCE)):
                scheme = text_of(code, SCHEME, charset)
                yield from ((value, scheme) for tag in _CODE_VALUES if (value := text_of(code, tag, charset)))

    def _reference(self, level: Level) -> tuple[int, ...]:
        if REFERENCED_CONTENT_ITEM_IDENTIFIER not in level:
            return ()
        _, value = level.value(REFERENCED_CONTENT_ITEM_IDENTIFIER)
        if not isinstance(value, bytes) or len(value) % 4:
            raise InstanceHeld(Reason.MALFORMED, "no position in a content tree", REFERENCED_CONTENT_ITEM_IDENTIFIER)
        return struct.unpack(f"{self._order}{len(value) // 4}L", value)


def _decision(word: str, said: str) -> Decision:
    action, otherwise = _ACTIONS[word]
    last = Decision(otherwise, f"{said}: {word} is not possible", SECTION) if otherwise else None
    return Decision(action, f"{said}: {word}", SECTION, last)
