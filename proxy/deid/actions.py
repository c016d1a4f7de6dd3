"""The actions on one value (PS3.15 Table E.1-1a, E.3): what leaves in its place, or nothing.

Each takes tag, VR, place and the decision that chose it. It returns the new element, None where the element goes, or
`INAPPLICABLE` where the value does not allow the action; then the walk takes the decision's ``otherwise``. The input is
not changed. Pure.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from enum import Enum

from proxy.deid import dummies
from proxy.deid.access import is_uid, plain_of
from proxy.deid.date_pairs import BIRTH_DATE
from proxy.deid.date_policy import DatePolicy
from proxy.deid.dates import shift_da, shift_dt, truncate_da, truncate_dt
from proxy.deid.decisions import Decision
from proxy.deid.encode import Element
from proxy.deid.place import Place, Subject
from proxy.deid.profile import Policy
from proxy.deid.pseudonym import PseudonymProvider
from proxy.deid.text import TextCleaner
from proxy.deid.values import CHARSET_VRS, LIMITS, check, fits, split
from proxy.errors import InstanceHeld, Reason

#: text of an item that is kept only as a dummy's skeleton
_DUMMIED = CHARSET_VRS | {"AE", "UR"}
#: PS3.5 6.2, and the ACR-NEMA form with colons
_TM = re.compile(r"(?:[01][0-9]|2[0-3])(?:(:?)[0-5][0-9](?:\1[0-6][0-9](?:\.[0-9]{1,6})?)?)?")
#: VRs that hold any text, so also a pseudonym
_HASHED = frozenset({"AE", "CS", "LO", "LT", "SH", "ST", "UC", "UT"})
#: VRs whose text may hold a backslash: one value only
_SINGLE = frozenset({"LT", "ST", "UT"})


class Inapplicable(Enum):
    """What an action answers when the value is not of the kind that it works on."""

    TOKEN = 0


INAPPLICABLE = Inapplicable.TOKEN
Outcome = Element | Inapplicable | None


class ValueActions:
    """Actions on values that are no sequences. ``counts`` says what happened to how many elements."""

    def __init__(
        self, policy: Policy, pseudonyms: PseudonymProvider, subject: Subject, cleaner: Callable[[], TextCleaner]
    ) -> None:
        self._pseudonyms = pseudonyms
        self._subject = subject
        self._cleaner = cleaner
        self._dating = policy.dates
        #: whether dates move, so that what is truncated has to move before
        self._moves = policy.moves
        self.counts: Counter[str] = Counter()

    def remove(self, tag: int, vr: str, place: Place, decision: Decision) -> Outcome:
        """X."""
        return None

    def empty(self, tag: int, vr: str, place: Place, decision: Decision) -> Outcome:
        """Z."""
        self.counts["emptied"] += 1
        return Element(tag, vr, b"" if vr != "SQ" else ())

    def dummy(self, tag: int, vr: str, place: Place, decision: Decision) -> Outcome:
        """D, but for sequences. A UID gets a pseudonymous one."""
        if vr == "UI":
            return self.remap(tag, vr, place, decision)
        value = dummies.dummy(tag, vr)
        if value is None:
            raise InstanceHeld(Reason.ENGINE_ERROR, f"no dummy value for VR {vr}", tag)
        self.counts["replaced"] += 1
        return Element(tag, vr, value)

    def keep(self, tag: int, vr: str, place: Place, decision: Decision) -> Outcome:
        """K: the bytes that came, once they were found to be of their VR."""
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

    def keep_uid(self, tag: int, vr: str, place: Place, decision: Decision) -> Outcome:
        """PS3.15 E.3.9: UIDs stay; what is no UID is not one of them."""
        text = plain_of(place.source, tag)
        if text is None or not all(is_uid(value) for value in split(text) if value):
            return INAPPLICABLE
        return self._plain(tag, vr, split(text), "kept")

    def keep_date(self, tag: int, vr: str, place: Place, decision: Decision) -> Outcome:
        """PS3.15 E.3.6, full dates: dates and times stay; what is no date goes by its basic action."""
        return self._dates(tag, vr, place, 0)

    def shift(self, tag: int, vr: str, place: Place, decision: Decision) -> Outcome:
        """PS3.15 E.3.6, modified dates: moved by the patient's offset."""
        return self._dates(tag, vr, place, self._subject.offset)

    def remap(self, tag: int, vr: str, place: Place, decision: Decision) -> Outcome:
        """U."""
        text = plain_of(place.source, tag)
        if text is None:
            return None
        values = [self.uid(value) for value in split(text)]
        return self._plain(tag, vr, values, "kept" if values == split(text) else "remapped")

    def uid(self, value: str) -> str:
        """The pseudonymous UID; "" stays empty, and only real UIDs of the standard's root stay."""
        if not value:
            return ""
        mapped = self._pseudonyms.uid(value)
        if mapped == value and not is_uid(value):
            return self._pseudonyms.uid("invalid " + value)
        return mapped

    def hash(self, tag: int, vr: str, place: Place, decision: Decision) -> Outcome:
        """A keyed pseudonym of the text: what was different stays different, and nobody can go back."""
        if vr == "UI":
            return self.remap(tag, vr, place, decision)
        _, value = place.source.value(tag)
        if vr not in _HASHED or not isinstance(value, bytes):
            return INAPPLICABLE
        text = place.charset.decode(tag, value).strip(" \0")
        self.counts["replaced"] += 1
        return Element(tag, vr, self._pseudonyms.text(f"{tag:08X}", text).encode("ascii") if text else b"")

    def clean(self, tag: int, vr: str, place: Place, decision: Decision) -> Outcome:
        """C on text (PS3.15 E.3.5): words stay, identity goes. A text of which nothing is left goes by its row."""
        _, value = place.source.value(tag)
        if not isinstance(value, bytes):
            return None
        if place.skeleton:
            return Element(tag, vr, dummies.BY_VR[vr])
        before = [place.charset.decode(tag, value)] if vr in _SINGLE else place.charset.decode(tag, value).split("\\")
        after = [self._cleaned(text.strip(" \0"), LIMITS[vr]) for text in before]
        if not any(after):
            return INAPPLICABLE
        if after == [text.strip(" \0") for text in before] and not place.charset.transcode:
            self.counts["kept"] += 1
            return Element(tag, vr, value)
        encoded = place.charset.encode("\\".join(after))
        if encoded is None:
            return INAPPLICABLE
        self.counts["cleaned"] += 1
        return Element(tag, vr, encoded)

    def clean_whole(self, tag: int, vr: str, place: Place, decision: Decision) -> Outcome:
        """C on a code string or an application entity: it stays whole or not at all."""
        text = plain_of(place.source, tag)
        if not text or any(self._cleaned(value, LIMITS[vr]) != value for value in split(text) if value):
            return INAPPLICABLE
        return self.keep(tag, vr, place, decision)

    def constant(self, tag: int, vr: str, place: Place, decision: Decision) -> Outcome:
        """What a site's rule says in the place of every value."""
        if not fits(vr, decision.argument):
            return INAPPLICABLE
        self.counts["replaced"] += 1
        return Element(tag, vr, decision.argument.encode("ascii"))

    def truncate(self, tag: int, vr: str, place: Place, decision: Decision) -> Outcome:
        """A date cut to a day of its month, or to its year; after the move, where dates move."""
        text = plain_of(place.source, tag)
        if text is None or vr not in _CUTS:
            return INAPPLICABLE
        offset = self._subject.offset if self._moves else 0
        try:
            values = [_CUTS[vr](_MOVES[vr](v, offset), int(decision.argument)) if v else "" for v in split(text)]
        except ValueError:
            return INAPPLICABLE
        return self._plain(tag, vr, values, "truncated")

    def date(self, tag: int, vr: str, place: Place, decision: Decision) -> Outcome:
        """A date, time or age as the profile's own words about dates say (`DatePolicy`)."""
        policy, text = self._dating, plain_of(place.source, tag)
        if policy is None or text is None or _date_word(policy, tag, vr) == "remove":
            return INAPPLICABLE
        companion = policy.companion(tag)
        beside = split(plain_of(place.source, companion) or "") if companion is not None else []
        values = []
        for number, value in enumerate(split(text)):
            near = beside[number] if number < len(beside) else ""
            done = policy.apply(tag, vr, value, self._subject.offset, minutes=self._subject.minutes, beside=near)
            if done is None:
                return INAPPLICABLE
            values.append(done)
        changed = "shifted" if policy.moves else "truncated"
        return self._plain(tag, vr, values, "kept" if values == split(text) else changed)

    def _age_number(self, number: str, unit: str) -> str | None:
        if self._dating is None:
            return number or None
        return self._dating.age_number(number, unit)

    def _cleaned(self, text: str, limit: int) -> str:
        if not text:
            return ""
        cleaned = self._cleaner().clean(text, limit)
        if not cleaned.judged:
            self.counts["unjudged"] += 1
        return cleaned.text

    def _dates(self, tag: int, vr: str, place: Place, offset: int) -> Outcome:
        text = plain_of(place.source, tag)
        if text is None or vr not in _MOVES:
            return INAPPLICABLE
        try:
            values = [_MOVES[vr](value, offset) if value else "" for value in split(text)]
        except ValueError:
            return INAPPLICABLE
        return self._plain(tag, vr, values, "kept" if values == split(text) else "shifted")

    def _plain(self, tag: int, vr: str, values: list[str], count: str) -> Element:
        self.counts[count] += 1
        return Element(tag, vr, "\\".join(values).encode("ascii"))


def _date_word(policy: DatePolicy, tag: int, vr: str) -> str:
    if tag == BIRTH_DATE:
        return policy.birth_date
    if vr == "AS":
        return policy.ages
    return policy.attributes.get(tag, policy.times if vr == "TM" else policy.dates)


def _keep_time(value: str, _: int) -> str:
    if _TM.fullmatch(value) is None:
        raise ValueError("not a TM value")
    return value


_MOVES = {"DA": shift_da, "DT": shift_dt, "TM": _keep_time}
_CUTS = {"DA": truncate_da, "DT": truncate_dt}
