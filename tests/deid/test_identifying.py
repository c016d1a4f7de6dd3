"""What the gate collects of an input, attribute by attribute and word by word, without an engine."""

from __future__ import annotations

from types import ModuleType

import pytest
from pydicom.datadict import tag_for_keyword

from proxy.deid.identifiers import Identifiers, Kind, birth_forms, collect, comparable
from proxy.deid.repertoire import codec_of

#: attributes of PS3.6 whose value is a number, an address or a telephone number of one person or one order
NUMBERS = """PatientID OtherPatientIDs AccessionNumber StudyID MedicalRecordLocator AdmissionID ServiceEpisodeID
    RequestedProcedureID ScheduledProcedureStepID PerformedProcedureStepID PlacerOrderNumberImagingServiceRequest
    FillerOrderNumberImagingServiceRequest ClinicalTrialSubjectID ClinicalTrialSubjectReadingID DeviceSerialNumber
    DetectorID BranchOfService PatientTelephoneNumbers PatientTelecomInformation ReferringPhysicianTelephoneNumbers
    OrderCallbackPhoneNumber ContainerIdentifier SpecimenIdentifier GantryID InstitutionAddress PatientAddress
    ReferringPhysicianAddress PersonAddress PersonTelephoneNumbers PersonTelecomInformation AddressTrial
    TelephoneNumberTrial PatientInstitutionResidence""".split()
NOBODY = """dr prof med mr mrs ms miss von van der den del los las the and sir sen phd for anonymous anonymized
    anonymised anon unknown none removed""".split()


def known(make: ModuleType, tag: int, vr: str, value: bytes, codec: str = "latin_1") -> Identifiers:
    return collect([make.leaf(tag, vr, value)._replace(codec=codec)])


@pytest.mark.parametrize("keyword", NUMBERS)
def test_a_number_is_known_by_its_attribute(make: ModuleType, keyword: str) -> None:
    tag = tag_for_keyword(keyword)
    assert tag is not None
    found = known(make, tag, "LO", b" QX-7712/04 \\AB 99182")
    assert set(found.phrases.values()) == {Kind.NUMBER}
    assert {"qx-7712/04", "ab 99182"} <= found.whole
    wide = {"ab 99182".encode(codec).strip(b"\0") for codec in ("utf-16-le", "utf-16-be")}
    assert {b"qx-7712/04", b"ab 99182", *wide} <= set(found.raw)
    assert set(found.raw.values()) == {Kind.NUMBER}


def test_an_institution_is_a_place_and_other_texts_are_nothing(make: ModuleType) -> None:
    place = known(make, 0x00080080, "LO", b"Klinikum")
    assert set(place.phrases.values()) == {Kind.PLACE}
    assert not place.whole
    for tag, vr in ((0x00080070, "LO"), (0x00100040, "CS"), (0x00081030, "LO")):
        assert known(make, tag, vr, b"QX-7712/04") == Identifiers()


@pytest.mark.parametrize(("tag", "least"), [(0x00100020, 4), (0x00080080, 6)])
def test_how_long_a_number_or_a_place_has_to_be(make: ModuleType, tag: int, least: int) -> None:
    assert known(make, tag, "LO", b"K" * least).phrases
    assert not known(make, tag, "LO", b"K" * (least - 1)).phrases
    assert known(make, tag, "LO", b"Q123456").raw
    assert b"q1234" not in known(make, tag, "LO", b"Q1234").raw


@pytest.mark.parametrize("word", NOBODY)
def test_a_word_that_names_nobody(make: ModuleType, word: str) -> None:
    found = known(make, 0x00100010, "PN", f"Quendel^{word}^{word.upper()}".encode())
    assert set(found.phrases) == {("quendel",)}
    assert found.whole_names == {"quendel": {frozenset({"quendel"})}}
    assert word.encode() not in found.raw


def test_a_name_in_all_its_parts(make: ModuleType) -> None:
    found = known(make, 0x00080090, "PN", b"Quendel Roth^Annegret^Li=Zweig^X\\Ort^Bo ")
    words = {"quendel", "roth", "annegret", "zweig", "ort"}
    assert set(found.phrases) == {(word,) for word in words} | {("quendel", "roth")}
    assert set(found.phrases.values()) == {Kind.NAME}
    assert found.words["quendel"] == {1, 2}
    assert found.whole_names["annegret"] == {frozenset({"quendel", "roth", "annegret", "li"})}
    assert found.whole_names["zweig"] == {frozenset({"zweig", "x"})}
    assert found.whole_names["ort"] == {frozenset({"ort", "bo"})}
    assert {b"annegret", b"quendel roth"} <= set(found.raw)
    assert b"zweig" not in found.raw, "too short to be told from chance in bytes"


