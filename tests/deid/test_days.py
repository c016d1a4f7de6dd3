"""Dates and times in bytes, held against the standard library's calendar."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proxy.deid.days import is_date, is_time, moved_day, put_date, stays_a_date

DATES = st.dates(date(1, 1, 1), date(9999, 12, 31))


def buffer(text: str) -> np.ndarray:
    return np.frombuffer(b"\0\0" + text.encode("ascii") + b"\0", np.uint8)


def written(day: date) -> str:
    return f"{day.year:04d}{day.month:02d}{day.day:02d}"


@given(st.one_of(st.integers(0, 99999999).map(lambda n: f"{n:08d}"), DATES.map(written), st.just("")))
@example("19000229")
@example("20000229")
@example("00000101")
def test_a_date_is_a_day_that_there_is(text: str) -> None:
    try:
        real = not text or bool(datetime.strptime(text, "%Y%m%d"))
    except ValueError:
        real = False
    assert is_date(buffer(text), 2, len(text)) == real


@given(DATES, st.integers(-40000, 40000))
@example(date(9999, 12, 31), 1)
@example(date(1, 1, 1), -1)
@example(date(2024, 2, 29), 365)
def test_a_date_moves_by_days(day: date, days: int) -> None:
    try:
        there = day + timedelta(days=days)
    except OverflowError:
        assert not stays_a_date(buffer(written(day)), 2, 8, days)
        return
    assert stays_a_date(buffer(written(day)), 2, 8, days)
    out = np.zeros(10, np.uint8)
    put_date(out, 1, moved_day(buffer(written(day)), 2, days))
    assert out.tobytes() == b"\0" + written(there).encode() + b"\0"


def test_no_date_moves_anywhere() -> None:
    assert stays_a_date(buffer(""), 2, 0, 10**6)


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("", True),
        ("07", True),
        ("0709", True),
        ("070907", True),
        ("070907.1 ", False),
        ("070907.123456 ", True),
        ("070907.1", True),
        ("070907.12 ", True),
        ("235960", True),
        ("235961", True),
        ("240000", False),
        ("0760", False),
        ("070970", False),
        ("7", False),
        ("070", False),
        ("07090", False),
        ("070907.", False),
        ("070907,1", False),
        ("070907.1234567", False),
        ("07:09:07", False),
        ("a709", False),
    ],
)
def test_a_time_is_one_of_the_clock(text: str, good: bool) -> None:
    assert is_time(buffer(text), 2, len(text)) == good
