"""What each action makes of one value: dates, texts, UIDs, constants; and what a value of another kind is answered."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from proxy.deid.actions import INAPPLICABLE
from proxy.deid.values import Charset
from proxy.errors import InstanceHeld, Reason
from tests.deid.acting import AGE, BIRTH, DATE, TIME, Asked

UTF8 = Charset(("utf_8",), transcode=True)


@pytest.mark.parametrize(
    ("action", "vr", "value", "left", "count"),
    [
        ("remove", "LO", b"x", None, ""), ("empty", "LO", b"x", b"", "emptied"), ("empty", "SQ", [], (), "emptied"),
        ("dummy", "LO", b"x", b"REMOVED", "replaced"), ("dummy", "DA", b"20240101", b"19000101", "replaced"),
        ("keep", "LO", b"Knee ", b"Knee ", "kept"), ("keep", "LO", [], None, ""),
        ("keep", "US", b"\1\0", b"\1\0", "kept"),
        ("keep_uid", "UI", b"1.2.3\\1.2.4\0", b"1.2.3\\1.2.4", "kept"),
        ("keep_uid", "UI", b"1.2.3\\Doe", INAPPLICABLE, ""),
        ("keep_uid", "UI", b"\\1.2.3", b"\\1.2.3", "kept"), ("keep_uid", "UI", b"\xff", INAPPLICABLE, ""),
        ("remap", "UI", b"1.2.840.10008.1.2", b"1.2.840.10008.1.2", "kept"), ("remap", "UI", b"\xff", None, ""),
        ("remap", "UI", b"", b"", "kept"),
        ("clean", "LO", b"Knee", b"Knee", "kept"), ("clean", "LO", b"Knee Quendel", b"Knee", "cleaned"),
        ("clean", "LO", b"Quendel", INAPPLICABLE, ""), ("clean", "LO", b"Quendel\\Knee ", b"\\Knee", "cleaned"),
        ("clean", "LO", b" Knee \\Hip", b" Knee \\Hip", "kept"), ("clean", "LO", b"Knee\0", b"Knee\0", "kept"),
        ("clean", "LT", b"Knee\\Hip Quendel", b"Knee\\Hip", "cleaned"), ("clean", "ST", b"\\Quendel", b"\\", "cleaned"),
        ("clean", "UT", b"\\Quendel", b"\\", "cleaned"), ("clean", "LO", b"\\Quendel", INAPPLICABLE, ""),
        ("clean", "LO", [], None, ""), ("clean", "LO", b"??", INAPPLICABLE, "unjudged"),
        ("clean_whole", "CS", b"AXIAL", b"AXIAL", "kept"), ("clean_whole", "CS", b"AXIAL\\QUENDEL", INAPPLICABLE, ""),
        ("clean_whole", "CS", b"\\AXIAL", b"\\AXIAL", "kept"), ("clean_whole", "CS", b"", INAPPLICABLE, ""),
        ("hash", "DS", b"1", INAPPLICABLE, ""), ("hash", "LO", [], INAPPLICABLE, ""),
        ("hash", "LO", b" ", b"", "replaced"),
    ],
)  # fmt: skip
def test_a_value(make: ModuleType, action: str, vr: str, value: Any, left: Any, count: str) -> None:
    asked = Asked(make)
    assert asked.does(action, vr, value) == left
    assert dict(asked.actions.counts) == ({count: 1} if count else {})


@pytest.mark.parametrize("vr", ["AE", "CS", "LO", "LT", "SH", "ST", "UC", "UT"])
def test_a_hash_is_one_of_the_text_in_its_attribute(make: ModuleType, vr: str) -> None:
    asked = Asked(make)
    one = asked.does("hash", vr, b"Knee")
    assert isinstance(one, bytes)
    assert len(one) == 16
    assert asked.does("hash", vr, b"Knee ") == one
    assert asked.does("hash", vr, b"Hip") != one
    assert asked.does("hash", vr, b"Knee", tag=0x00081090) != one


def test_uids_of_one_instance(make: ModuleType) -> None:
    asked = Asked(make)
    one = asked.does("remap", "UI", b"1.2.3")
    assert isinstance(one, bytes)
    assert one.startswith(b"2.25.")
    assert asked.does("remap", "UI", b"1.2.3\\\\1.2.3") == one + b"\\\\" + one
    assert asked.does("dummy", "UI", b"1.2.3") == asked.does("hash", "UI", b"1.2.3") == one
    assert asked.does("remap", "UI", b"1.2.840.10008.Doe") not in (b"1.2.840.10008.Doe", one)
    assert asked.actions.counts["remapped"] == 5


def test_a_skeleton_has_no_text(make: ModuleType) -> None:
    asked = Asked(make)
    for vr, left in (
        ("LO", b"REMOVED"),
        ("AE", b"REMOVED"),
        ("UR", b"urn:removed"),
        ("CS", b"AXIAL"),
        ("DS", b"AXIAL"),
    ):
        value = b"AXIAL" if vr != "DS" else b"1"
        assert asked.does("keep", vr, value, skeleton=True) == (left if vr != "DS" else b"1")
    assert asked.does("clean", "LO", b"Knee", skeleton=True) == b"REMOVED"


def test_a_text_leaves_in_utf_8_where_its_character_set_was_no_term(make: ModuleType) -> None:
    asked = Asked(make)
    assert asked.does("keep", "LO", "Müller".encode(), charset=UTF8) == "Müller".encode()
    assert asked.does("clean", "LO", "Müller Quendel".encode(), charset=UTF8) == "Müller".encode()
    assert asked.does("clean", "LO", b"Knee", charset=UTF8) == b"Knee"
    assert asked.actions.counts["cleaned"] == 2
    with pytest.raises(InstanceHeld) as held:
        asked.does("keep", "LO", b"\xff\xfe", charset=UTF8)
    assert held.value.reason is Reason.BAD_CHARSET


def test_what_is_not_of_its_vr_is_not_kept(make: ModuleType) -> None:
    with pytest.raises(InstanceHeld):
        Asked(make).does("keep", "DS", b"Quendel")


def test_what_has_no_dummy_is_an_error_of_ours(make: ModuleType) -> None:
    with pytest.raises(InstanceHeld) as held:
        Asked(make).does("dummy", "US", b"\1\0")
    assert held.value.reason is Reason.ENGINE_ERROR


def test_a_constant(make: ModuleType) -> None:
    asked = Asked(make)
    assert asked.does("constant", "LO", b"x", argument="PHANTOM") == b"PHANTOM"
    assert asked.does("constant", "DA", b"20240101", argument="PHANTOM") is INAPPLICABLE
    assert dict(asked.actions.counts) == {"replaced": 1}


@pytest.mark.parametrize(
    ("action", "vr", "value", "left", "count"),
    [
        ("shift", "DA", b"20240111", b"20240101", "shifted"),
        ("shift", "DA", b"20240111\\\\20240112", b"20240101\\\\20240102", "shifted"),
        ("shift", "DT", b"20240111101112", b"20240101101112", "shifted"), ("shift", "TM", b"1011", b"1011", "kept"),
        ("shift", "DA", b"", b"", "kept"), ("shift", "DA", b"Quendel", INAPPLICABLE, ""),
        ("shift", "AS", b"042Y", INAPPLICABLE, ""),
        ("shift", "DA", b"\xff", INAPPLICABLE, ""), ("shift", "DA", b"20240111\\x", INAPPLICABLE, ""),
        ("keep_date", "DA", b"20240111", b"20240111", "kept"),
        ("keep_date", "TM", b"10:11:12.5", b"10:11:12.5", "kept"),
        ("keep_date", "TM", b"Quendel", INAPPLICABLE, ""), ("keep_date", "TM", b"2411", INAPPLICABLE, ""),
        ("keep_date", "DT", b"2024", b"2024", "kept"), ("keep_date", "LO", b"2024", INAPPLICABLE, ""),
        ("truncate", "DA", b"20240115", b"20240101", "truncated"),
        ("truncate", "DT", b"20240115101112", b"20240101", "truncated"),
        ("truncate", "DA", b"", b"", "truncated"), ("truncate", "TM", b"10", INAPPLICABLE, ""),
        ("truncate", "DA", b"Quendel", INAPPLICABLE, ""), ("truncate", "DA", b"\xff", INAPPLICABLE, ""),
    ],
)  # fmt: skip
def test_a_date(make: ModuleType, action: str, vr: str, value: bytes, left: Any, count: str) -> None:
    """The subject's dates move by ten days; a truncated one moves before it is cut only where dates move."""
    asked = Asked(make)
    assert asked.does(action, vr, value, argument="1") == left
    assert dict(asked.actions.counts) == ({count: 1} if count else {})


