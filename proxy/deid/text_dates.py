"""Dates inside text: found in the forms that people write, then moved, kept or removed.

A date that can be read in two ways (03/04/2020), lacks its day or its century, or stands behind a word for birth is
never moved, only removed (or kept where the profile keeps dates). Every pattern is linear: bounded repeats. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from proxy.deid.text_scripts import CASED

#: what a removed pattern and a kept date leave in the text while it is worked on; never in an input (category Co)
GONE, DATE = "\ue000", "\ue001"
_SEP = r"[-./／．－]"
_TAIL = "(?![0-9])"
_BORN = re.compile(
    r"(?:\b(?:dob|born|birth(?: ?date)?|date of birth|d\.o\.b\.?|geb(?:oren|\.|datum)?|geburtsdatum|née?|naissance|ddn"
    r"|fdn|nacid[oa]|nacimiento|nat[oa]|nascid[oa]|geboren|д\.?р\.?|рожд\w{0,5}|г\.?р\.?|γεν\w{0,9})|\*|生年月日|出生(?:日期)?|生まれ)"
    r"(?:[\s:.=,(*]|am|on|le|el|den|the){0,6}$",
    re.IGNORECASE,
)
_BORN_REACH = 24
_FIGURE = re.compile("[0-9元]")
_YMD = re.compile(rf"(?<![0-9./,-])(1[89][0-9]{{2}}|20[0-9]{{2}}) ?({_SEP}) ?([0-9]{{1,2}}) ?\2 ?([0-9]{{1,2}}){_TAIL}")
_DMY = re.compile(
    rf"(?<![0-9./,-])([0-9]{{1,2}}) ?({_SEP}) ?([0-9]{{1,2}}) ?\2 ?"
    rf"(1[89][0-9]{{2}}|20[0-9]{{2}}|['’]?[0-9]{{2}}){_TAIL}"
)
_COMPACT = re.compile(
    r"(?<![0-9.])((?:1[89]|20)[0-9]{2})(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])"
    r"(?:[0-9]{4}(?:[0-9]{2}(?:\.[0-9]{1,6})?)?)?(?![0-9])"
)
_HAN = re.compile(r"([0-9]{4}|[0-9]{2}) ?[年년] ?([0-9]{1,2}) ?[月월](?: ?([0-9]{1,2}) ?[日일号號])?")
_PARTS = re.compile(
    r"(?<![0-9])[0-9]{1,2} ?[月월] ?[0-9]{1,2} ?[日일号號]|(?<![0-9])(?:19|20)[0-9]{2} ?[年년](?![間间以])"
    r"|(?<![0-9./-])(?:0?[1-9]|1[0-2])[/-](?:19|20)[0-9]{2}(?![0-9])"
    r"|(?<![0-9./,-])(?:0[1-9]|1[0-2])\.(?:19|20)[0-9]{2}(?![0-9.])"
    r"|(?<![0-9./-])(?:19|20)[0-9]{2}[-/.](?:0[1-9]|1[0-2])(?![0-9.-])"
)
_ERA = re.compile(
    r"(明治|大正|昭和|平成|令和|民国|民國|(?<![A-Za-z])[MTSHR]) ?([0-9]{1,3}|元) ?(?:年|[./](?=[0-9]))"
    r"(?: ?([0-9]{1,2}) ?[月./](?: ?([0-9]{1,2}) ?日?)?)?(?![0-9])"
)
_ERAS = {
    "明治": 1867, "大正": 1911, "昭和": 1925, "平成": 1988, "令和": 2018, "民国": 1911, "民國": 1911,
    "M": 1867, "T": 1911, "S": 1925, "H": 1988, "R": 2018,
}  # fmt: skip
#: names of months that are words or terms too: without a year they are no date
_WORDS = frozenset(
    {"may", "mar", "mag", "set", "out", "ago", "gen", "dic", "mei", "mai", "mars", "lug", "giu", "ene", "fev", "μαρ"}
    | {"сен", "май", "мая", "июл", "июн"}
)
_ORDINAL = r"(?:st|nd|rd|th|er|º|ª|o|-?го|η|\.)?"
_JOIN = r"[\s.,/-]{0,2}(?:de |del |of |den )?"
_YEAR = r"((?:1[89]|20)[0-9]{2}|['’]?[0-9]{2}(?![0-9.:,]))"

#: year, month (0 unknown), day (0 unknown)
Day = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class _Form:
    """One way to write a date: ``read`` gives every reading of a match, ``write`` the same form for another day."""

    pattern: re.Pattern[str]
    read: Callable[[re.Match[str]], list[Day]]
    write: Callable[[re.Match[str], Day, date], str]


class Dates:
    """Dates in text under one profile. ``vanishing``: days (YYYYMMDD) that never stay, in whatever form."""

    def __init__(
        self, months: Sequence[tuple[str, int]], vanishing: Iterable[str], offset: int | None, keep: bool
    ) -> None:
        """``offset``: whole days to move by, None removes. ``keep`` leaves dates as they are."""
        self._offset, self._keep = offset, keep
        days = [v for v in vanishing if re.fullmatch("[0-9]{8}", v)]
        self._days = frozenset((int(v[:4]), int(v[4:6]), int(v[6:])) for v in days)
        self._months = frozenset((y, m) for y, m, _ in self._days)
        self.years = frozenset(y for y, _, _ in self._days)
        self._forms = (*_FORMS, *_named(tuple(months)))

    def replace(self, text: str, kept: list[str] | None) -> tuple[str, int]:
        """Dates become `GONE`, or `DATE` with their new text added to ``kept``, in order; and how many are gone.

        ``kept`` None: every date goes (they only came about because words between them went).
        """
        spans: list[tuple[int, int, str | None]] = []
        if not _FIGURE.search(text):
            return text, 0
        for form in self._forms:
            for match in form.pattern.finditer(text):
                spans.append((*match.span(), None if kept is None else self._new(form, match, text)))
        spans.sort(key=lambda span: (span[0], -span[1]))
        parts, at, gone = [], 0, 0
        for start, end, new in spans:
            if start < at:
                continue
            if new is None or kept is None:
                gone += 1
            else:
                kept.append(new)
            parts += [text[at:start], GONE if new is None or kept is None else DATE]
            at = end
        return "".join((*parts, text[at:])), gone

    def _new(self, form: _Form, match: re.Match[str], text: str) -> str | None:
        readings = form.read(match)
        if any(self._vanishes(day) for day in readings):
            return None
        if _BORN.search(text[max(0, match.start() - _BORN_REACH) : match.start()]):
            return None
        if self._keep:
            return match[0]
        if self._offset is None or len(readings) != 1 or 0 in readings[0]:
            return None
        try:
            moved = date(*readings[0]) + timedelta(days=self._offset)
        except (ValueError, OverflowError):  # no day of the calendar
            return None
        if self._vanishes((moved.year, moved.month, moved.day)):
            return None
        return form.write(match, readings[0], moved)

    def _vanishes(self, day: Day) -> bool:
        year, month, number = day
        return day in self._days or (not number and (year, month) in self._months) or (not month and year in self.years)


def _plausible(days: Iterable[Day]) -> list[Day]:
    return sorted({day for day in days if 1 <= day[1] <= 12 and 1 <= day[2] <= 31})


def _years(written: str) -> list[int]:
    digits = written.lstrip("'’")
    return [int(digits)] if len(digits) == 4 else [1900 + int(digits), 2000 + int(digits)]


def _read_ymd(match: re.Match[str]) -> list[Day]:
    return _plausible([(int(match[1]), int(match[3]), int(match[4]))])


def _read_dmy(match: re.Match[str]) -> list[Day]:
    first, second = int(match[1]), int(match[3])
    days = [(y, second, first) for y in _years(match[4])]
    if match[2] not in ".．" or len(match[4]) != 4:  # points stand for day, month, year alone
        days += [(y, first, second) for y in _years(match[4])]
    if len(match[4]) == 2:
        days += [(y, second, int(match[4])) for y in _years(f"{first:02d}")]
    return _plausible(days)


def _write_ymd(match: re.Match[str], _: Day, moved: date) -> str:
    return f"{moved.year:04d}{match[2]}{_as(match[3], moved.month)}{match[2]}{_as(match[4], moved.day)}"


def _write_dmy(match: re.Match[str], read: Day, moved: date) -> str:
    day_first = (int(match[1]), int(match[3])) == (read[2], read[1])
    first, second = (moved.day, moved.month) if day_first else (moved.month, moved.day)
    return f"{_as(match[1], first)}{match[2]}{_as(match[3], second)}{match[2]}{moved.year:04d}"


def _as(written: str, number: int) -> str:
    return f"{number:02d}" if len(written) == 2 else str(number)


def _write_iso(_match: re.Match[str], _read: Day, moved: date) -> str:
    return moved.isoformat()


def _write_compact(_match: re.Match[str], _read: Day, moved: date) -> str:
    return f"{moved:%Y%m%d}" if moved.year > 999 else moved.isoformat()


def _read_han(match: re.Match[str]) -> list[Day]:
    return [(year, int(match[2]), int(match[3] or 0)) for year in _years(match[1])]


def _write_han(match: re.Match[str], _: Day, moved: date) -> str:
    year, month, day = ("년 ", "월 ", "일") if "년" in match[0] else ("年", "月", "日")
    return f"{moved.year}{year}{moved.month}{month}{moved.day}{day}"


def _read_era(match: re.Match[str]) -> list[Day]:
    year = _ERAS[match[1]] + (1 if match[2] == "元" else int(match[2]))
    return [(year, int(match[3] or 0), int(match[4] or 0))]


def _read_part(match: re.Match[str]) -> list[Day]:
    numbers = [int(n) for n in re.findall("[0-9]+", match[0])]
    year = next((n for n in numbers if n > 31), 0)
    others = [n for n in numbers if n <= 31]
    return [(year, others[0] if others else 0, others[1] if len(others) > 1 else 0)] * 2  # never moved


_FORMS = (
    _Form(_YMD, _read_ymd, _write_ymd),
    _Form(_DMY, _read_dmy, _write_dmy),
    _Form(_COMPACT, lambda m: _plausible([(int(m[1]), int(m[2]), int(m[3]))]), _write_compact),
    _Form(_HAN, _read_han, _write_han),
    _Form(_ERA, lambda m: _read_era(m) * 2, _write_iso),
    _Form(_PARTS, _read_part, _write_iso),
)


@lru_cache(maxsize=4)
def _named(months: tuple[tuple[str, int], ...]) -> list[_Form]:
    """Forms with the name of a month; ``months`` longest first, so that a short name does not win."""
    if not months:
        return []
    number = dict(months)
    names = "|".join(re.escape(name) for name, _ in months)
    sure = "|".join(re.escape(name) for name, _ in months if name not in _WORDS)
    after = f"(?![{CASED}])"
    before = rf"(?<![{CASED}0-9])"

    def day_first(match: re.Match[str]) -> list[Day]:
        return [(y, number[match[2].lower()], int(match[1])) for y in _years(match[3])]

    def month_first(match: re.Match[str]) -> list[Day]:
        return [(y, number[match[1].lower()], int(match[2])) for y in _years(match[3])]

    def year_first(match: re.Match[str]) -> list[Day]:
        return [(int(match[1]), number[match[2].lower()], int(match[3]))]

    def month_year(match: re.Match[str]) -> list[Day]:
        return [(y, number[match[1].lower()], 0) for y in _years(match[2])]

    def no_year(_: re.Match[str]) -> list[Day]:
        return []

    texts: list[tuple[str, Callable[[re.Match[str]], list[Day]]]] = [
        (rf"(?<![0-9.,])([0-9]{{1,2}}){_ORDINAL}{_JOIN}({names}){after}{_JOIN}{_YEAR}", day_first),
        (rf"{before}({names}){after}{_JOIN}([0-9]{{1,2}}){_ORDINAL},?[\s/-]{{1,2}}{_YEAR}", month_first),
        (rf"(?<![0-9])((?:1[89]|20)[0-9]{{2}}){_JOIN}({names}){after}{_JOIN}([0-9]{{1,2}})(?![0-9])", year_first),
        (rf"{before}({names}){after}{_JOIN}((?:1[89]|20)[0-9]{{2}}|['’][0-9]{{2}})(?![0-9])", month_year),
        (rf"(?<![0-9.,])[0-9]{{1,2}}{_ORDINAL}{_JOIN}(?:{sure}){after}", no_year),
        (rf"{before}(?:{sure})\.?[\s-][0-9]{{1,2}}{_ORDINAL}(?![0-9.,:])", no_year),
    ]
    return [_Form(re.compile(text, re.IGNORECASE), read, _write_iso) for text, read in texts]
