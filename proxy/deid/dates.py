"""Dates, times and ages moved, truncated and capped (PS3.15 E.3.6). One value at a time; the caller splits others.

Moving keeps a value's form and precision, so intervals between two values of one patient stay true. What is not of its
VR raises `ValueError` without quoting it. Which value gets which treatment is `date_policy`'s affair. Pure.
"""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import date, timedelta

_DA = re.compile(r"([0-9]{4})(\.?)([0-9]{2})\2([0-9]{2})")
# PS3.5 6.2 DT: YYYYMMDDHHMMSS.FFFFFF&ZZXX, components may be left out from the right
_DT = re.compile(
    r"([0-9]{4})(?:(0[1-9]|1[0-2])(?:([0-9]{2})"
    r"((?:[01][0-9]|2[0-3])(?:[0-5][0-9](?:(?:[0-5][0-9]|60)(?:\.[0-9]{1,6})?)?)?)?)?)?"
    r"([+-](?:0[0-9]|1[0-4])[0-5][0-9])?"
)
# PS3.5 6.2 TM, and the ACR-NEMA form with colons
_TM = re.compile(r"([01][0-9]|2[0-3])(?:(:?)([0-5][0-9])(?:\2([0-5][0-9]|60)(\.[0-9]{1,6})?)?)?")
_AS = re.compile(r"([0-9]{3})([DWMY])")
_DAY = 24 * 60
#: AS unit → how many of them are a year (PS3.5 6.2)
_YEAR = {"D": 365.2425, "W": 365.2425 / 7, "M": 12.0, "Y": 1.0}


def shift_da(value: str, days: int) -> str:
    """A DA value ``days`` later. ACR-NEMA's ``yyyy.mm.dd`` (PS3.5 6.2 note) is read and keeps its form."""
    match = _DA.fullmatch(_trim(value))
    if match is None:
        raise ValueError("not a DA value")
    year, dot, month, day = match.groups()
    moved = _moved(int(year), int(month), int(day), days)
    return f"{moved.year:04d}{dot}{moved.month:02d}{dot}{moved.day:02d}"


def shift_dt(value: str, days: int) -> str:
    """A DT value ``days`` later, in the precision and with the zone offset it had.

    A value without day or month is moved as its first day (1 January, or the first of the month) and cut back to its
    precision. So a year or month moved by a negative offset never comes out as it went in.
    """
    match = _DT.fullmatch(_trim(value))
    if match is None:
        raise ValueError("not a DT value")
    year, month, day, time, zone = match.groups()
    moved = _moved(int(year), int(month or 1), int(day or 1), days)
    text = f"{moved.year:04d}"
    if month:
        text += f"{moved.month:02d}"
    if day:
        text += f"{moved.day:02d}"
    return text + (time or "") + (zone or "")


def truncate_da(value: str, day: int = 0) -> str:
    """The first of January of a DA value's year, or with ``day`` that day of its month (its last where it is shorter).

    Every date of a year, or of a month, comes out the same, and a truncated value comes out as it went in.
    """
    match = _DA.fullmatch(_trim(value))
    if match is None:
        raise ValueError("not a DA value")
    year, dot, month, of_month = match.groups()
    _moved(int(year), int(month), int(of_month), 0)
    return f"{year}{dot}{month if day else '01'}{dot}{_clamped(int(year), int(month), day) if day else 1:02d}"


def truncate_dt(value: str, day: int = 0) -> str:
    """The year of a DT value, or its year, month and ``day`` of it; time and zone go. Nothing is made more precise."""
    match = _DT.fullmatch(_trim(value))
    if match is None:
        raise ValueError("not a DT value")
    year, month, of_month = match.groups()[:3]
    _moved(int(year), int(month or 1), int(of_month or 1), 0)
    if not day or not month:
        return str(year)
    return f"{year}{month}" + (f"{_clamped(int(year), int(month), day):02d}" if of_month else "")


def shift_tm(value: str, minutes: int) -> tuple[str, int]:
    """A TM value ``minutes`` later, in the form it had, and by how many days that is another date.

    A value without minutes is moved as its full hour and cut back.
    """
    match = _TM.fullmatch(_trim(value))
    if match is None:
        raise ValueError("not a TM value")
    hour, colon, minute, second, fraction = match.groups()
    days, within = divmod(int(hour) * 60 + int(minute or 0) + minutes, _DAY)
    text = f"{within // 60:02d}"
    if minute:
        text += f"{colon}{within % 60:02d}"
    if second:
        text += f"{colon}{second}{fraction or ''}"
    return text, days


def shift_moment(value: str, days: int, minutes: int) -> str:
    """A DT value ``days`` and ``minutes`` later. One that says no time of day moves by days only."""
    whole, time, zone = split_dt(value)
    if not time:
        return shift_dt(value, days)
    moved, carried = shift_tm(time, minutes)
    return shift_da(whole, days + carried) + moved + zone


def split_dt(value: str) -> tuple[str, str, str]:
    """Date, time and zone of a DT value, "" for what it does not say."""
    match = _DT.fullmatch(_trim(value))
    if match is None:
        raise ValueError("not a DT value")
    year, month, day, time, zone = match.groups()
    _moved(int(year), int(month or 1), int(day or 1), 0)
    return year + (month or "") + (day or ""), time or "", zone or ""


def check_tm(value: str) -> str:
    """The value, unpadded."""
    text = _trim(value)
    if _TM.fullmatch(text) is None:
        raise ValueError("not a TM value")
    return text


def coarsen_tm(value: str) -> str:
    """A TM value's full hour, with as many components as it had; the fraction goes."""
    match = _TM.fullmatch(_trim(value))
    if match is None:
        raise ValueError("not a TM value")
    hour, colon, minute, second, _ = match.groups()
    return hour + (f"{colon}00" if minute else "") + (f"{colon}00" if second else "")


def cap_as(value: str, years: int) -> str:
    """An AS value; one of more than ``years`` completed years becomes ``years`` + 1, whatever its unit."""
    match = _AS.fullmatch(_trim(value))
    if match is None:
        raise ValueError("not an AS value")
    number, unit = match.groups()
    return f"{years + 1:03d}Y" if int(number) / _YEAR[unit] >= years + 1 else match[0]


def completed_years(birth: str, day: str) -> int:
    """The age on ``day`` of someone born on ``birth`` (both DA)."""
    born, today = _date(birth), _date(day)
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def years_before(day: str, years: int) -> str:
    """The DA value ``years`` earlier; 29 February becomes the 28th where there is none."""
    of = _date(day)
    if of.year <= years:
        raise ValueError("not a calendar date, or moved out of the years 1 to 9999")
    return f"{of.year - years:04d}{of.month:02d}{_clamped(of.year - years, of.month, of.day):02d}"


def _date(value: str) -> date:
    match = _DA.fullmatch(_trim(value))
    if match is None:
        raise ValueError("not a DA value")
    return _moved(int(match[1]), int(match[3]), int(match[4]), 0)


def _clamped(year: int, month: int, day: int) -> int:
    return min(day, monthrange(year, month)[1])


def _trim(value: str) -> str:
    return value.rstrip(" \0").lstrip(" ")


def _moved(year: int, month: int, day: int, days: int) -> date:
    try:
        return date(year, month, day) + timedelta(days=days)
    except (ValueError, OverflowError):  # their messages quote the numbers
        raise ValueError("not a calendar date, or moved out of the years 1 to 9999") from None
