"""The search of the gate for what identifies: by VR, as words, as whole values and byte by byte."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from proxy.deid.search import Search

COMMENT, LABEL, MAKER = 0x00204000, 0x00281055, 0x00080070
UID, SHORT = "1.2.826.0.1.77", "1.2.34.567"


def search(make: ModuleType, *, uids: bool = True, constant: bytes = b"-", **attributes: Any) -> Search:
    ds = {
        "PatientName": "Quendel^Annegret^Mia", "PatientID": "QX7712", "InstitutionName": "Klinikum Nord",
        "FrameOfReferenceUID": UID, "AccessionNumber": "HEAD1", "StudyInstanceUID": SHORT,
    } | attributes  # fmt: skip
    source = make.source(make.dataset(**ds), make.policy())
    return Search(source.identifiers, lambda value: value == constant, uids=uids)


@pytest.mark.parametrize("vr", ["LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"])
def test_one_word_is_enough_in_a_text(make: ModuleType, vr: str) -> None:
    asked = search(make)
    for value, found in (
        (b"for Quendel", True), (b"annegret 7", True), (b"QUENDEL2", True), (b"Quendels", False), (b"no QX7712.", True),
        (b"QX77123", False), (b"AQX7712", False), (b"klinikum nord", True), (b"nord", False), (b"", False),
        (b"see " + UID.encode() + b";", True), (b"see " + UID.encode() + b".1", False),
    ):  # fmt: skip
        assert asked.finds(make.leaf(COMMENT, vr, value)._replace(known=vr)) is found, value


@pytest.mark.parametrize(("vr", "least"), [("AE", 4), ("AS", 4), ("CS", 4), ("DS", 6), ("IS", 6)])
def test_a_whole_value_and_how_long_it_has_to_be(make: ModuleType, vr: str, least: int) -> None:
    number = "8842137"[:least]
    asked, shorter = search(make, PatientID=number), search(make, PatientID=number[1:])
    for value in (number, f" {number}\\0", f"1\\{number} "):
        assert asked.finds(make.leaf(LABEL, vr, value.encode())._replace(known=vr))
    assert not asked.finds(make.leaf(LABEL, vr, f"{number}5".encode())._replace(known=vr))
    assert not shorter.finds(make.leaf(LABEL, vr, number[1:].encode())._replace(known=vr))


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (b"QUENDEL", True), (b"QUENDEL X", True), (b"MIA", False), (b"MIA X", False), (b"MIA ANNEGRET QUENDEL", True),
        (b"HEAD", False), (b"X\\QUENDEL", True),
    ],
)  # fmt: skip
def test_a_name_in_a_code_string(make: ModuleType, value: bytes, found: bool) -> None:
    assert search(make).finds(make.leaf(0x00180015, "CS", value)) is found


def test_how_many_letters_of_a_name_are_one_in_a_code_string(make: ModuleType) -> None:
    for name, found in (("Quaste", True), ("Quast", False)):
        assert search(make, PatientName=f"{name}^Zo").finds(make.leaf(0x00180015, "CS", name.encode())) is found


def test_dates_times_and_uids_are_judged_elsewhere_unless_they_are_texts(make: ModuleType) -> None:
    asked = search(make, PatientBirthDate="19470913", PatientID="884213")
    for vr, value, found in (
        ("DA", b"19470913", False), ("TM", b"884213", False), ("DT", b"19470913+0100", False), ("DA", b"Quendel", True),
        ("TM", b"Quendel", True), ("UI", b"1.2.884213", False), ("UI", b"Quendel", True), ("UI", UID.encode(), True),
        ("UI", b"1.2.3\\" + SHORT.encode() + b"\0", True), ("UI", SHORT.encode() + b".1", False),
    ):  # fmt: skip
        assert asked.finds(make.leaf(0x00080117, vr, value)) is found, (vr, value)


def test_uids_where_they_tell_nothing(make: ModuleType) -> None:
    kept = search(make, uids=False)
    assert not kept.finds(make.leaf(0x00080117, "UI", UID.encode()))
    assert not kept.finds(make.leaf(COMMENT, "LT", UID.encode()))
    assert not kept.in_bulk(memoryview(UID.encode()))


def test_a_short_uid_in_a_text_is_chance(make: ModuleType) -> None:
    for uid, found in (("1.2.34.567", True), ("1.2.34.56", False)):
        assert search(make, StudyInstanceUID=uid).finds(make.leaf(COMMENT, "LT", f"see {uid}".encode())) is found


@pytest.mark.parametrize("tag", [0x00080100, 0x00080102, 0x00080103, 0x00080104, 0x00080115, 0x00080119, 0x00080120])
def test_in_a_code_only_the_whole_of_a_name_is_one(make: ModuleType, tag: int) -> None:
    asked = search(make)
    for value, found in ((b"Quendel", False), (b"Mia Quendel, Annegret", True), (b"QX7712", True)):
        assert asked.finds(make.leaf(tag, "LO", value)) is found, value


@pytest.mark.parametrize("tag", [MAKER, 0x00081090, 0x00181020])
def test_a_maker_is_called_like_a_place(make: ModuleType, tag: int) -> None:
    asked = search(make)
    assert not asked.finds(make.leaf(tag, "LO", b"Klinikum Nord"))
    assert asked.finds(make.leaf(LABEL, "LO", b"Klinikum Nord"))
    assert asked.finds(make.leaf(tag, "LO", b"Quendel"))
    assert asked.finds(make.leaf(tag, "LO", b"QX7712"))


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (b"\0\1Quendel\0", True), (b"\0QUENDEL\1", True), (b"xQuendel", False), (b"Quendelx", False),
        (b"\0QX7712\0", True), (b"\0QX77120", False), (b"\0QX7712.", False), ("Quendel".encode("utf-16-le"), True),
        (b"\0" + UID.encode() + b"\0", True), (b"Quende", False), (b"", False), (b"xQuendel Quendel", True),
    ],
)  # fmt: skip
def test_bytes_are_looked_at_as_they_are(make: ModuleType, value: bytes, found: bool) -> None:
    assert search(make).finds(make.leaf(0x00281201, "OW", value)) is found


def test_pixel_data(make: ModuleType) -> None:
    asked = search(make)
    assert asked.in_bulk(memoryview(b"\0\1\2Quendel\0"))
    assert asked.in_bulk(memoryview(b"\0\1\2" + UID.encode()))
    assert not asked.in_bulk(memoryview("Quendel".encode("utf-16-le"))), "as samples of 16 bits"
    assert not asked.in_bulk(memoryview(bytes(100)))
    assert asked.in_bulk(memoryview(b"quendel")), "asked a second time"


def test_constants_say_nothing_one_by_one(make: ModuleType) -> None:
    asked = search(make, constant=b"Quendel")
    assert not asked.finds(make.leaf(COMMENT, "LO", b"Quendel"))
    assert not asked.finds(make.leaf(COMMENT, "LO", b"Quendel \\Quendel"))
    assert not asked.finds(make.leaf(COMMENT, "LO", b"lung\\Quendel"))
    assert asked.finds(make.leaf(COMMENT, "LO", b"lung\\Annegret"))
    assert asked.finds(make.leaf(COMMENT, "LO", b"Quendel lung"))


def test_the_same_value_elsewhere_is_asked_again(make: ModuleType) -> None:
    asked = search(make)
    assert not asked.finds(make.leaf(0x00080104, "LO", b"Quendel"))
    assert asked.finds(make.leaf(LABEL, "LO", b"Quendel"))
    assert not asked.finds(make.leaf(0x00080104, "LO", b"Quendel"))


def test_a_text_in_an_unknown_character_set_is_no_answer(make: ModuleType) -> None:
    unknown = make.leaf(LABEL, "LO", b"lung")._replace(codec=None)
    with pytest.raises(ValueError, match="character set"):
        search(make).finds(unknown)
    assert not search(make).finds(make.leaf(LABEL, "SQ")._replace(codec=None))
    assert not search(make).finds(unknown._replace(value=memoryview(b"")))


def test_a_name_without_spaces_around_it(make: ModuleType) -> None:
    asked = search(make, SpecificCharacterSet="ISO_IR 192", PatientName="Li^X=山田^太郎")
    for text, found in (("患者山田様", True), ("患者様", False)):
        leaf = make.leaf(LABEL, "LO", text.encode())._replace(codec="utf-8")
        assert asked.finds(leaf) is found


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (b"1xQuendel", False), (b"x1Quendel", True), (b"Quendelx1", False), (b"Quendel1x", True),
        (b".1QX7712", True), (b"QX7712.1", False), (b"QX77121a", False), (b"QX7712a1", True), (b"QX7712 .", True),
        (b"\0\0Quendel", True),
    ],
)  # fmt: skip
def test_only_the_neighbours_tell_whether_it_stands_alone(make: ModuleType, value: bytes, found: bool) -> None:
    """In bytes: a letter beside a letter, a figure or a dot beside a figure make it a part of something longer."""
    assert search(make).finds(make.leaf(0x00281201, "OW", value)) is found


def test_values_of_a_code_string_may_be_padded_each(make: ModuleType) -> None:
    for value in (b"8842 \\X", b"X\\ 8842\\Y", b"8842\0\\X", b"X\\ 8842"):
        assert search(make, PatientID="8842").finds(make.leaf(LABEL, "CS", value)._replace(known="CS")), value


def test_the_dictionary_or_the_file_may_say_that_it_is_free_text(make: ModuleType) -> None:
    """What either of them calls text is looked at word by word; Mia is too short a name for a code string."""
    asked = search(make)
    for known, vr, found in (("LO", "CS", True), ("CS", "LO", True), ("CS", "CS", False), ("US", "LO", True)):
        assert asked.finds(make.leaf(LABEL, vr, b"for Mia")._replace(known=known)) is found, (known, vr)
