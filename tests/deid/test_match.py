"""The key table of a view: whole, and windows of dates that lose no date which may be asked for."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from proxy.archive.attributes import MATCHABLE
from proxy.deid.dates import shift_da
from proxy.deid.match import KEYS, MAPPED, Use, bare, use_of, window
from proxy.deid.profile import Policy, PolicySpec, compile_policy
from proxy.store.rulebook import load_profile, load_tables

NOWHERE = Path("/nonexistent")


def policy(dates: dict[str, Any] | None = None) -> Policy:
    profile = dict(load_profile("research", site=NOWHERE))
    if dates is not None:
        profile = {**profile, "dates": dates}
    return compile_policy(load_tables(), PolicySpec("r", profile, bytes(range(32)), date_shift_days=50))


def test_every_key_that_the_index_knows_has_a_rule() -> None:
    assert set(KEYS) == set(MATCHABLE)


def test_what_is_a_name_a_text_or_a_birth_date_is_refused() -> None:
    names = {keyword for keyword, (_, vr) in MATCHABLE.items() if vr in ("PN", "LT", "ST", "UT")}
    refused = {keyword for keyword, use in KEYS.items() if use is Use.REFUSE}
    assert names | {"PatientBirthDate", "StudyDescription", "SeriesDescription"} <= refused


@pytest.mark.parametrize("keyword", MAPPED)
def test_a_wildcard_on_an_identifier_is_refused(keyword: str) -> None:
    assert use_of(keyword, "2.25.1") is Use.MAP
    for value in ("A*", "?", "A?B", "*A*B*", "*A?*", "*", "**"):
        assert use_of(keyword, value) is Use.REFUSE, value


def test_stars_around_a_whole_pseudonym_say_nothing() -> None:
    assert use_of("PatientID", "*K7QX*") is Use.MAP
    assert bare("*K7QX*") == "K7QX"
    assert bare("K7QX") == "K7QX"


def test_a_wildcard_on_a_plain_key_is_compared_with_what_is_released_only() -> None:
    assert use_of("Modality", "CT") is Use.SEND
    assert use_of("Modality", "C*") is Use.LATER
    assert use_of("00091001", "x") is None


@pytest.mark.parametrize("offset", [-1, -17, -50])
def test_no_date_that_may_have_become_the_asked_one_is_outside_the_window(offset: int) -> None:
    shifting = policy()
    for day in range(0, 800, 13):
        original = f"{date(2019, 2, 25) + timedelta(days=day):%Y%m%d}"
        released = shift_da(original, offset)
        for asked in (released, f"{released}-", f"-{released}", f"{released}-{released}"):
            for known in (None, offset):
                low, _, high = window(shifting, asked, known).partition("-")
                assert (low or "0") <= original <= (high or "9"), (asked, known)


def test_the_window_of_a_known_patient_is_narrow() -> None:
    low, _, high = window(policy(), "20200301", -17).partition("-")
    assert (low, high) == ("20200317", "20200319")
    low, _, high = window(policy(), "20200301", None).partition("-")
    assert (low, high) == ("20200229", "20200421")


@pytest.mark.parametrize("asked", ["", "*", "2020", "2020.01.01", "20200101\\20200102", "20201399-20201399"])
def test_what_is_no_range_of_days_is_not_sent(asked: str) -> None:
    assert window(policy(), asked, None) == ""


def test_truncated_dates_have_a_window_of_years() -> None:
    words = {"dates": "year", "birth_date": "remove", "times": "remove", "ages": "cap"}
    low, _, high = window(policy(words), "20200101", None).partition("-")
    assert low < "20200101" < "20201231" < high


def test_the_ends_of_the_calendar_are_no_bounds() -> None:
    assert window(policy(), "00010101-99991231", None) == ""
