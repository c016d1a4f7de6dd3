"""The walk: every element of a data set, nested ones too, through the decision that the policy has for it.

Which action an element gets is decided by tag number and, for composite codes, by its type in this IOD. The result is
new elements with encoded values; the input is not changed. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property, lru_cache

from proxy.deid.access import PIXEL_DATA, SPECIFIC_CHARACTER_SET, charset_of, text_of
from proxy.deid.actions import Inapplicable, Outcome
from proxy.deid.cleaning import Cleaning
from proxy.deid.decisions import BASIC, Decision, decider_of
from proxy.deid.document import TokenLevel
from proxy.deid.encode import Element, Part
from proxy.deid.foregone import Conclusion, foregone_of
from proxy.deid.iod import resolve
from proxy.deid.level import Gone, Level, Run
from proxy.deid.place import Place, Step, Subject
from proxy.deid.private import Declaration, SafePrivate
from proxy.deid.private_walk import declarations, private_place
from proxy.deid.profile import Policy
from proxy.deid.pseudonym import PseudonymProvider
from proxy.deid.rule_match import Matcher
from proxy.deid.sequence_actions import SequenceActions
from proxy.deid.tables import TransferSyntax
from proxy.deid.values import DEFAULT
from proxy.errors import InstanceHeld, Reason

PATIENT_NAME, PATIENT_ID, ISSUER_OF_PATIENT_ID = 0x00100010, 0x00100020, 0x00100021
CONTENT_TEMPLATE_SEQUENCE, CODE_MEANING, CODE_VALUE = 0x0040A504, 0x00080104, 0x00080100
MEASUREMENT_UNITS, ITEM = 0x004008EA, 0xFFFEE000
_CHARSET = Decision("charset", "character set of the text that stays", "E.1.1")
_PSEUDONYM = Decision("pseudonym", "pseudonym of the patient", "E.1.1")
NO_PRIVATE = SafePrivate({})
_NOTHING: Mapping[int, Conclusion] = {}
_TEMPLATE = Decision("X", "the content that followed the template is replaced", BASIC)


class Walk(SequenceActions):
    """One instance on its way through the policy. ``steps`` is filled where somebody wants to know."""

    def __init__(
        self,
        policy: Policy,
        pseudonyms: PseudonymProvider,
        subject: Subject,
        sop_class: str,
        syntax: TransferSyntax,
        cleaning: Cleaning,
    ) -> None:
        super().__init__(policy, pseudonyms, subject, syntax, cleaning)
        self._policy = policy
        self._decider = decider_of(policy)
        self._sop_class = sop_class
        self._rows = _rows_of(policy)
        self._foregone = foregone_of(policy, sop_class, syntax.implicit, syntax.little)
        self._root: Level | None = None
        self._declared: tuple[Declaration, ...] = ()
        self._matcher: Matcher | None = None

    def run(self, root: Level) -> list[Part]:
        """The elements that may leave, in tag order."""
        self._root = root
        if isinstance(root, TokenLevel) and self.steps is None:
            root.transcribe(self.uid, self._subject.offset, self._foregone)
        if self._policy.rules:
            self._matcher = Matcher(self._policy.rules, root, self._sop_class, self._policy.moves)
        if self._policy.safe_private is not None:
            self._declared = declarations(root, charset_of(root), self._syntax.little)
        return self._level(Place(root, (), DEFAULT, apart=self.steps is not None))

    @cached_property
    def _present(self) -> frozenset[int]:
        """The tags at the top of the instance."""
        return frozenset(self._root.tags()) if self._root is not None else frozenset()

    def _level(self, outer: Place) -> list[Part]:
        place = outer.entered()
        if self._policy.reads_private:
            safe = self._policy.safe_private or NO_PRIVATE
            matcher = self._matcher if self._is_ruled(place) else None
            private = private_place(
                place.source, place.charset, safe, self._declared, self._syntax.little, self._decider, matcher
            )
            place = replace(place, private=private)
        if place.skeleton or place.apart or place.content is not None:
            parts: Iterator[int | Run | Gone] = iter(place.source.tags())
            foregone = _NOTHING
        else:
            parts, foregone = place.source.parts(), self._foregone.conclusions if not place.path else _NOTHING
        found: list[Part] = []
        for part in parts:
            if isinstance(part, Run):
                for name, count in (("kept", part.kept), *part.others) if part.kept else part.others:
                    self.counts[name] += count
                found.append(part)
            elif isinstance(part, Gone):
                self.counts["removed"] += part.removed
            elif (known := foregone.get(part)) is not None:
                self.counts[known.count] += 1
                if known.part is not None:
                    found.append(known.part)
            elif (element := self._element(part, place)) is not None:
                found.append(element)
            else:
                self.counts["removed"] += 1
        return found

    def _element(self, tag: int, place: Place) -> Element | None:
        if tag in self._rows and place.content is None and self._matcher is None and self.steps is None:
            act, vr, decision = self._rows[tag]
            outcome = act(self, tag, vr, place, decision)
            if not isinstance(outcome, Inapplicable):
                return outcome
        if tag in PIXEL_DATA and place.path:
            raise InstanceHeld(Reason.UNSUPPORTED_CONTENT, "pixel data inside a sequence that is kept", tag)
        decision, vr = self._decide(tag, place)
        if self._matcher is not None and not tag >> 16 & 1 and self._is_ruled(place):
            decision = self._matcher.first(tag, vr, "", decision)
        return self._carry_out(decision, tag, vr, place)

    @staticmethod
    def _is_ruled(place: Place) -> bool:
        """Whether a site's rules are asked: not of what only stands for something that was replaced."""
        return not place.skeleton or place.content is not None

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


@lru_cache(maxsize=64)
def _rows_of(policy: Policy) -> Mapping[int, tuple[_Action, str, Decision]]:
    """What is done to attributes that a row names, where neither its place nor what else is there counts."""
    decider = decider_of(policy)
    rows = {tag: (vr, decider.listed(tag)) for tag, vr in policy.vrs.items()}
    found = {
        tag: (_ACTIONS[row.action], vr, row)
        for tag, (vr, row) in rows.items()
        if row is not None and row.action in _ACTIONS and row.action != "Z"
    }
    found[SPECIFIC_CHARACTER_SET] = (Walk.character_set, "CS", _CHARSET)
    found.update((tag, (Walk.pseudonym, policy.vrs[tag], _PSEUDONYM)) for tag in (PATIENT_NAME, PATIENT_ID))
    return found


#: how an explanation calls them
_NAMES = {
    "X": "remove", "Z": "empty", "D": "dummy", "U": "remap", "R": "walk", "keep_uid": "keep", "keep_date": "keep",
    "clean_whole": "keep", "charset": "keep", "content": "walk", "content_below": "walk", "private_items": "walk",
    "relocate": "keep",
}  # fmt: skip
