"""What the gate lets stand as a date, a time or an age, word by word of the profile (docs/dates.md)."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from proxy.deid.allowed_dates import DateCheck
from proxy.deid.date_policy import DatePolicy

KEEP = {"dates": "keep", "birth_date": "remove", "times": "keep", "ages": "keep"}
BIRTH_DATE, BIRTH_TIME, DATE, OTHER, TIME, MOMENT, AGE = (
    0x00100030, 0x00100032, 0x00080020, 0x00080021, 0x00080030, 0x0008002A, 0x00101010,
)  # fmt: skip


def check(before: bytes = b"", came: bool = False, **words: Any) -> DateCheck:
    return DateCheck(DatePolicy(**{**KEEP, **words}), lambda path, tag: before, lambda leaf: came)


@pytest.mark.parametrize(
    ("words", "value", "allowed"),
    [
        ({"dates": "remove"}, b"19000102", False),
        ({"dates": "remove"}, b"", True),
        ({"dates": "year"}, b"20240101", True),
        ({"dates": "year"}, b"2024.01.01", True),
        ({"dates": "year"}, b"2024", True),
        ({"dates": "year"}, b"20240102", False),
        ({"dates": "year"}, b"20240101\\20240102", False),
        ({"dates": "month"}, b"20240215", True),
        ({"dates": "month"}, b"20240215 ", True),
        ({"dates": "month"}, b"2024.02.15", True),
        ({"dates": "month"}, b"202402", True),
        ({"dates": "month"}, b"20240214", False),
        ({"dates": "month"}, b"20240229", False),
        ({"dates": "month", "day_of_month": 29}, b"20230228", True),
        ({"dates": "month", "day_of_month": 30}, b"20240229", True),
        ({"dates": "month", "day_of_month": 31}, b"20240430", True),
        ({"dates": "month", "day_of_month": 31}, b"20240531", True),
        ({"dates": "month", "day_of_month": 31}, b"20240527", False),
        ({"dates": "month", "day_of_month": 28}, b"20240529", False),
        ({"dates": "month", "attributes": {DATE: "year"}}, b"20240215", False),
        ({"dates": "month", "attributes": {OTHER: "year"}}, b"20240215", True),
    ],
)
def test_a_date_by_its_form(make: ModuleType, words: dict[str, Any], value: bytes, allowed: bool) -> None:
    assert check(**words).allows(make.leaf(DATE, "DA", value), "DA") is allowed


def test_a_date_that_moved_is_another_one_than_it_was(make: ModuleType) -> None:
    moved = check(b"20240215\\20240216", dates="shift")
    assert not moved.allows(make.leaf(DATE, "DA", b"20240215"), "DA")
    assert not moved.allows(make.leaf(DATE, "DA", b"20240101\\20240216"), "DA")
    assert moved.allows(make.leaf(DATE, "DA", b"20240216\\20240215"), "DA"), "compared value by value"
    assert moved.allows(make.leaf(DATE, "DA", b"\\20240217\\20240218"), "DA")


def test_a_date_that_is_kept_is_one_that_came(make: ModuleType) -> None:
    date, moment = make.leaf(DATE, "DA", b"20240215"), make.leaf(MOMENT, "DT", b"20240215101112")
    assert check(came=True).allows(date, "DA")
    assert not check(came=False).allows(date, "DA")
    assert not check(came=False).allows(moment, "DT")
    assert check(came=False, times="hour").allows(moment, "DT"), "its time is coarser than it was"
    assert not check(came=False, times="hour").allows(date, "DA")


def test_a_moment_is_not_as_coarse_as_a_month(make: ModuleType) -> None:
    assert not check(dates="month").allows(make.leaf(MOMENT, "DT", b"2024021510"), "DT")
    assert check(dates="month").allows(make.leaf(MOMENT, "DT", b"20240215"), "DT")
    assert not check(dates="year").allows(make.leaf(MOMENT, "DT", b"2024010110"), "DT")


@pytest.mark.parametrize(
    ("word", "value", "allowed"),
    [
        ("keep", b"10", True), ("keep", b"1011", True), ("keep", b"101112", True), ("keep", b"101112.123456", True),
        ("keep", b"10:11:12", True), ("keep", b"19520417", False), ("keep", b"1", False), ("keep", b"3011", False),
        ("keep", b"1070", False), ("keep", b"101112.", False), ("keep", b"101112.1234567", False),
        ("shift", b"1011", True), ("hour", b"10", True), ("hour", b"1000", True), ("hour", b"100000", True),
        ("hour", b"100000.000000", True), ("hour", b"1011", False), ("hour", b"100011", False), ("hour", b"30", False),
        ("remove", b"10", False), ("remove", b"", True),
    ],
)  # fmt: skip
def test_a_time_by_its_form(make: ModuleType, word: str, value: bytes, allowed: bool) -> None:
    assert check(times=word).allows(make.leaf(TIME, "TM", value), "TM") is allowed


@pytest.mark.parametrize(
    ("words", "value", "allowed"),
    [
        ({"ages": "remove"}, b"042Y", False), ({"ages": "remove"}, b"", False), ({"ages": "keep"}, b"", True),
        ({"ages": "keep"}, b"101Y", True), ({"ages": "keep"}, b"42Y", False), ({"ages": "keep"}, b"Schulz", False),
        ({"ages": "cap"}, b"089Y", True), ({"ages": "cap"}, b"090Y", True), ({"ages": "cap"}, b"091Y", False),
        ({"ages": "cap"}, b"091M", True), ({"ages": "cap"}, b"089Y\\095Y", False),
        ({"ages": "cap", "age_cap": 79}, b"080Y", True), ({"ages": "cap", "age_cap": 79}, b"081Y", False),
    ],
)  # fmt: skip
def test_an_age(make: ModuleType, words: dict[str, Any], value: bytes, allowed: bool) -> None:
    assert check(**words).allows(make.leaf(AGE, "AS", value), "AS") is allowed


@pytest.mark.parametrize(
    ("words", "came", "date", "time"),
    [
        ({"birth_date": "remove"}, True, False, False),
        ({"birth_date": "keep"}, True, True, True),
        ({"birth_date": "keep"}, False, False, True),
        ({"birth_date": "keep", "ages": "cap"}, False, True, True),
        ({"birth_date": "keep", "times": "remove"}, True, True, False),
        ({"birth_date": "month"}, True, True, False),
        ({"birth_date": "year", "dates": "keep"}, True, False, False),
    ],
)
def test_a_birth(make: ModuleType, words: dict[str, Any], came: bool, date: bool, time: bool) -> None:
    """Its date has a word of its own; its time of day stays only where the day does."""
    asked = check(came=came, **words)
    assert asked.allows_birth(make.leaf(BIRTH_DATE, "DA", b"19520415")) is date
    assert asked.allows_birth(make.leaf(BIRTH_TIME, "TM", b"1011")) is time


def test_without_words_about_dates_nothing_is_allowed_here(make: ModuleType) -> None:
    asked = DateCheck(None, lambda path, tag: b"", lambda leaf: True)
    assert not asked.allows(make.leaf(DATE, "DA", b"19000101"), "DA")
    assert not asked.allows_birth(make.leaf(BIRTH_DATE, "DA", b""))
