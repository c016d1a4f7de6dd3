"""The walk: every element of a data set, nested ones too, through its action (PS3.15 E.1.1, Table E.1-1a).

One table maps actions to methods; which action an element gets is decided by tag number and, for composite
codes, by its type in this IOD. The result is new elements with encoded values; the input is not changed. Pure.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from proxy.deid import dummies, markers
from proxy.deid.access import (
    PIXEL_DATA,
    SPECIFIC_CHARACTER_SET,
    charset_of,
    is_uid,
    plain_of,
    text_of,
)
from proxy.deid.dates import shift_da, shift_dt
from proxy.deid.encode import Element, Item, Part
from proxy.deid.iod import Path, resolve
from proxy.deid.level import Gone, Level, Run
from proxy.deid.profile import Policy
from proxy.deid.pseudonym import PseudonymProvider
from proxy.deid.tables import TransferSyntax
from proxy.deid.unlisted import unlisted_word
from proxy.deid.values import CHARSET_VRS, DEFAULT, Charset, check, split
from proxy.errors import InstanceHeld, Reason

PATIENT_NAME, PATIENT_ID, ISSUER_OF_PATIENT_ID = 0x00100010, 0x00100020, 0x00100021
CONTENT_TEMPLATE_SEQUENCE, CODE_MEANING = 0x0040A504, 0x00080104
#: PS3.5 6.2, and the ACR-NEMA form with colons
_TM = re.compile(r"(?:[01][0-9]|2[0-3])(?:(:?)[0-5][0-9](?:\1[0-6][0-9](?:\.[0-9]{1,6})?)?)?")
#: text of an item that is kept only as a dummy's skeleton
_DUMMIED = CHARSET_VRS | {"AE", "UR"}


@dataclass(frozen=True, slots=True)
class Subject:
    """The patient of the instance: whose pseudonym and date offset everything in it gets."""

    patient_id: str
    offset: int
    issuer: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where the walk is: a data set or item, the sequences around it, the character set in force.

    ``skeleton``: only structure and numbers are wanted, all text is dummied.
    """

    source: Level
    path: Path
    charset: Charset
    skeleton: bool = False
    #: each element by itself, none in runs: somebody reads the result
    apart: bool = False


