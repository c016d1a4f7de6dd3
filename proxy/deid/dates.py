"""Dates moved by whole days (PS3.15 E.3.6, modified dates). One value at a time; the caller splits multiple values.

Only the calendar moves: time of day, fraction and zone offset are kept, so intervals and times between two values of
one patient stay true. What is not a date raises `ValueError` without quoting it. Pure.
"""

from __future__ import annotations

import re
from datetime import date, timedelta

_DA = re.compile(r"([0-9]{4})(\.?)([0-9]{2})\2([0-9]{2})")
# PS3.5 6.2 DT: YYYYMMDDHHMMSS.FFFFFF&ZZXX, components may be left out from the right
_DT = re.compile(
    r"([0-9]{4})(?:(0[1-9]|1[0-2])(?:([0-9]{2})"
    r"((?:[01][0-9]|2[0-3])(?:[0-5][0-9](?:(?:[0-5][0-9]|60)(?:\.[0-9]{1,6})?)?)?)?)?)?"
    r"([+-](?:0[0-9]|1[0-4])[0-5][0-9])?"
)


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


def _trim(value: str) -> str:
    return value.rstrip(" \0").lstrip(" ")


def _moved(year: int, month: int, day: int, days: int) -> date:
    try:
        return date(year, month, day) + timedelta(days=days)
    except (ValueError, OverflowError):  # their messages quote the numbers
        raise ValueError("not a calendar date, or moved out of the years 1 to 9999") from None