def test_a_name_of_a_script_without_spaces(make: ModuleType) -> None:
    found = known(make, 0x00100010, "PN", "Yamada^Tarou=山田^太郎".encode(), "utf_8")
    assert ("山田", Kind.NAME) in found.unspaced["山"]
    assert ("山田太郎", Kind.NAME) in found.unspaced["山"]
    assert ("太郎", Kind.NAME) in found.unspaced["太"]
    assert "山田".encode() in found.raw
    assert not known(make, 0x00100010, "PN", b"Yamada^Tarou").unspaced


def test_uids_of_instances_and_not_of_kinds(make: ModuleType) -> None:
    assert known(make, 0x0020000D, "UI", b"1.2.3.4\\1.2.3.5\0").uids == {"1.2.3.4", "1.2.3.5"}
    assert known(make, 0x00080016, "UI", b"1.2.3.4").uids == set()
    assert known(make, 0x0008010C, "UI", b"1.2.3.4").uids == set()
    assert known(make, 0x0020000D, "UI", b"1.2.840.10008.1.2").uids == set(), "the standard's own"


def test_what_is_too_long_is_a_document(make: ModuleType) -> None:
    assert known(make, 0x00100020, "LO", b"Q" * 4096).raw
    assert known(make, 0x00100020, "LO", b"Q" * 4097) == Identifiers()
    assert known(make, 0x00100020, "LO", b"") == Identifiers()
    assert known(make, 0x00100020, "SQ", b"Q123456") == Identifiers()


def test_a_birth_date_as_people_write_it(make: ModuleType) -> None:
    forms = set(birth_forms("19520304").split("\0")) - {""}
    assert forms == {
        "1952-03-04", "04-03-1952", "03-04-1952", "1952.03.04", "04.03.1952", "03.04.1952", "19520304", "4.3.1952",
        "3/4/1952", "4/3/1952", "04 mar 1952", "4 mar 1952", "mar 4 1952",
    }  # fmt: skip
    assert birth_forms("1952.03.04") == birth_forms("19520304")
    assert "mar" not in birth_forms("19521304")
    assert "dec" in birth_forms("19521204")
    assert "jan" in birth_forms("19520104")
    for text in ("", "195203", "1952-03-04", "19520304101112"):
        assert birth_forms(text) == ""
    assert ("4", "3", "1952") in known(make, 0x00100030, "DA", b"19520304").phrases
    assert not known(make, 0x00100033, "LO", b"19520304").phrases


@pytest.mark.parametrize("vr", ["LO", "LT", "PN", "SH", "ST", "UC", "UT"])
def test_values_are_compared_whatever_their_character_set(make: ModuleType, vr: str) -> None:
    latin = make.leaf(0x00081030, vr, b"M\xfcller ")
    unicode = make.leaf(0x00081030, vr, "Müller".encode())._replace(codec="utf_8")
    assert comparable(latin) == comparable(unicode) == "Müller".encode()
    assert comparable(make.leaf(0x00081030, "CS", b"M\xfcller ")) == b"M\xfcller", "no character set rules this VR"
    assert comparable(make.leaf(0x00081030, vr, b"Roth\0")) == b"Roth"


def test_an_escape_makes_other_characters_of_ascii_bytes(make: ModuleType) -> None:
    """ISO 2022: the bytes are ASCII, what they say is not."""
    codec = codec_of("\\ISO 2022 IR 87")
    value = "山田".encode("iso2022_jp")
    assert value.isascii()
    assert comparable(make.leaf(0x00081030, "LO", value)._replace(codec=codec)) == "山田".encode()


def test_text_that_is_not_in_its_character_set_is_compared_as_far_as_it_can_be_read(make: ModuleType) -> None:
    broken = make.leaf(0x00081030, "LO", b"M\xfcller")._replace(codec="utf_8")
    assert comparable(broken) != b""
    assert comparable(broken) == comparable(broken._replace(value=memoryview(b"M\xfcller ")))
    assert known(make, 0x00100020, "LO", b"Q\xfc77123", "utf_8").raw
    assert known(make, 0x00100010, "PN", b"M\xfcllermann^Q", "utf_8").raw
