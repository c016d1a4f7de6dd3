"""Dates and times in bytes, for compiled passes: whether they are such, and dates moved by whole days (PS3.5 6.2).

Proleptic Gregorian calendar, years 1 to 9999. Pure.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from proxy.deid.compiled import inlined

_SPACE, _DOT, _ZERO = 32, 46, 48
#: days of a year before its months, counted from 1
_DAYS_BEFORE = np.array([0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365])
#: days from 1 January of year 1 to that of year 10000
_LAST_DAY = 3652059


@inlined
def is_time(buffer: Any, start: int, length: int) -> bool:
    """Nothing, HH, HHMM or HHMMSS, or that with up to six decimals, padded by at most one space (PS3.5 6.2 TM)."""
    if length and buffer[start + length - 1] == _SPACE and length % 2 == 0:
        length -= 1
    digits = min(length, 6)
    for at in range(digits):
        if not _ZERO <= buffer[start + at] <= _ZERO + 9:
            return False
    if length <= 6 and (length % 2 or length == 0):
        return length == 0
    hour = (np.int64(buffer[start]) - _ZERO) * 10 + np.int64(buffer[start + 1]) - _ZERO
    if hour > 23 or (digits >= 4 and buffer[start + 2] > _ZERO + 5) or (digits == 6 and buffer[start + 4] > _ZERO + 6):
        return False
    if length <= 6:
        return True
    for at in range(7, length):
        if not _ZERO <= buffer[start + at] <= _ZERO + 9:
            return False
    return 8 <= length <= 13 and buffer[start + 6] == _DOT


@inlined
def is_date(buffer: Any, start: int, length: int) -> bool:
    """Nothing, or YYYYMMDD of a day that there is (PS3.5 6.2 DA); the caller saw that all are digits."""
    if length != 8:
        return length == 0
    year: Any = np.int64(0)
    for at in range(4):
        year = year * 10 + np.int64(buffer[start + at]) - _ZERO
    month = (np.int64(buffer[start + 4]) - _ZERO) * 10 + np.int64(buffer[start + 5]) - _ZERO
    day = (np.int64(buffer[start + 6]) - _ZERO) * 10 + np.int64(buffer[start + 7]) - _ZERO
    if year < 1 or not 1 <= month <= 12:
        return False
    leap = month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return bool(1 <= day <= _DAYS_BEFORE[month + 1] - _DAYS_BEFORE[month] + leap)


@inlined
def _number(data: Any, at: int, digits: int) -> Any:
    value: Any = np.int64(0)
    for each in range(at, at + digits):
        value = value * 10 + np.int64(data[each]) - _ZERO
    return value


@inlined
def _day(year: int, month: int, day: int) -> Any:
    """Days since 1 January of year 1."""
    years = year - 1
    leap = month > 2 and (year % 4 == 0 and (year % 100 != 0 or year % 400 == 0))
    return years * 365 + years // 4 - years // 100 + years // 400 + _DAYS_BEFORE[month] + leap + day - 1


@inlined
def moved_day(data: Any, start: int, days: int) -> Any:
    """The day, as `_day` counts, that is ``days`` after the date at ``start``."""
    return _day(_number(data, start, 4), _number(data, start + 4, 2), _number(data, start + 6, 2)) + days


@inlined
def stays_a_date(data: Any, start: int, length: int, days: int) -> bool:
    """Whether a date that is one stays in the years 1 to 9999."""
    if length == 0:
        return True
    return bool(0 <= moved_day(data, start, days) < _LAST_DAY)


@inlined
def put_date(out: Any, at: int, day: int) -> None:
    """Write a day, as `_day` counts, as YYYYMMDD."""
    year = day // 366 + 1
    while _day(year + 1, 1, 1) <= day:
        year += 1
    month = 1
    while month < 12 and _day(year, month + 1, 1) <= day:
        month += 1
    number = year * 10000 + month * 100 + day - _day(year, month, 1) + 1
    for place in range(7, -1, -1):
        out[at + place] = _ZERO + number % 10
        number //= 10
