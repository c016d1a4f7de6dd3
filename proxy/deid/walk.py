"""The walk: every element of a data set, nested ones too, through the decision that the policy has for it.

Which action an element gets is decided by tag number and, for composite codes, by its type in this IOD. The result is
new elements with encoded values; the input is not changed. Pure.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import replace

from proxy.deid import dummies, markers
from proxy.deid.access import PIXEL_DATA, SPECIFIC_CHARACTER_SET, charset_of, plain_of, text_of
from proxy.deid.actions import INAPPLICABLE, Inapplicable, Outcome, ValueActions
from proxy.deid.content_tree import AGES, ContentReader, Node
from proxy.deid.decisions import BASIC, Decision, decider_of
from proxy.deid.encode import Element, Item, Part
from proxy.deid.iod import resolve
from proxy.deid.level import Gone, Level, Run
from proxy.deid.place import Place, Step, Subject
from proxy.deid.private import Declaration, SafePrivate
from proxy.deid.private_walk import declarations, private_place
from proxy.deid.profile import Policy
from proxy.deid.pseudonym import PseudonymProvider
from proxy.deid.rule_match import Matcher
from proxy.deid.structured_outline import Settled
from proxy.deid.tables import TransferSyntax
from proxy.deid.text import TextCleaner
from proxy.deid.values import DEFAULT, check
from proxy.errors import InstanceHeld, Reason

PATIENT_NAME, PATIENT_ID, ISSUER_OF_PATIENT_ID = 0x00100010, 0x00100020, 0x00100021
CONTENT_TEMPLATE_SEQUENCE, CODE_MEANING, CODE_VALUE = 0x0040A504, 0x00080104, 0x00080100
MEASUREMENT_UNITS, ITEM = 0x004008EA, 0xFFFEE000
_CHARSET = Decision("charset", "character set of the text that stays", "E.1.1")
_PSEUDONYM = Decision("pseudonym", "pseudonym of the patient", "E.1.1")
NO_PRIVATE = SafePrivate({})
_TEMPLATE = Decision("X", "the content that followed the template is replaced", BASIC)


class Walk(ValueActions):
    """One instance on its way through the policy. ``steps`` is filled where somebody wants to know."""

    def __init__(
        self,
        policy: Policy,
        pseudonyms: PseudonymProvider,
        subject: Subject,
        sop_class: str,
        syntax: TransferSyntax,
        cleaner: Callable[[], TextCleaner],
    ) -> None:
        super().__init__(policy, pseudonyms, subject, cleaner)
        self._policy = policy
        self._decider = decider_of(policy)
        self._sop_class = sop_class
        self._syntax = syntax
        self._present: frozenset[int] = frozenset()
        self._contents = ContentReader(policy.content, policy.options, syntax.little)
        self._declared: tuple[Declaration, ...] = ()
        self._matcher: Matcher | None = None
        self.steps: list[Step] | None = None

    def run(self, root: Level) -> list[Part]:
        """The elements that may leave, in tag order."""
        self._present = frozenset(root.tags())
        if self._policy.rules:
            self._matcher = Matcher(self._policy.rules, root, self._sop_class, self._policy.moves)
        if self._policy.safe_private is not None:
            self._declared = declarations(root, charset_of(root), self._syntax.little)
        return self._level(Place(root, (), DEFAULT, apart=self.steps is not None))

    def _level(self, outer: Place) -> list[Part]:
        place = outer.entered()
        if self._policy.reads_private:
            safe = self._policy.safe_private or NO_PRIVATE
            private = private_place(place.source, place.charset, safe, self._declared, self._syntax.little)
            place = replace(place, private=private)
        found: list[Part] = []
        by_itself = place.skeleton or place.apart or place.content is not None
        for part in place.source.tags() if by_itself else place.source.parts():
            if isinstance(part, Run):
                self.counts["kept"] += part.count
                found.append(part)
            elif isinstance(part, Gone):
                self.counts["removed"] += part.count
            elif (element := self._element(part, place)) is not None:
                found.append(element)
            else:
                self.counts["removed"] += 1
        return found

    def _element(self, tag: int, place: Place) -> Element | None:
        if tag in PIXEL_DATA and place.path:
            raise InstanceHeld(Reason.UNSUPPORTED_CONTENT, "pixel data inside a sequence that is kept", tag)
        decision, vr = self._decide(tag, place)
        if self._matcher is not None and not (place.skeleton and place.content is None):
            creator = place.private.creators.get(tag, "") if place.private is not None else ""
            decision = self._matcher.first(tag, vr, creator, decision)
        return self._carry_out(decision, tag, vr, place)

    def _decide(self, tag: int, place: Place) -> tuple[Decision, str]:
        if tag == SPECIFIC_CHARACTER_SET:
            return _CHARSET, "CS"
        if tag in (PATIENT_NAME, PATIENT_ID):
            return _PSEUDONYM, self._policy.vrs[tag]
        if place.content is not None and tag in place.content.decisions:
            return place.content.decisions[tag], self._vr(tag, place)
        if tag >> 16 & 1 and place.private is not None:
            return place.private.decide(tag)
        listed = self._decider.listed(tag)
        if listed is not None:
            return listed, self._policy.vrs.get(tag, "")
        if tag == CONTENT_TEMPLATE_SEQUENCE and not place.path and self._content_is_replaced:
            return _TEMPLATE, "SQ"
        stated, _ = place.source.value(tag)
        return self._decider.unlisted(tag, stated, self._syntax.little)

    def _vr(self, tag: int, place: Place) -> str:
        stated, _ = place.source.value(tag)
        return self._policy.vrs.get(tag) or self._decider.unlisted(tag, stated, self._syntax.little)[1]

    @property
    def _content_is_replaced(self) -> bool:
        return "clean_struct" not in self._policy.options

    def _carry_out(self, first: Decision, tag: int, vr: str, place: Place) -> Element | None:
        at = self._note(tag, vr, place)
        decision: Decision | None = first
        while decision is not None:
            code = decision.action
            if code == "Z" or "/" in code:
                code = resolve(code, self._policy.iod.type_of(self._sop_class, place.path, tag, self._present))
            outcome = _ACTIONS[code](self, tag, vr, place, decision)
            if not isinstance(outcome, Inapplicable):
                self._explain(at, decision, code)
                return outcome
            decision = decision.otherwise
        raise InstanceHeld(Reason.ENGINE_ERROR, "no action fits the value", tag)

    def _note(self, tag: int, vr: str, place: Place) -> int:
        """A line for this element, before those of what is inside it."""
        if self.steps is None:
            return -1
        self.steps.append(Step(place.numbered, tag, vr, "", "", ""))
        return len(self.steps) - 1

    def note_added(self, tag: int, vr: str, why: str) -> None:
        """A line for an element that the input need not have had."""
        if self.steps is not None:
            self.steps.append(Step((), tag, vr, "add", why, "E.1.1"))

    def _explain(self, at: int, decision: Decision, code: str) -> None:
        if self.steps is not None:
            step = self.steps[at]
            done = _NAMES.get(code, code)
            self.steps[at] = Step(step.path, step.tag, step.vr, done, decision.rule, decision.section)

    def character_set(self, tag: int, vr: str, place: Place, decision: Decision) -> Outcome:
        """(0008,0005): as declared, or UTF-8 where text is transcoded."""
        self.counts["kept"] += 1
        _, value = place.source.value(tag)
        kept = b"ISO_IR 192" if place.charset.transcode or not isinstance(value, bytes) else value
        return Element(tag, "CS", kept)

    def pseudonym(self, tag: int, vr: str, place: Place, decision: Decision) -> Outcome:
        """Patient ID and Patient's Name become the pseudonym of the Patient ID beside them."""
        pseudonym = self._subject.patient_id if not place.path else self._nested_patient(place)
        if not pseudonym:
            return self.empty(tag, vr, place, decision)
        self.counts["replaced"] += 1
        return Element(tag, vr, pseudonym.encode("ascii"))

    def _nested_patient(self, place: Place) -> str:
        value = text_of(place.source, PATIENT_ID, place.charset)
        issuer = text_of(place.source, ISSUER_OF_PATIENT_ID, place.charset) or self._subject.issuer
        return self._pseudonyms.patient_id(issuer, value) if value else ""

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


