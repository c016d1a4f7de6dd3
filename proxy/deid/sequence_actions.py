"""The actions on sequences: walked into, replaced by a skeleton, cleaned as a content tree; references inside them.

As `actions`, for SQ. What happens to the elements inside is for the walk, which gives `_level`. Pure.
"""

from __future__ import annotations

import struct
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace

from proxy.deid import dummies, markers
from proxy.deid.access import plain_of, text_of
from proxy.deid.actions import INAPPLICABLE, Outcome
from proxy.deid.cleaning import Cleaning
from proxy.deid.content_tree import AGES, ContentReader, Node
from proxy.deid.date_actions import DateActions
from proxy.deid.decisions import Decision
from proxy.deid.encode import Element, Item, Part
from proxy.deid.level import Level
from proxy.deid.place import Place, Step, Subject
from proxy.deid.profile import Policy
from proxy.deid.pseudonym import PseudonymProvider
from proxy.deid.structured_outline import Settled
from proxy.deid.tables import TransferSyntax
from proxy.deid.values import check
from proxy.errors import InstanceHeld

CODE_MEANING, CODE_VALUE, MEASUREMENT_UNITS, ITEM = 0x00080104, 0x00080100, 0x004008EA, 0xFFFEE000


class SequenceActions(DateActions):
    """Actions on sequences. ``steps`` is filled where somebody wants to know what happened."""

    def __init__(
        self,
        policy: Policy,
        pseudonyms: PseudonymProvider,
        subject: Subject,
        syntax: TransferSyntax,
        cleaning: Cleaning,
    ) -> None:
        super().__init__(policy, pseudonyms, subject, cleaning)
        self._syntax = syntax
        self._contents = ContentReader(policy.content, policy.options, syntax.little)
        self.steps: list[Step] | None = None

    @abstractmethod
    def _level(self, outer: Place) -> list[Part]:
        """The elements of a data set or item that may leave."""

    def dummy(self, tag: int, vr: str, place: Place, decision: Decision) -> Outcome:
        """D. A sequence: fixed content where there is some, else the skeleton of the first item, without text."""
        if vr != "SQ":
            return super().dummy(tag, vr, place, decision)
        self.counts["replaced"] += 1
        if tag in dummies.SEQUENCES:
            return Element(tag, "SQ", dummies.SEQUENCES[tag])
        items = place.source.items(tag)[:1]
        if tag == dummies.GRAPHIC_ANNOTATION_SEQUENCE and items:
            layer = self._layer(items[0])
            return Element(tag, "SQ", dummies.graphic_annotation(layer, self._syntax.little))
        return Element(tag, "SQ", self._walk_items(items, tag, place, skeleton=True))

    def _layer(self, item: Level) -> bytes:
        _, value = item.value(dummies.GRAPHIC_LAYER) if dummies.GRAPHIC_LAYER in item else ("", b"")
        value = value if isinstance(value, bytes) else b""
        check(dummies.GRAPHIC_LAYER, "CS", value)
        return value or dummies.REMOVED

    def recurse(self, tag: int, vr: str, place: Place, decision: Decision) -> Outcome:
        """A sequence that stays: its elements each by their own rules."""
        items = self._walk_items(place.source.items(tag), tag, place, skeleton=place.skeleton)
        self.counts["kept"] += 1
        return Element(tag, "SQ", items)

    def content(self, tag: int, vr: str, place: Place, decision: Decision) -> Outcome:
        """C on content items (PS3.15 E.3.4): by Table E.3.4-1; where nothing stays the basic action stands."""
        if place.skeleton:
            return INAPPLICABLE
        nodes, settled = self._contents.read(place.source.items(tag), place.charset)
        for node in nodes:
            if not settled.stays(node.outline):
                self._note_item(tag, node, place)
        items = self._content_items([node for node in nodes if settled.stays(node.outline)], settled, tag, place)
        if not items:
            return INAPPLICABLE
        self.counts["kept"] += 1
        return Element(tag, "SQ", items)

    def content_below(self, tag: int, vr: str, place: Place, decision: Decision) -> Outcome:
        """Content Sequence of a content item: its children as the tree says."""
        content = place.content
        if content is None or content.node is None or content.settled is None:
            return INAPPLICABLE
        staying = content.below()
        for node in content.node.children:
            if node not in staying:
                self._note_item(tag, node, place)
        if not staying:
            return None
        self.counts["kept"] += 1
        return Element(tag, "SQ", self._content_items(staying, content.settled, tag, place))

    def _content_items(self, nodes: Sequence[Node], settled: Settled, tag: int, place: Place) -> tuple[Item, ...]:
        items = []
        for node in nodes:
            inside = Place(
                node.level, (*place.path, tag), place.charset, apart=place.apart,
                numbered=(*place.numbered, tag, node.number), content=self._contents.content(node, settled),
            )  # fmt: skip
            items.append(tuple(self._level(inside)))
        return tuple(items)

    def _note_item(self, tag: int, node: Node, place: Place) -> None:
        self.counts["removed"] += 1
        if self.steps is not None:
            said = f"E.3.4-1 {node.plan.row.meaning}" if node.plan.row else f"content item {node.plan.value_type}"
            path = (*place.numbered, tag, node.number)
            self.steps.append(Step(path, ITEM, "", "remove", f"{said}: remove", "E.3.4"))

    def relocate(self, tag: int, vr: str, place: Place, decision: Decision) -> Outcome:
        """Referenced Content Item Identifier: where that item stands now."""
        position = place.content.position() if place.content else ()
        order = "<" if self._syntax.little else ">"
        self.counts["kept"] += 1
        return Element(tag, "UL", struct.pack(f"{order}{len(position)}L", *position))

    def age(self, tag: int, vr: str, place: Place, decision: Decision) -> Outcome:
        """An age in a content item: the number under the project's policy of ages, the unit beside it."""
        if vr == "SQ":
            inside = replace(place, content=AGES)
            return Element(tag, "SQ", self._walk_items(place.source.items(tag), tag, inside, place.skeleton))
        units = place.source.items(MEASUREMENT_UNITS)
        unit = text_of(units[0], CODE_VALUE, place.charset) if units else ""
        number = self._age_number(plain_of(place.source, tag) or "", unit)
        return INAPPLICABLE if number is None else self._plain(tag, "DS", [number], "kept")

    def private_items(self, tag: int, vr: str, place: Place, decision: Decision) -> Outcome:
        """A safe private sequence; what cannot be read as one goes."""
        try:
            items = place.source.items(tag)
        except InstanceHeld:
            return INAPPLICABLE
        self.counts["kept"] += 1
        return Element(tag, "SQ", self._walk_items(items, tag, place, skeleton=place.skeleton))

    def _walk_items(self, items: Sequence[Level], tag: int, place: Place, skeleton: bool) -> tuple[Item, ...]:
        if skeleton and any(CODE_MEANING in item for item in items):
            return (dummies.REMOVED_CODE,)
        path = (*place.path, tag)
        apart = place.apart or tag in markers.TAGS
        inner = AGES if place.content is AGES else None
        return tuple(
            tuple(self._level(Place(item, path, place.charset, skeleton, apart, (*place.numbered, tag, number), inner)))
            for number, item in enumerate(items)
        )
