"""Dates, times and ages under a profile's own words about them, at the action; companions stand in the same item."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from proxy.deid.actions import INAPPLICABLE
from tests.deid.acting import AGE, BIRTH, DATE, TIME, Asked

MOMENT = 0x0008002A
SHIFTED = {"dates": "shift", "times": "keep", "ages": "remove"}


@pytest.mark.parametrize(
    ("dates", "tag", "vr", "value", "left", "count"),
    [
        ({"ages": "keep"}, DATE, "DA", b"20240111", b"20240111", "kept"),
        ({"ages": "keep"}, AGE, "AS", b"101Y", b"101Y", "kept"),
        ({"ages": "cap"}, AGE, "AS", b"101Y", b"090Y", "truncated"),
        ({"ages": "remove"}, AGE, "AS", b"042Y", INAPPLICABLE, ""),
        ({"ages": "remove"}, DATE, "DA", b"2024", INAPPLICABLE, ""),
        ({"times": "hour"}, TIME, "TM", b"101112", b"100000", "truncated"),
        ({"times": "remove"}, TIME, "TM", b"10", INAPPLICABLE, ""),
        ({"times": "remove"}, DATE, "DA", b"20240111", b"20240111", "kept"),
        ({"dates": "remove"}, TIME, "TM", b"10", b"10", "kept"),
        ({"dates": "remove"}, DATE, "DA", b"20240111", INAPPLICABLE, ""),
        ({"dates": "month"}, DATE, "DA", b"20240111", b"20240115", "truncated"),
        ({"dates": "year"}, DATE, "DA", b"20240111", b"20240101", "truncated"),
        (SHIFTED, DATE, "DA", b"20240111", b"20240101", "shifted"),
        (SHIFTED, MOMENT, "DT", b"202401111011", b"202401011011", "shifted"), (SHIFTED, DATE, "DA", b"", b"", "kept"),
        (SHIFTED, DATE, "DA", b"\\20240111", b"\\20240101", "shifted"), (SHIFTED, DATE, "DA", b"x", INAPPLICABLE, ""),
        (SHIFTED, DATE, "DA", b"\xff", INAPPLICABLE, ""), (SHIFTED, BIRTH, "DA", b"19500101", INAPPLICABLE, ""),
        ({"birth_date": "keep"}, BIRTH, "DA", b"19500101", b"19500101", "kept"),
        ({"birth_date": "year"}, BIRTH, "DA", b"19500317", b"19500101", "truncated"),
    ],
)  # fmt: skip
def test_one_value(
    make: ModuleType, dates: dict[str, str], tag: int, vr: str, value: bytes, left: Any, count: str
) -> None:
    said = {"dates": "keep", "times": "keep", "ages": "keep", **dates}
    values = {said["dates"], said["times"]}
    option = "rtn_long_full" if values == {"keep"} else "" if values == {"remove"} else "rtn_long_modif"
    asked = Asked(make, *filter(None, [option]), **dates)
    assert asked.does("date", vr, value, tag=tag) == left
    assert dict(asked.actions.counts) == ({count: 1} if count else {})


def test_a_time_that_moves_takes_its_date_over_midnight(make: ModuleType) -> None:
    """One hour back, beside the ten days; value by value."""
    asked = Asked(make, "rtn_long_modif", dates="shift", times="shift", ages="remove")
    assert asked.does("date", "TM", b"101112", tag=TIME) == b"091112"
    assert asked.does("date", "DA", b"20240111", tag=DATE, beside={TIME: b"1011"}) == b"20240101"
    assert asked.does("date", "DA", b"20240111", tag=DATE, beside={TIME: b"0011"}) == b"20231231"
    assert asked.does("date", "DA", b"20240111\\20240111", tag=DATE, beside={TIME: b"0011"}) == b"20231231\\20240101"
    assert asked.does("date", "DA", b"20240111", tag=DATE) == b"20240101"
    assert asked.does("date", "DT", b"202401110011", tag=MOMENT) == b"202312312311"


def test_the_birth_of_the_very_old_is_capped_by_the_study(make: ModuleType) -> None:
    asked = Asked(make, "rtn_long_full", birth_date="keep", ages="cap")
    assert asked.does("date", "DA", b"19200101", tag=BIRTH, beside={DATE: b"20240601"}) != b"19200101"
    assert asked.does("date", "DA", b"19500101", tag=BIRTH, beside={DATE: b"20240601"}) == b"19500101"
    kept = Asked(make, "rtn_long_full", birth_date="keep", ages="keep")
    assert kept.does("date", "DA", b"19200101", tag=BIRTH, beside={DATE: b"20240601"}) == b"19200101"


def test_without_words_about_dates_there_is_no_such_action(make: ModuleType) -> None:
    assert Asked(make).does("date", "DA", b"20240111", tag=DATE) is INAPPLICABLE


@pytest.mark.parametrize(
    ("dates", "number", "unit", "left"),
    [
        ({}, "93", "a", "93"), ({}, "", "a", None), ({"ages": "cap"}, "93", "a", "90"),
        ({"ages": "cap"}, "89", "a", "89"),
        ({"ages": "cap"}, "1200", "mo", "1080"), ({"ages": "keep"}, "93", "a", "93"),
        ({"ages": "cap"}, "93", "h", None),
    ],
)  # fmt: skip
def test_an_age_in_a_content_item(
    make: ModuleType, dates: dict[str, str], number: str, unit: str, left: str | None
) -> None:
    asked = Asked(make, *(["rtn_long_full"] if dates else []), **dates)
    assert asked.actions._age_number(number, unit) == left