_Action = Callable[[Walk, int, str, Place, Decision], Outcome]
#: action of Table E.1-1 (after `resolve`), or word of a decision → what does it
_ACTIONS: dict[str, _Action] = {
    "X": Walk.remove,
    "Z": Walk.empty,
    "D": Walk.dummy,
    "U": Walk.remap,
    "R": Walk.recurse,
    "keep": Walk.keep,
    "keep_uid": Walk.keep_uid,
    "keep_date": Walk.keep_date,
    "shift": Walk.shift,
    "clean": Walk.clean,
    "clean_whole": Walk.clean_whole,
    "hash": Walk.hash,
    "date": Walk.date,
    "truncate": Walk.truncate,
    "constant": Walk.constant,
    "content": Walk.content,
    "content_below": Walk.content_below,
    "relocate": Walk.relocate,
    "age": Walk.age,
    "private_items": Walk.private_items,
    "charset": Walk.character_set,
    "pseudonym": Walk.pseudonym,
}
#: how an explanation calls them
_NAMES = {
    "X": "remove", "Z": "empty", "D": "dummy", "U": "remap", "R": "walk", "keep_uid": "keep", "keep_date": "keep",
    "clean_whole": "keep", "charset": "keep", "content": "walk", "content_below": "walk", "private_items": "walk",
    "relocate": "keep",
}  # fmt: skip