def test_a_cut_comes_after_the_move(make: ModuleType) -> None:
    assert Asked(make).does("truncate", "DA", b"20240205", argument="15") == b"20240215"
    assert Asked(make, "rtn_long_modif").does("truncate", "DA", b"20240205", argument="15") == b"20240115"
    assert Asked(make, "rtn_long_modif").does("truncate", "DA", b"20240105", argument="0") == b"20230101"


def test_a_cut_where_dates_do_not_move_is_of_the_very_day(make: ModuleType) -> None:
    """At the end of a year and of a month a day more would be another."""
    asked = Asked(make)
    for vr, value, to, left in (
        ("DA", b"20231231", "0", b"20230101"), ("DA", b"20240131", "15", b"20240115"),
        ("DT", b"20231231235959", "0", b"2023"), ("DA", b"20240101", "31", b"20240131"),
    ):  # fmt: skip
        assert asked.does("truncate", vr, value, argument=to) == left


FULL, MODIFIED = "rtn_long_full", "rtn_long_modif"
MOVING = {"dates": "shift", "times": "shift"}


@pytest.mark.parametrize(
    ("option", "words", "tag", "vr", "value", "left", "count"),
    [
        (FULL, {"ages": "keep"}, DATE, "DA", b"20240111", b"20240111", "kept"),
        (FULL, {"ages": "keep"}, AGE, "AS", b"042Y", b"042Y", "kept"),
        (MODIFIED, {"dates": "year"}, DATE, "DA", b"20240111", b"20240101", "truncated"),
        (MODIFIED, {"dates": "year"}, DATE, "DA", b"", b"", "kept"),
        (MODIFIED, {"dates": "year"}, DATE, "DA", b"\xff", INAPPLICABLE, ""),
        (MODIFIED, {"dates": "year"}, DATE, "DA", b"Quendel", INAPPLICABLE, ""),
        (MODIFIED, {"dates": "month"}, DATE, "DA", b"20240111\\20240212", b"20240115\\20240215", "truncated"),
        (MODIFIED, {"dates": "year", "birth_date": "year"}, BIRTH, "DA", b"19520417", b"19520101", "truncated"),
        (MODIFIED, {"dates": "year", "birth_date": "remove"}, BIRTH, "DA", b"19520417", INAPPLICABLE, ""),
        (MODIFIED, {"dates": "year", "times": "remove"}, TIME, "TM", b"1011", INAPPLICABLE, ""),
        (MODIFIED, {"dates": "year", "times": "hour"}, TIME, "TM", b"1011", b"1000", "truncated"),
        (MODIFIED, {"dates": "shift", "ages": "remove"}, AGE, "AS", b"042Y", INAPPLICABLE, ""),
        (MODIFIED, {"dates": "shift", "ages": "cap"}, AGE, "AS", b"042Y\\093Y", b"042Y\\090Y", "shifted"),
        (MODIFIED, MOVING, DATE, "DA", b"20240111", b"20240101", "shifted"),
        (MODIFIED, MOVING, TIME, "TM", b"003000", b"233000", "shifted"),
        (MODIFIED, MOVING, 0x0040A13A, "DT", b"20240111003000", b"20231231233000", "shifted"),
    ],
)  # fmt: skip
def test_a_date_by_the_profile_s_words(
    make: ModuleType, option: str, words: dict[str, str], tag: int, vr: str, value: bytes, left: Any, count: str
) -> None:
    """Docs: dates.md. The subject's dates move by ten days back, times by an hour."""
    asked = Asked(make, option, **words)
    assert asked.does("date", vr, value, tag=tag) == left
    assert dict(asked.actions.counts) == ({count: 1} if count else {})


def test_a_date_moves_with_the_time_beside_it(make: ModuleType) -> None:
    """Over midnight; value by value, where the attribute has as many."""
    asked = Asked(make, MODIFIED, **MOVING)
    for times, left in ((b"003000", b"20231231\\20240101"), (b"103000\\003000", b"20240101\\20231231"),
                        (b"003000\\003000\\1", b"20231231\\20231231"), (b"", b"20240101\\20240101")):  # fmt: skip
        assert asked.does("date", "DA", b"20240111\\20240111", tag=DATE, beside={TIME: times}) == left
    assert asked.does("date", "DA", b"20240111", tag=BIRTH, beside={TIME: b"003000"}) is INAPPLICABLE
    assert Asked(make).does("date", "DA", b"20240111", tag=DATE) is INAPPLICABLE, "without words about dates"
