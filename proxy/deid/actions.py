"""The actions on one value (PS3.15 Table E.1-1a, E.3): what leaves in its place, or nothing.

Each takes tag, VR, place and the decision that chose it. It returns the new element, None where the element goes, or
`INAPPLICABLE` where the value does not allow the action; then the walk takes the decision's ``otherwise``. The input is
not changed. Pure.
"""

from __future__ import annotations

from collections import Counter
from enum import Enum

from proxy.deid import dummies
from proxy.deid.access import is_uid, plain_of
from proxy.deid.cleaning import Cleaning
from proxy.deid.decisions import Decision
from proxy.deid.encode import Element
from proxy.deid.place import Place, Subject
from proxy.deid.profile import Policy
from proxy.deid.pseudonym import PseudonymProvider
from proxy.deid.values import CHARSET_VRS, LIMITS, check, fits, split
from proxy.errors import InstanceHeld, Reason

#: text of an item that is kept only as a dummy's skeleton
_DUMMIED = CHARSET_VRS | {"AE", "UR"}
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

    def __init__(self, policy: Policy, pseudonyms: PseudonymProvider, subject: Subject, cleaning: Cleaning) -> None:
        self._pseudonyms = pseudonyms
        self._subject = subject
        self._cleaning = cleaning
        self._dating = policy.dates
        #: whether dates move, so that what is truncated has to move before
        self._moves = policy.moves
        #: what was mapped already: an instance says the same UIDs and dates in many places
        self._uids: dict[str, str] = {}
        self._moved: dict[tuple[str, str, int], str] = {}
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

    def remap(self, tag: int, vr: str, place: Place, decision: Decision) -> Outcome:
        """U."""
        text = plain_of(place.source, tag)
        if text is None:
            return None
        before = split(text)
        values = [self.uid(value) for value in before]
        return self._plain(tag, vr, values, "kept" if values == before else "remapped")

    def uid(self, value: str) -> str:
        """The pseudonymous UID; "" stays empty, and only real UIDs of the standard's root stay."""
        if not value:
            return ""
        known = self._uids.get(value)
        if known is None:
            known = self._pseudonyms.uid(value)
            if known == value and not is_uid(value):
                known = self._pseudonyms.uid("invalid " + value)
            self._uids[value] = known
        return known

    def hash(self, tag: int, vr: str, place: Place, decision: Decision) -> Outcome:
        """A keyed pseudonym of the text: what was different stays different, and nobody can go back."""
        if vr == "UI":
            return self.remap(tag, vr, place, decision)
        _, value = place.source.value(tag)
        if vr not in _HASHED or not isinstance(value, bytes):
            return INAPPLICABLE
        text = place.charset.decode(tag, value).strip(" \0")
        kind = place.private.name_of(tag) if place.private is not None else f"{tag:08X}"
        self.counts["replaced"] += 1
        return Element(tag, vr, self._pseudonyms.text(kind, text).encode("ascii") if text else b"")

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
        """C on a code string or an application entity: it stays whole, or not at all where it names somebody."""
        text = plain_of(place.source, tag)
        if not text or any(self._cleaning.identifies(value) for value in split(text) if value):
            return INAPPLICABLE
        return self.keep(tag, vr, place, decision)

    def constant(self, tag: int, vr: str, place: Place, decision: Decision) -> Outcome:
        """What a site's rule says in the place of every value."""
        if not fits(vr, decision.argument):
            return INAPPLICABLE
        self.counts["replaced"] += 1
        return Element(tag, vr, decision.argument.encode("ascii"))

    def _cleaned(self, text: str, limit: int) -> str:
        if not text:
            return ""
        cleaned = self._cleaning.clean(text, limit)
        if not cleaned.judged:
            self.counts["unjudged"] += 1
        return cleaned.text

    def _plain(self, tag: int, vr: str, values: list[str], count: str) -> Element:
        self.counts[count] += 1
        return Element(tag, vr, "\\".join(values).encode("ascii"))
