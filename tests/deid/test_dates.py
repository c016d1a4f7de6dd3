"""Dates move by whole days, keep their form, and what is not a date is refused without being quoted."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.deid.dates import completed_years, shift_da, shift_dt, shift_tm, split_dt, truncate_dt, years_before

DAYS = st.integers(-400, 400)
DATES = st.dates(date(1600, 1, 1), date(2500, 1, 1))


@pytest.mark.parametrize(
    ("value", "days", "expected"),
    [
        ("20240301", -1, "20240229"),
        ("20230301", -1, "20230228"),
        ("20000301", -1, "20000229"),
        ("19000301", -1, "19000228"),
        ("20240101", -1, "20231231"),
        ("20240101", -366, "20221231"),
        ("20241231", 1, "20250101"),
        ("2024.03.01", -1, "2024.02.29"),
        (" 20240301 ", -1, "20240229"),
        ("00010102", -1, "00010101"),
    ],
)
def test_da(value: str, days: int, expected: str) -> None:
    assert shift_da(value, days) == expected


@given(DATES, DAYS)
def test_da_is_calendar_arithmetic_and_reversible(day: date, days: int) -> None:
    text = f"{day:%Y%m%d}"
    assert shift_da(text, days) == f"{day + timedelta(days=days):%Y%m%d}"
    assert shift_da(shift_da(text, days), -days) == text


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "2024",
        "202403",
        "20240230",
        "20241301",
        "20240100",
        "00000101",
        "2024-03-01",
        "2024.0301",
        "202403.01",
        "20240301-20240302",
        "20240301\\20240302",
        "2024030",
        "202403011",
        "abcdefgh",
        "２０２４０３０１",
        "20240301120000",
    ],
)
def test_not_da(value: str) -> None:
    with pytest.raises(ValueError, match=r"date|DA") as caught:
        shift_da(value, -1)
    assert not value.strip() or value not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "days", "expected"),
    [
        ("20240301120000.123456+0100", -1, "20240229120000.123456+0100"),
        ("20240301120000-0830", -1, "20240229120000-0830"),
        ("2024030112", -1, "2024022912"),
        ("202403011259", -1, "202402291259"),
        ("20240301", -1, "20240229"),
        ("20240301+0000", -1, "20240229+0000"),
        ("20240301235960", -1, "20240229235960"),
        ("20240301120000.1", 1, "20240302120000.1"),
        ("202403", -1, "202402"),
        ("202401", -1, "202312"),
        ("202403", -365, "202303"),
        ("2024", -1, "2023"),
        ("2024", -365, "2023"),
        ("2024", -366, "2022"),
        ("2024+0100", -1, "2023+0100"),
        ("2024-0500", -1, "2023-0500"),
    ],
)
def test_dt(value: str, days: int, expected: str) -> None:
    assert shift_dt(value, days) == expected


@given(DATES, st.integers(-36500, -1), st.sampled_from([4, 6, 8]))
def test_a_negative_offset_never_leaves_a_dt_as_it_was(day: date, days: int, precision: int) -> None:
    text = f"{day:%Y%m%d}"[:precision]
    moved = shift_dt(text, days)
    assert moved != text
    assert len(moved) == precision


@pytest.mark.parametrize(
    "value",
    [
        "",
        "202",
        "20241",
        "2024030",
        "202403011",
        "2024030124",
        "202403011260",
        "20240301120061",
        "20240301120000.",
        "20240301120000.1234567",
        "20240301120000+01",
        "20240301+1500",
        "20240301+0160",
        "20240231",
        "202413",
        "0000",
        "20240301-20240302120000",
        "2024.03.01",
        "20240301 120000",
        "２０２４",
    ],
)
def test_not_dt(value: str) -> None:
    with pytest.raises(ValueError, match=r"date|DT") as caught:
        shift_dt(value, -1)
    assert not value or value not in str(caught.value)


@pytest.mark.parametrize(("value", "days"), [("00010101", -1), ("99991231", 1), ("20240101", -(10**12))])
def test_out_of_the_calendar(value: str, days: int) -> None:
    for shift in (shift_da, shift_dt):
        with pytest.raises(ValueError, match="calendar") as caught:
            shift(value, days)
        assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("birth", "day", "years"),
    [
        ("19340301", "20240301", 90),
        ("19340302", "20240301", 89),
        ("19340228", "20240301", 90),
        ("20000229", "20240228", 23),
        ("20000229", "20230228", 22),
        ("20000229", "20230301", 23),
        ("2000.02.29", "20240229", 24),
        ("20240301", "20240229", -1),
    ],
)
def test_completed_years(birth: str, day: str, years: int) -> None:
    assert completed_years(birth, day) == years


def test_years_before() -> None:
    assert years_before("20240229", 1) == "20230228"
    assert years_before("20240229", 4) == "20200229"
    assert years_before("00020101", 1) == "00010101"
    with pytest.raises(ValueError, match="calendar"):
        years_before("00020101", 2)


@pytest.mark.parametrize(
    ("value", "minutes", "expected"),
    [
        ("000000", -1, ("235900", -1)),
        ("2359", 1, ("0000", 1)),
        ("235960.5", -60, ("225960.5", 0)),
        ("12", -1, ("11", 0)),
        ("00", -1439, ("00", -1)),
        ("12:30:15", 1440, ("12:30:15", 1)),
    ],
)
def test_tm(value: str, minutes: int, expected: tuple[str, int]) -> None:
    assert shift_tm(value, minutes) == expected


def test_parts_of_a_dt() -> None:
    assert split_dt("20240301120000.5+0100 ") == ("20240301", "120000.5", "+0100")
    assert split_dt("2024-0500") == ("2024", "", "-0500")
    for function in (split_dt, truncate_dt):
        with pytest.raises(ValueError, match="calendar"):
            function("20240230")