class Walk:
    """One instance on its way through the policy. ``counts`` says what happened to how many elements."""

    def __init__(
        self, policy: Policy, pseudonyms: PseudonymProvider, subject: Subject, sop_class: str, syntax: TransferSyntax
    ) -> None:
        self._policy = policy
        self._pseudonyms = pseudonyms
        self._subject = subject
        self._sop_class = sop_class
        self._syntax = syntax
        self._present: frozenset[int] = frozenset()
        self.counts: Counter[str] = Counter()

    def run(self, root: Level) -> list[Part]:
        """The elements that may leave, in tag order."""
        self._present = frozenset(root.tags())
        return self._level(Place(root, (), DEFAULT))

    def _level(self, outer: Place) -> list[Part]:
        place = Place(outer.source, outer.path, charset_of(outer.source, outer.charset), outer.skeleton, outer.apart)
        found: list[Part] = []
        for part in place.source.tags() if place.skeleton or place.apart else place.source.parts():
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
        code = self._policy.code(tag)
        if tag in PIXEL_DATA and place.path:
            raise InstanceHeld(Reason.UNSUPPORTED_CONTENT, "pixel data inside a sequence that is kept", tag)
        if tag == SPECIFIC_CHARACTER_SET:
            return self._character_set(place)
        if tag in (PATIENT_NAME, PATIENT_ID):
            return self._patient(tag, place)
        if not code:
            return self._unlisted(tag, place)
        if code == "X" and tag not in self._policy.shifted:
            return None
        vr = self._policy.vrs[tag]
        if tag in self._policy.shifted and (moved := self._shift(tag, vr, place)) is not None:
            return moved
        if code == "Z" or "/" in code:
            code = resolve(code, self._policy.iod.type_of(self._sop_class, place.path, tag, self._present))
        return _ACTIONS[code](self, tag, vr, place)

    def _character_set(self, place: Place) -> Element:
        self.counts["kept"] += 1
        _, value = place.source.value(SPECIFIC_CHARACTER_SET)
        kept = b"ISO_IR 192" if place.charset.transcode or not isinstance(value, bytes) else value
        return Element(SPECIFIC_CHARACTER_SET, "CS", kept)

    def _patient(self, tag: int, place: Place) -> Element | None:
        """Patient ID and Patient's Name become the pseudonym of the Patient ID beside them."""
        vr = self._policy.vrs[tag]
        pseudonym = self._subject.patient_id if not place.path else self._nested_patient(place)
        if not pseudonym:
            return self._empty(tag, vr, place)
        self.counts["replaced"] += 1
        return Element(tag, vr, pseudonym.encode("ascii"))

    def _nested_patient(self, place: Place) -> str:
        value = text_of(place.source, PATIENT_ID, place.charset)
        issuer = text_of(place.source, ISSUER_OF_PATIENT_ID, place.charset) or self._subject.issuer
        return self._pseudonyms.patient_id(issuer, value) if value else ""

    def _unlisted(self, tag: int, place: Place) -> Element | None:
        """What no row of Table E.1-1 names."""
        if tag == CONTENT_TEMPLATE_SEQUENCE and not place.path:
            return None  # the content that followed the template has been replaced
        stated, _ = place.source.value(tag)
        word, vr = unlisted_word(self._policy, tag, stated, self._syntax.little)
        return _WORDS[word](self, tag, vr, place)

    def _keep(self, tag: int, vr: str, place: Place) -> Element | None:
        _, value = place.source.value(tag)
        if not isinstance(value, bytes):
            return None  # a sequence under another name
        if place.skeleton and vr in _DUMMIED:
            return Element(tag, vr, dummies.BY_VR[vr])
        check(tag, vr, value)
        if vr in CHARSET_VRS:
            text = place.charset.decode(tag, value)
            value = text.encode("utf-8") if place.charset.transcode else value
        self.counts["kept"] += 1
        return Element(tag, vr, value)

    def _remove(self, tag: int, vr: str, place: Place) -> Element | None:
        return None

    def _empty(self, tag: int, vr: str, place: Place) -> Element | None:
        self.counts["emptied"] += 1
        return Element(tag, vr, b"" if vr != "SQ" else ())

    def _dummy(self, tag: int, vr: str, place: Place) -> Element | None:
        if vr == "UI":
            return self._remap(tag, vr, place)
        if vr == "SQ":
            return self._dummy_sequence(tag, place)
        value = dummies.dummy(tag, vr)
        if value is None:
            raise InstanceHeld(Reason.ENGINE_ERROR, f"no dummy value for VR {vr}", tag)
        self.counts["replaced"] += 1
        return Element(tag, vr, value)

    def _dummy_sequence(self, tag: int, place: Place) -> Element:
        """Fixed content where there is some, else the skeleton of the first item: structure and numbers, no text."""
        self.counts["replaced"] += 1
        if tag in dummies.SEQUENCES:
            return Element(tag, "SQ", dummies.SEQUENCES[tag])
        items = place.source.items(tag)[:1]
        if tag == dummies.GRAPHIC_ANNOTATION_SEQUENCE and items:
            layer = self._layer(items[0], place)
            return Element(tag, "SQ", dummies.graphic_annotation(layer, self._syntax.little))
        return Element(tag, "SQ", self._walk_items(items, tag, place, skeleton=True))

    def _layer(self, item: Level, place: Place) -> bytes:
        _, value = item.value(dummies.GRAPHIC_LAYER) if dummies.GRAPHIC_LAYER in item else ("", b"")
        value = value if isinstance(value, bytes) else b""
        check(dummies.GRAPHIC_LAYER, "CS", value)
        return value or dummies.REMOVED

    def _recurse(self, tag: int, vr: str, place: Place) -> Element | None:
        items = self._walk_items(place.source.items(tag), tag, place, skeleton=place.skeleton)
        self.counts["kept"] += 1
        return Element(tag, "SQ", items)

    def _walk_items(self, items: Sequence[Level], tag: int, place: Place, skeleton: bool) -> tuple[Item, ...]:
        if skeleton and any(CODE_MEANING in item for item in items):
            return (dummies.REMOVED_CODE,)
        path = (*place.path, tag)
        apart = place.apart or tag in markers.TAGS
        return tuple(tuple(self._level(Place(item, path, place.charset, skeleton, apart))) for item in items)

    def _remap(self, tag: int, vr: str, place: Place) -> Element | None:
        text = plain_of(place.source, tag)
        if text is None:
            return None
        values = [self.uid(value) for value in split(text)]
        self.counts["kept" if values == split(text) else "remapped"] += 1
        return Element(tag, vr, "\\".join(values).encode("ascii"))

    def uid(self, value: str) -> str:
        """The pseudonymous UID; "" stays empty, and only real UIDs of the standard's root stay."""
        if not value:
            return ""
        mapped = self._pseudonyms.uid(value)
        if mapped == value and not is_uid(value):
            return self._pseudonyms.uid("invalid " + value)
        return mapped

    def _shift(self, tag: int, vr: str, place: Place) -> Element | None:
        """PS3.15 E.3.6: None where the option is off or a value is no date or time; the caller falls back."""
        if "rtn_long_modif" not in self._policy.options:
            return None
        text = plain_of(place.source, tag)
        if text is None:
            return None
        try:
            values = [_MOVES[vr](value, self._subject.offset) if value else "" for value in split(text)]
        except ValueError:
            return None
        self.counts["kept" if values == split(text) else "shifted"] += 1
        return Element(tag, vr, "\\".join(values).encode("ascii"))


def _keep_time(value: str, _: int) -> str:
    if _TM.fullmatch(value) is None:
        raise ValueError("not a TM value")
    return value


_MOVES = {"DA": shift_da, "DT": shift_dt, "TM": _keep_time}
#: action of Table E.1-1 (after `resolve`) → what does it
_ACTIONS = {
    "X": Walk._remove,
    "Z": Walk._empty,
    "D": Walk._dummy,
    "U": Walk._remap,
    "R": Walk._recurse,
}
#: word of a profile for what no row names → what does it
_WORDS = {
    "remove": Walk._remove,
    "keep": Walk._keep,
    "remap": Walk._remap,
    "shift": Walk._shift,
    "dummy": Walk._dummy,
    "walk": Walk._recurse,
}
