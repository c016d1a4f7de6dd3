"""What a profile says about dates, times and ages, and what that makes of one value (PS3.15 E.3.6, E.3.7).

Truncation comes after the move, so that a truncated date tells neither the day nor the offset. Sees one value at a
time; which elements come here is decided elsewhere. A profile's words are read by `date_words`, which refuses
combinations that give each other away. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from proxy.deid import dates
from proxy.deid.date_pairs import BIRTH_DATE, BIRTH_TIME, STUDY_DATE, TIME_OF
from proxy.deid.pseudonym import CROCKFORD, PseudonymProvider

#: UCUM unit of an age → how many of them are a year
_AGE_UNITS = {"a": 1.0, "mo": 12.0, "wk": 52.1775, "d": 365.2425}
_PLAIN = re.compile(r"[0-9]{1,8}(\.[0-9]{0,8})?")


@dataclass(frozen=True, slots=True)
class DatePolicy:
    """``dates`` is the word for every DA and DT, ``times`` for every TM and the time in a DT.

    ``attributes`` differ from them: tag → word. ``month`` puts a date on ``day_of_month`` of its month (its last day
    where the month is shorter), ``year`` on 1 January. Ages of more than ``age_cap`` years become one more.
    """

    dates: str
    birth_date: str
    times: str
    ages: str
    day_of_month: int = 15
    age_cap: int = 89
    attributes: Mapping[int, str] = field(default_factory=dict)

    def apply(self, tag: int, vr: str, value: str, offset: int, *, minutes: int = 0, beside: str = "") -> str | None:
        """What stands in the place of ``value``; None where nothing may, also for what is not of its VR.

        ``offset``: the patient's whole days; ``minutes``: `time_offset`, needed where times move. ``beside``: the
        original value of `companion`, where there is one.
        """
        method = _METHODS.get(vr)
        if method is None:
            return None
        if not value.strip(" \0"):
            return ""
        if self.times == "shift" and not minutes:
            raise ValueError("times move, but by how many minutes was not said")
        try:
            return method(self, tag, value, offset, minutes, beside)
        except ValueError:  # not of its VR, or moved out of the calendar
            return None

    def companion(self, tag: int) -> int | None:
        """The attribute of the same item without whose value ``tag`` cannot be judged exactly.

        A date moves with its time of day over midnight; a birth date is capped by the age on the day of the study.
        """
        if tag == BIRTH_DATE:
            return STUDY_DATE if self.ages == "cap" else None
        return TIME_OF.get(tag) if self.times == "shift" else None

    def age_number(self, value: str, unit: str) -> str | None:
        """An age in a content item (Subject Age): number and UCUM unit; None where it may not stay."""
        number, per_year = value.strip(" \0"), _AGE_UNITS.get(unit.strip(" \0"))
        if self.ages == "remove" or per_year is None or not _PLAIN.fullmatch(number):
            return None
        most = self.age_cap + 1
        return f"{most * per_year:g}" if self.ages == "cap" and float(number) >= most * per_year else number

    @property
    def longitudinal(self) -> str:
        """(0028,0303) Longitudinal Temporal Information Modified; a birth date is no longitudinal information."""
        said = {self.dates, self.times, *self.attributes.values()}
        if said == {"keep"}:
            return "UNMODIFIED"
        return "REMOVED" if said == {"remove"} else "MODIFIED"

    @property
    def moves(self) -> bool:
        """Whether any date moves."""
        return "shift" in {self.dates, self.birth_date, *self.attributes.values()}

    def _date(self, tag: int, value: str, offset: int, minutes: int, beside: str) -> str | None:
        if tag == BIRTH_DATE:
            word, carried = self.birth_date, 0
            if beside and self.ages == "cap" and dates.completed_years(value, beside) > self.age_cap:
                value = dates.years_before(beside, self.age_cap + 1)
        else:
            word = self.attributes.get(tag, self.dates)
            carried = dates.shift_tm(beside, minutes)[1] if beside.strip(" \0") and self.times == "shift" else 0
        if word == "remove":
            return None
        moved = dates.shift_da(value, (offset + carried) if self.moves else 0)
        return dates.truncate_da(moved, self._day(word)) if word in ("year", "month") else moved

    def _datetime(self, tag: int, value: str, offset: int, minutes: int, _: str) -> str | None:
        word = self.attributes.get(tag, self.dates)
        if word == "remove":
            return None
        moved = dates.shift_moment(value, offset if self.moves else 0, minutes if self.times == "shift" else 0)
        if word in ("year", "month"):
            return dates.truncate_dt(moved, self._day(word))
        day, time, zone = dates.split_dt(moved)
        if self.times == "remove":
            return day
        return day + (dates.coarsen_tm(time) if time and self.times == "hour" else time) + zone

    def _time(self, tag: int, value: str, offset: int, minutes: int, _: str) -> str | None:
        word = self.attributes.get(tag, self.times)
        if word == "remove" or (tag == BIRTH_TIME and self.birth_date != "keep"):
            return None
        if word == "shift":
            return dates.shift_tm(value, minutes)[0]
        return dates.coarsen_tm(value) if word == "hour" else dates.check_tm(value)

    def _age(self, tag: int, value: str, offset: int, minutes: int, _: str) -> str | None:
        if self.ages == "remove":
            return None
        return dates.cap_as(value, self.age_cap if self.ages == "cap" else 999)

    def _day(self, word: str) -> int:
        return self.day_of_month if word == "month" else 0


_Method = Callable[[DatePolicy, int, str, int, int, str], str | None]
_METHODS: Mapping[str, _Method] = {
    "DA": DatePolicy._date,
    "DT": DatePolicy._datetime,
    "TM": DatePolicy._time,
    "AS": DatePolicy._age,
}


def time_offset(provider: PseudonymProvider, issuer: str, patient_id: str) -> int:
    """Minutes to add to every time of this patient: negative, never 0, less than a day; independent of the days."""
    pseudonym = provider.text("time of day", provider.patient_id(issuer, patient_id))
    number = 0
    for character in pseudonym:
        number = number * 32 + CROCKFORD.index(character)
    return -(1 + number % (24 * 60 - 1))
