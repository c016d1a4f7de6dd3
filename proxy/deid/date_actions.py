"""The actions on dates, times and ages (PS3.15 E.3.6, E.3.7): kept, moved, cut, or as the words about them say.

As `actions`; a value that is no date answers `INAPPLICABLE`. Pure.
"""

from __future__ import annotations

import re

from proxy.deid.access import plain_of
from proxy.deid.actions import INAPPLICABLE, Outcome, ValueActions
from proxy.deid.date_pairs import BIRTH_DATE
from proxy.deid.date_policy import DatePolicy
from proxy.deid.dates import shift_da, shift_dt, truncate_da, truncate_dt
from proxy.deid.decisions import Decision
from proxy.deid.place import Place
from proxy.deid.values import split

#: PS3.5 6.2, and the ACR-NEMA form with colons
_TM = re.compile(r"(?:[01][0-9]|2[0-3])(?:(:?)[0-5][0-9](?:\1[0-6][0-9](?:\.[0-9]{1,6})?)?)?")


class DateActions(ValueActions):
    """Actions on DA, DT, TM and AS."""

    def keep_date(self, tag: int, vr: str, place: Place, decision: Decision) -> Outcome:
        """PS3.15 E.3.6, full dates: dates and times stay; what is no date goes by its basic action."""
        return self._dates(tag, vr, place, 0)

    def shift(self, tag: int, vr: str, place: Place, decision: Decision) -> Outcome:
        """PS3.15 E.3.6, modified dates: moved by the patient's offset."""
        return self._dates(tag, vr, place, self._subject.offset)

    def _dates(self, tag: int, vr: str, place: Place, offset: int) -> Outcome:
        text = plain_of(place.source, tag)
        if text is None or vr not in _MOVES:
            return INAPPLICABLE
        before = split(text)
        try:
            values = [self._move(vr, value, offset) if value else "" for value in before]
        except ValueError:
            return INAPPLICABLE
        return self._plain(tag, vr, values, "kept" if values == before else "shifted")

    def _move(self, vr: str, value: str, offset: int) -> str:
        moved = self._moved.get((vr, value, offset))
        if moved is None:
            moved = self._moved[vr, value, offset] = _MOVES[vr](value, offset)
        return moved

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
