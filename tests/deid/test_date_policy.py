"""A policy's words over single values: precision, month ends, leap years, caps, and intervals that stay."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom._dicom_dict import DicomDictionary

from proxy.deid.date_pairs import TIME_OF
from proxy.deid.date_policy import DatePolicy, time_offset
from proxy.deid.date_words import read_dates
from proxy.deid.pseudonym import HmacPseudonyms
from proxy.errors import ConfigError

STUDY_DATE, STUDY_TIME, BIRTH_DATE, BIRTH_TIME = 0x00080020, 0x00080030, 0x00100030, 0x00100032
ACQUISITION, AGE = 0x0008002A, 0x00101010
WORDS = {"dates": "keep", "birth_date": "remove", "times": "keep", "ages": "keep"}
MOMENTS = st.datetimes(datetime(1700, 1, 1), datetime(2400, 1, 1))
DAYS, MINUTES = st.integers(-365, -1), st.integers(-1439, -1)


def policy(**words: Any) -> DatePolicy:
    return read_dates(WORDS | words, "x")


SHIFT = policy(dates="shift")
MOVE = policy(dates="shift", times="shift")


def test_a_mammography_project() -> None:
    """Study date as it is, birth date on the 15th of its month."""
    words = policy(birth_date="month", ages="cap")
    assert words.apply(STUDY_DATE, "DA", "20240305", -10) == "20240305"
    assert words.apply(STUDY_TIME, "TM", "101530", -10) == "101530"
    assert words.apply(BIRTH_DATE, "DA", "19700228", -10) == "19700215"
    assert words.apply(BIRTH_TIME, "TM", "0415", -10) is None
    assert words.longitudinal == "UNMODIFIED"
    assert not words.moves


@pytest.mark.parametrize(
    ("value", "day", "expected"),
    [
        ("20240229", 15, "20240215"),
        ("20240201", 31, "20240229"),
        ("20230201", 31, "20230228"),
        ("20000210", 30, "20000229"),
        ("19000210", 30, "19000228"),
        ("20240410", 31, "20240430"),
        ("20241231", 1, "20241201"),
        ("2024.02.10", 31, "2024.02.29"),
        ("20230229", 15, None),
        ("202302", 15, None),
    ],
)
def test_months_end_where_they_end(value: str, day: int, expected: str | None) -> None:
    assert policy(dates="month", day_of_month=day).apply(STUDY_DATE, "DA", value, -10) == expected


@given(MOMENTS, st.integers(1, 31))
def test_all_days_of_a_month_become_one_and_it_stays(moment: datetime, day: int) -> None:
    words = policy(dates="month", day_of_month=day)
    first = words.apply(STUDY_DATE, "DA", f"{moment:%Y%m}01", 0)
    found = words.apply(STUDY_DATE, "DA", f"{moment:%Y%m%d}", 0)
    assert found == first
    assert found is not None
    assert found[:6] == f"{moment:%Y%m}"
    assert words.apply(STUDY_DATE, "DA", found, 0) == found
    assert words.apply(ACQUISITION, "DT", f"{moment:%Y%m%d%H%M%S}+0100", 0) == found


@given(MOMENTS, DAYS)
def test_a_truncated_date_beside_dates_that_move_has_moved_too(moment: datetime, offset: int) -> None:
    words = policy(dates="shift", birth_date="year")
    moved = moment.date() + timedelta(days=offset)
    assert words.apply(BIRTH_DATE, "DA", f"{moment:%Y%m%d}", offset) == f"{moved.year:04d}0101"


@given(MOMENTS, MOMENTS, DAYS)
def test_intervals_of_days_stay(one: datetime, other: datetime, offset: int) -> None:
    first, second = (SHIFT.apply(STUDY_DATE, "DA", f"{moment:%Y%m%d}", offset) for moment in (one, other))
    assert parsed(first) - parsed(second) == one.date() - other.date()
    instant = SHIFT.apply(ACQUISITION, "DT", f"{one:%Y%m%d%H%M%S.%f}-0500", offset)
    assert instant == f"{parsed(first):%Y%m%d}{one:%H%M%S.%f}-0500"
    assert SHIFT.apply(STUDY_TIME, "TM", f"{one:%H%M%S.%f}", offset) == f"{one:%H%M%S.%f}"


def parsed(value: str | None) -> date:
    assert value is not None
    return datetime.strptime(value, "%Y%m%d").date()


@given(MOMENTS, DAYS, MINUTES)
def test_date_and_time_move_together_over_midnight(moment: datetime, offset: int, minutes: int) -> None:
    expected = moment + timedelta(days=offset, minutes=minutes)
    time = f"{moment:%H%M%S.%f}"
    day = MOVE.apply(STUDY_DATE, "DA", f"{moment:%Y%m%d}", offset, minutes=minutes, beside=time)
    assert day == f"{expected:%Y%m%d}"
    assert MOVE.apply(STUDY_TIME, "TM", time, offset, minutes=minutes) == f"{expected:%H%M%S.%f}"
    whole = MOVE.apply(ACQUISITION, "DT", f"{moment:%Y%m%d%H%M%S.%f}+0930", offset, minutes=minutes)
    assert whole == f"{expected:%Y%m%d%H%M%S.%f}+0930"


@given(MOMENTS, MINUTES, st.sampled_from(["%H", "%H%M", "%H%M%S", "%H:%M:%S"]))
def test_the_carry_is_the_same_at_every_precision(moment: datetime, minutes: int, form: str) -> None:
    """What the date carries is what its own time, as written, does."""
    time = f"{moment:{form}}"
    written = datetime.strptime(f"{moment:%Y%m%d} {time}", f"%Y%m%d {form}") + timedelta(minutes=minutes)
    assert MOVE.apply(STUDY_TIME, "TM", time, 0, minutes=minutes) == f"{written:{form}}"
    day = MOVE.apply(STUDY_DATE, "DA", f"{moment:%Y%m%d}", 0, minutes=minutes, beside=time)
    assert day == f"{written:%Y%m%d}"


def test_a_date_without_a_time_moves_by_days() -> None:
    for time in ("", "  "):
        assert MOVE.apply(STUDY_DATE, "DA", "20240301", -1, minutes=-1439, beside=time) == "20240229"
    assert MOVE.apply(STUDY_DATE, "DA", "20240301", -1, minutes=-1, beside="000000") == "20240228"
    assert MOVE.apply(ACQUISITION, "DT", "202403+0100", -1, minutes=-1) == "202402+0100"
    assert MOVE.apply(STUDY_DATE, "DA", "20240301", -1, minutes=-1, beside="noon") is None


def test_times_that_move_need_to_know_how_far() -> None:
    for tag, vr, value in [(STUDY_DATE, "DA", "20240301"), (STUDY_TIME, "TM", "10"), (ACQUISITION, "DT", "2024")]:
        with pytest.raises(ValueError, match="how many minutes"):
            MOVE.apply(tag, vr, value, -10)


@pytest.mark.parametrize(
    ("value", "times", "expected"),
    [
        ("101530.25", "hour", "100000"),
        ("1015", "hour", "1000"),
        ("10", "hour", "10"),
        ("10:15:30", "hour", "10:00:00"),
        ("235960", "keep", "235960"),
        ("101530 ", "keep", "101530"),
        ("101530", "remove", None),
        *(
            (wrong, word, None)
            for wrong in ("2400", "1060", "1", "101", "10:15:3", "10:1530", "noon")
            for word in ("keep", "hour")
        ),
    ],
)
def test_times(value: str, times: str, expected: str | None) -> None:
    assert policy(times=times).apply(STUDY_TIME, "TM", value, -10) == expected


@pytest.mark.parametrize(
    ("value", "words", "expected"),
    [
        ("20240305013000.5+0100", {"times": "hour"}, "20240305010000+0100"),
        ("20240305013000.5+0100", {"times": "remove"}, "20240305"),
        ("20240305+0100", {"times": "hour"}, "20240305+0100"),
        ("2024", {"times": "hour"}, "2024"),
        ("20240305013000+0100", {"dates": "year"}, "2024"),
        ("20240305013000", {"dates": "month", "day_of_month": 31}, "20240331"),
        ("202403", {"dates": "month"}, "202403"),
        ("2024", {"dates": "month"}, "2024"),
        ("20240305", {"dates": "remove"}, None),
        ("20240230", {"dates": "year"}, None),
        ("2024.03.05", {}, None),
    ],
)
def test_moments(value: str, words: Mapping[str, Any], expected: str | None) -> None:
    assert policy(**words).apply(ACQUISITION, "DT", value, -10) == expected


@pytest.mark.parametrize(
    ("value", "cap", "expected"),
    [
        ("089Y", 89, "089Y"),
        ("090Y", 89, "090Y"),
        ("091Y", 89, "090Y"),
        ("999Y", 89, "090Y"),
        ("000D", 89, "000D"),
        ("999M", 89, "999M"),
        ("999M", 80, "081Y"),
        ("023M", 1, "023M"),
        ("024M", 1, "002Y"),
        ("104W", 1, "104W"),
        ("105W", 1, "002Y"),
        ("730D", 1, "730D"),
        ("731D", 1, "002Y"),
        ("011M", 0, "011M"),
        ("012M", 0, "001Y"),
        ("042Y ", 89, "042Y"),
        *((wrong, 89, None) for wrong in ("42Y", "042", "042y", "0042Y", "04 Y", "042Y-")),
    ],
)
def test_ages(value: str, cap: int, expected: str | None) -> None:
    assert policy(ages="cap", age_cap=cap).apply(AGE, "AS", value, -10) == expected
    assert policy(ages="remove").apply(AGE, "AS", value, -10) is None


def test_ages_that_are_kept() -> None:
    assert policy().apply(AGE, "AS", "101Y", -10) == "101Y"
    assert policy().apply(AGE, "AS", "old", -10) is None


@given(st.integers(0, 999), st.sampled_from("DWMY"), st.integers(0, 120))
def test_no_age_above_the_cap_is_told(number: int, unit: str, cap: int) -> None:
    found = policy(ages="cap", age_cap=cap).apply(AGE, "AS", f"{number:03d}{unit}", 0)
    years = number / {"D": 365.2425, "W": 52.1775, "M": 12, "Y": 1}[unit]
    assert found == (f"{number:03d}{unit}" if years < cap + 1 else f"{cap + 1:03d}Y")


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        ("42", "a", "42"),
        ("89.9", "a", "89.9"),
        ("90", "a", "90"),
        ("93", "a", "90"),
        ("1200", "mo", "1080"),
        ("1079", "mo", "1079"),
        ("36500", "d", "32871.8"),
        ("5000", "wk", "4695.98"),
        *((wrong, "a", None) for wrong in ("", "old", "-1", "nan", "inf", "1_0", "٤٢", "1e2", "4\\2")),
        ("42", "a;", None),
    ],
)
def test_ages_in_content_items(value: str, unit: str, expected: str | None) -> None:
    assert policy(ages="cap").age_number(value, unit) == expected
    assert policy(ages="remove").age_number(value, unit) is None
    kept = policy(ages="keep").age_number(value, unit)
    assert kept == (value if expected is not None else None)


@pytest.mark.parametrize(
    ("birth", "study", "expected"),
    [
        ("19340302", "20240301", "19340302"),
        ("19340301", "20240301", "19340301"),
        ("19330301", "20240301", "19340301"),
        ("19000101", "20240229", "19340228"),
        ("20240229", "20240301", "20240229"),
        ("19000101", "", "19000101"),
        ("19000101", "2024", None),
        ("00100101", "00500101", "00100101"),
    ],
)
def test_a_birth_date_tells_no_age_above_the_cap(birth: str, study: str, expected: str | None) -> None:
    words = policy(birth_date="keep", ages="cap")
    assert words.companion(BIRTH_DATE) == STUDY_DATE
    assert words.apply(BIRTH_DATE, "DA", birth, -10, beside=study) == expected
    assert policy(birth_date="keep", ages="keep").companion(BIRTH_DATE) is None


def test_birth_time_stays_only_with_its_date() -> None:
    assert policy(birth_date="keep").apply(BIRTH_TIME, "TM", "0415", -10) == "0415"
    for word in ("year", "month", "remove"):
        assert policy(birth_date=word).apply(BIRTH_TIME, "TM", "0415", -10) is None
    assert policy(dates="shift", birth_date="shift").apply(BIRTH_TIME, "TM", "0415", -10) is None


def test_single_attributes() -> None:
    words = policy(attributes={"(0008,0012)": "year", "(0008,0013)": "hour", "(0008,002A)": "remove"})
    assert words.apply(0x00080012, "DA", "20240305", -10) == "20240101"
    assert words.apply(0x00080013, "TM", "101530", -10) == "100000"
    assert words.apply(ACQUISITION, "DT", "20240305", -10) is None
    assert words.apply(STUDY_DATE, "DA", "20240305", -10) == "20240305"


@pytest.mark.parametrize("vr", ["LO", "DS", "UI", "", "PN"])
def test_nothing_else_passes(vr: str) -> None:
    assert policy().apply(STUDY_DATE, vr, "20240305", -10) is None
    assert policy().apply(STUDY_DATE, vr, "", -10) is None


@pytest.mark.parametrize("vr", ["DA", "DT", "TM", "AS"])
def test_an_empty_value_stays_empty(vr: str) -> None:
    assert policy(dates="remove").apply(STUDY_DATE, vr, "  ", -10) == ""
    assert SHIFT.apply(STUDY_DATE, vr, "", -10) == ""


def test_out_of_the_calendar_is_out() -> None:
    assert SHIFT.apply(STUDY_DATE, "DA", "00010101", -1) is None
    assert SHIFT.apply(ACQUISITION, "DT", "0001", -1) is None
    assert MOVE.apply(ACQUISITION, "DT", "0001010100", 0, minutes=-60) is None


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ({}, "UNMODIFIED"),
        ({"birth_date": "year"}, "UNMODIFIED"),
        ({"times": "hour"}, "MODIFIED"),
        ({"dates": "shift"}, "MODIFIED"),
        ({"dates": "year", "times": "remove"}, "MODIFIED"),
        ({"dates": "remove", "times": "remove"}, "REMOVED"),
        ({"dates": "remove"}, "MODIFIED"),
        ({"attributes": {"(0008,0012)": "remove"}}, "MODIFIED"),
        ({"dates": "remove", "times": "remove", "attributes": {"(0008,0020)": "keep"}}, "MODIFIED"),
    ],
)
def test_longitudinal_temporal_information(words: Mapping[str, Any], expected: str) -> None:
    assert policy(**words).longitudinal == expected


def test_companions() -> None:
    assert MOVE.companion(STUDY_DATE) == STUDY_TIME
    assert MOVE.companion(ACQUISITION) is None
    assert SHIFT.companion(STUDY_DATE) is None
    for day, time in TIME_OF.items():
        assert (DicomDictionary[day][0], DicomDictionary[time][0]) == ("DA", "TM")
        assert DicomDictionary[day][4].replace("Date", "Time") == DicomDictionary[time][4]
    paired = {DicomDictionary[tag][4] for tag in TIME_OF}
    times = {row[4].replace("Time", "Date") for row in DicomDictionary.values() if row[0] == "TM"}
    days = {row[4] for row in DicomDictionary.values() if row[0] == "DA"}
    assert paired == (times & days) - {"Date", "PatientBirthDate"}


def test_minutes_are_the_patients_and_independent_of_the_days() -> None:
    provider = HmacPseudonyms(bytes(range(32)))
    minutes = {time_offset(provider, "", f"P{n}") for n in range(2000)}
    assert all(-1439 <= each <= -1 for each in minutes)
    assert len(minutes) > 900
    assert time_offset(provider, "", "P1") == time_offset(HmacPseudonyms(bytes(range(32))), "", " P1 ")
    assert time_offset(provider, "A", "P1") != time_offset(provider, "B", "P1")
    same_days = [n for n in range(2000) if provider.date_offset("", f"P{n}") == -7]
    assert len({time_offset(provider, "", f"P{n}") for n in same_days}) > 1


@pytest.mark.parametrize(
    ("words", "where"),
    [
        ({"dates": "truncate"}, "x.dates"),
        ({"dates": None}, "x.dates"),
        ({"birth_date": "hour"}, "x.birth_date"),
        ({"times": "year"}, "x.times"),
        ({"ages": "shift"}, "x.ages"),
        ({"day_of_month": 0}, "x.day_of_month"),
        ({"day_of_month": 32}, "x.day_of_month"),
        ({"day_of_month": True}, "x.day_of_month"),
        ({"day_of_month": "15"}, "x.day_of_month"),
        ({"age_cap": -1}, "x.age_cap"),
        ({"age_cap": 121}, "x.age_cap"),
        ({"more": 1}, "x.more"),
        ({"attributes": ["(0008,0020)"]}, "x.attributes"),
        ({"attributes": {"StudyDate": "keep"}}, "x.attributes"),
        ({"attributes": {"(0008,0060)": "keep"}}, "x.attributes"),
        ({"attributes": {"(0010,0030)": "keep"}}, "x.attributes"),
        ({"attributes": {"(0010,0032)": "keep"}}, "x.attributes"),
        ({"attributes": {"(0008,0020)": "hour"}}, r"x.attributes.\(0008,0020\)"),
        ({"attributes": {"(0008,0030)": "month"}}, r"x.attributes.\(0008,0030\)"),
        ({"dates": "shift", "attributes": {"(0008,0020)": "keep"}}, "x: a date that is kept"),
        ({"dates": "keep", "attributes": {"(0008,0020)": "shift"}}, "x: a date that is kept"),
        ({"dates": "shift", "birth_date": "keep"}, "x: a date that is kept"),
        ({"dates": "keep", "birth_date": "shift"}, "x: a date that is kept"),
        ({"dates": "keep", "times": "shift"}, "x: times move only"),
        ({"dates": "remove", "times": "shift"}, "x: times move only"),
        ({"dates": "shift", "times": "shift", "attributes": {"(0008,0030)": "keep"}}, "x: a time that is kept"),
        ({"dates": "shift", "times": "shift", "attributes": {"(0008,0030)": "hour"}}, "x: a time that is kept"),
        ({"dates": "shift", "times": "remove", "attributes": {"(0008,0030)": "shift"}}, "x: times move only"),
    ],
)
def test_words_that_are_refused(words: Mapping[str, Any], where: str) -> None:
    with pytest.raises(ConfigError, match=f"^{where}"):
        policy(**words)


@pytest.mark.parametrize("words", [None, [], "keep", {}, {"dates": "keep"}])
def test_nothing_is_assumed(words: object) -> None:
    with pytest.raises(ConfigError):
        read_dates(words, "x")


def test_a_policy_travels() -> None:
    words = policy(dates="shift", attributes={"(0008,0012)": "year"})
    assert pickle.loads(pickle.dumps(words)) == words
