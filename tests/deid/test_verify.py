"""The gate: passes what the engine makes, refuses what a broken engine would make, and never quotes a value."""

from __future__ import annotations

import dataclasses
import pickle
import re
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pydicom
import pydicom.data
import pytest
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from proxy.deid import verify
from proxy.deid.encode import encode_head
from proxy.deid.repertoire import codec_of
from proxy.deid.tokens import read_part10
from proxy.deid.types import Claimed, Deidentified, Slice, materialise
from proxy.deid.verify import Gate, Release
from proxy.errors import InstanceHeld, Reason

KEY = bytes(range(32, 64))
GATE = Gate(KEY)
CT = "1.2.840.10008.5.1.4.1.1.2"
LITTLE = "1.2.840.10008.1.2.1"
SYNTAXES = {"implicit": "1.2.840.10008.1.2", "little": LITTLE, "big": "1.2.840.10008.1.2.2", "deflated": LITTLE + ".99"}
#: planted in the input: none of these may be in a message
PHI = ("Schneider", "Annegret", "MRN-884213", "1.2.826.0.1.3680043.9.999", "19520417", "Lindenallee")
Change = Callable[[Dataset], Any]


def patient(**more: Any) -> Dataset:
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.SOPClassUID = CT
    ds.SOPInstanceUID = PHI[3] + ".1"
    ds.StudyInstanceUID = PHI[3] + ".2"
    ds.SeriesInstanceUID = PHI[3] + ".3"
    ds.FrameOfReferenceUID = PHI[3] + ".4"
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = "Schneider^Annegret^Maria", "MRN-884213", "19520417"
    ds.PatientAddress, ds.InstitutionName = "Lindenallee 12", "Klinikum Nord"
    ds.StudyDate, ds.AcquisitionDate, ds.ContentDate, ds.ContentTime = "20240301", "20240301", "20240301", "101112"
    ds.AccessionNumber, ds.StudyID, ds.DeviceSerialNumber = "ACC20240017", "S-5501", "SN0099812"
    ds.ReferringPhysicianName = "Oberarzt^Ludwig"
    ds.Manufacturer, ds.SoftwareVersions, ds.Modality = "Acme Imaging", "5.1", "CT"
    ds.Rows, ds.Columns, ds.BitsAllocated, ds.BitsStored, ds.HighBit = 2, 2, 8, 8, 7
    ds.SamplesPerPixel, ds.PixelRepresentation, ds.PhotometricInterpretation = 1, 0, "MONOCHROME2"
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CT, PHI[3] + ".5"
    ds.SourceImageSequence = [item]
    ds.PixelData = b"\1\2\3\4"
    ds["PixelData"].VR = "OW"
    for keyword, value in more.items():
        setattr(ds, keyword, value)
    return ds


class Case:
    """One input, what the engine makes of it, and outputs that broken engines would make."""

    def __init__(self, make: ModuleType, ds: Dataset, syntax: str = LITTLE, profile: str = "research") -> None:
        self.policy = make.policy(profile, uninspected_pixels="forward")
        self.data = make.encode(ds, syntax)
        self.syntax = syntax
        self.result, self.output = make.run(self.data, self.policy)

    def verify(self, result: Deidentified | None = None) -> Release:
        return GATE.verify(memoryview(self.data), result or self.result, self.policy)

    def changed(self, change: Change) -> Deidentified:
        """The engine's output after ``change``, encoded by pydicom into one chunk."""
        ds = pydicom.dcmread(pydicom.filebase.DicomBytesIO(self.output))
        change(ds)
        out = DicomBytesIO()
        out.is_implicit_VR, out.is_little_endian = self.syntax == SYNTAXES["implicit"], True
        write_dataset(out, ds)
        return self.bytes_(encode_head(self.syntax, str(ds.SOPClassUID), str(ds.SOPInstanceUID)) + out.getvalue())

    def bytes_(self, *chunks: bytes | Slice) -> Deidentified:
        made: Deidentified = dataclasses.replace(self.result, chunks=chunks)
        return made

    def refused(self, result: Deidentified) -> InstanceHeld:
        with pytest.raises(InstanceHeld) as held:
            self.verify(result)
        assert not any(secret.lower() in str(held.value).lower() for secret in PHI)
        return held.value


@pytest.fixture
def case(make: ModuleType) -> Case:
    return Case(make, patient())


@pytest.mark.parametrize("profile", ["research", "basic"])
@pytest.mark.parametrize("syntax", SYNTAXES.values(), ids=SYNTAXES)
def test_what_the_engine_makes_passes(make: ModuleType, syntax: str, profile: str) -> None:
    case = Case(make, patient(), syntax, profile)
    release = case.verify()
    assert release.size == len(case.output)
    assert GATE.admits(release, case.output)


def test_an_unchanged_output_in_one_chunk_passes(case: Case) -> None:
    """What `changed` does is not itself what the gate refuses."""
    assert case.verify(case.changed(lambda ds: None)).size == len(case.output)
    assert GATE.admits(case.verify(case.bytes_(case.output)), case.output)


def test_pixels_leave_as_a_slice_in_these_tests(case: Case) -> None:
    assert any(isinstance(chunk, Slice) for chunk in case.result.chunks)


# Releases


def test_a_release_of_another_key_or_of_other_bytes_is_not_admitted(case: Case) -> None:
    release = case.verify()
    other = bytearray(case.output)
    other[-1] ^= 1
    assert not GATE.admits(release, memoryview(other))
    assert not GATE.admits(release, case.output[:-1])
    assert not GATE.admits(release, case.output + bytes(1))
    assert not Gate(bytes(32)).admits(release, case.output)
    assert not GATE.admits(dataclasses.replace(release, nonce=bytes(12)), case.output)
    assert not GATE.admits(dataclasses.replace(release, size=release.size + 1), case.output)
    assert not GATE.admits(dataclasses.replace(release, tag=bytes(16)), case.output)
    assert not GATE.admits(Release(release.size, release.nonce, b""), case.output)
    assert GATE.admits(pickle.loads(pickle.dumps(release)), case.output)


def test_no_two_releases_share_a_nonce(case: Case) -> None:
    """Under one key, that would give the key's hash away (NIST SP 800-38D, 8)."""
    assert case.verify().nonce != case.verify().nonce


def test_a_gate_shows_no_key_and_wants_a_whole_one() -> None:
    assert repr(GATE) == "Gate(<key>)"
    for key, salt in ((b"short", bytes(8)), (bytes(32), b"short")):
        with pytest.raises(ValueError, match="32 bytes"):
            Gate(key, salt=salt)


# Elements that may not be there


def nested(**attributes: Any) -> Change:
    def change(ds: Dataset) -> None:
        for keyword, value in attributes.items():
            setattr(ds.SourceImageSequence[0], keyword, value)

    return change


def element(tag: int, vr: str, value: Any) -> Change:
    return lambda ds: ds.add_new(tag, vr, value)


NOT_ALLOWED: dict[str, tuple[Change, int]] = {
    "nested patient name": (nested(PatientName="Schneider^Annegret^Maria"), 0x00100010),
    "nested patient name, other spelling of it": (nested(PatientName="Schneider^Annegret^Maria "), 0x00100010),
    "removed attribute": (lambda ds: setattr(ds, "PatientAddress", "elsewhere"), 0x00101040),
    "removed attribute, empty": (lambda ds: setattr(ds, "PatientAddress", ""), 0x00101040),
    "removed attribute, nested": (nested(PatientComments="fine"), 0x00104000),
    "private": (element(0x00091001, "LO", "x"), 0x00091001),
    "private creator": (element(0x00090010, "LO", "ACME"), 0x00090010),
    "overlay comments": (element(0x60004000, "LT", "Schneider"), 0x60004000),
    "overlay data": (element(0x60043000, "OW", b"\0\0"), 0x60043000),
    "overlay rows": (element(0x60000010, "US", 2), 0x60000010),
    "curve": (element(0x50000005, "US", 2), 0x50000005),
    "directory": (element(0x00041500, "CS", "A"), 0x00041500),
    "unknown to PS3.6": (element(0x00080003, "LO", "x"), 0x00080003),
    "unlisted name": (element(0x0018E004, "LO", "x"), 0x0018E004),
    "unlisted PN": (element(0x0040A067, "PN", "Doe^J"), 0x0040A067),
    "unlisted UR": (element(0x00081190, "UR", "http://pacs/1"), 0x00081190),
    "unlisted UI": (element(0x00200242, "UI", "1.2.826.0.1.3680043.9.7"), 0x00200242),
    "unlisted UI with an original value": (element(0x00200242, "UI", PHI[3] + ".2"), 0x00200242),
    "unlisted date": (element(0x00141020, "DA", "20240301"), 0x00141020),
    "unlisted time that is a date": (element(0x00140103, "TM", "19520417"), 0x00140103),
    "original UID": (lambda ds: setattr(ds, "FrameOfReferenceUID", PHI[3] + ".4"), 0x00200052),
    "original UID of another attribute": (lambda ds: setattr(ds, "FrameOfReferenceUID", PHI[3] + ".3"), 0x00200052),
    "original UID, nested": (nested(ReferencedSOPInstanceUID=PHI[3] + ".5"), 0x00081155),
    "original date": (lambda ds: setattr(ds, "AcquisitionDate", "20240301"), 0x00080022),
    "another UID": (lambda ds: setattr(ds, "FrameOfReferenceUID", "1.2.826.0.1.3680043.9.7"), 0x00200052),
    "another text in a listed row": (lambda ds: setattr(ds, "StudyID", "7"), 0x00200010),
    "another patient": (lambda ds: setattr(ds, "PatientID", "MRN-1"), 0x00100020),
    "original accession number": (lambda ds: setattr(ds, "AccessionNumber", "ACC20240017"), 0x00080050),
    "time that is none": (lambda ds: setattr(ds, "ContentTime", "19520417"), 0x00080033),
    "nested pixel data": (lambda ds: ds.SourceImageSequence[0].add_new(0x7FE00010, "OW", b"\0\0"), 0x7FE00010),
    "text as binary": (element(0x00080070, "OB", b"ab"), 0x00080070),
    "binary as text": (element(0x00280010, "LO", "ab"), 0x00280010),
    "sequence as bytes": (element(0x00082112, "OB", b"ab"), 0x00082112),
    "no marker": (lambda ds: ds.__delattr__("PatientIdentityRemoved"), 0x00120062),
    "marker says no": (lambda ds: setattr(ds, "PatientIdentityRemoved", "NO"), 0x00120062),
    "no method codes": (lambda ds: ds.__delattr__("DeidentificationMethodCodeSequence"), 0x00120064),
    "other method codes": (lambda ds: ds.DeidentificationMethodCodeSequence.pop(0), 0x00120064),
    "untrue marker": (lambda ds: setattr(ds, "LongitudinalTemporalInformationModified", "UNMODIFIED"), 0x00280303),
    "no Patient ID": (lambda ds: setattr(ds, "PatientID", ""), 0x00100020),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NOT_ALLOWED)
def test_elements_that_are_not_allowed(make: ModuleType, name: str) -> None:
    case = Case(make, patient(ExpiryDate="20240301"))
    change, tag = NOT_ALLOWED[name]
    held = case.refused(case.changed(change))
    assert (held.reason, held.tag) == (Reason.ELEMENT_NOT_ALLOWED, tag)


def test_pseudonyms_of_an_earlier_pass_must_be_replaced_too(make: ModuleType) -> None:
    """They have the form that ours have, so only the comparison with the input tells them apart."""
    first = Case(make, patient())
    second = Case(make, pydicom.dcmread(DicomBytesIO(first.output)))
    before = pydicom.dcmread(DicomBytesIO(first.output))
    second.verify()
    for keyword, tag in (("PatientID", 0x00100020), ("PatientName", 0x00100010), ("FrameOfReferenceUID", 0x00200052)):

        def put_back(ds: Dataset, keyword: str = keyword) -> None:
            setattr(ds, keyword, before[keyword].value)

        held = second.refused(second.changed(put_back))
        assert (held.reason, held.tag) == (Reason.ELEMENT_NOT_ALLOWED, tag)


def test_a_name_that_the_pseudonym_happens_to_spell(make: ModuleType) -> None:
    pseudonyms = make.policy("research", uninspected_pixels="forward").pseudonyms()
    number, word = next(
        (f"MRN-{n}", match[0])
        for n in range(10_000)
        if (match := re.search("[A-Z]{4}", pseudonyms.patient_id("", f"MRN-{n}")))
    )
    Case(make, patient(PatientID=number, PatientName=f"{word}^X")).verify()


def test_the_basic_profile_replaces_dates(make: ModuleType) -> None:
    case = Case(make, patient(), profile="basic")
    assert case.refused(case.changed(element(0x00080023, "DA", "20240301"))).tag == 0x00080023
    assert case.refused(case.changed(element(0x00189074, "DT", "20240301"))).tag == 0x00189074


def test_a_sequence_to_be_replaced_may_not_keep_its_text(make: ModuleType) -> None:
    text = Dataset()
    text.ValueType, text.TextValue = "TEXT", "stenosis of the left carotid"
    case = Case(make, patient(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11", ContentSequence=[text]))
    case.verify()
    held = case.refused(case.changed(lambda ds: setattr(ds, "ContentSequence", [text])))
    assert held.reason is Reason.ELEMENT_NOT_ALLOWED


# Identifiers that remain

#: Software Versions and Manufacturer (LO) are kept by the profile: what a broken engine puts there is for the search
REMAINS: dict[str, tuple[Change, int]] = {
    "family name": (lambda ds: setattr(ds, "SoftwareVersions", "for Schneider"), 0x00181020),
    "given name, other case": (lambda ds: setattr(ds, "SoftwareVersions", "ANNEGRET"), 0x00181020),
    "name, other order": (lambda ds: setattr(ds, "SoftwareVersions", "maria, schneider"), 0x00181020),
    "name joined to a number": (lambda ds: setattr(ds, "SoftwareVersions", "Schneider2"), 0x00181020),
    "name of a physician": (lambda ds: setattr(ds, "Manufacturer", "Dr. Oberarzt"), 0x00080070),
    "Patient ID": (lambda ds: setattr(ds, "SoftwareVersions", "MRN-884213"), 0x00181020),
    "Patient ID without its dash": (lambda ds: setattr(ds, "SoftwareVersions", "id MRN 884213!"), 0x00181020),
    "accession number": (lambda ds: setattr(ds, "SoftwareVersions", "ACC20240017"), 0x00181020),
    "study ID": (lambda ds: setattr(ds, "SoftwareVersions", "S-5501"), 0x00181020),
    "serial number": (lambda ds: setattr(ds, "SoftwareVersions", "sn0099812"), 0x00181020),
    "institution": (element(0x00189005, "SH", "KLINIKUM NORD"), 0x00189005),
    "address": (lambda ds: setattr(ds, "SoftwareVersions", "Lindenallee 12"), 0x00181020),
    "birth date": (lambda ds: setattr(ds, "SoftwareVersions", "19520417"), 0x00181020),
    "birth date, German": (lambda ds: setattr(ds, "SoftwareVersions", "geb. 17.04.1952"), 0x00181020),
    "birth date, American": (lambda ds: setattr(ds, "SoftwareVersions", "4/17/1952"), 0x00181020),
    "birth date, words": (lambda ds: setattr(ds, "SoftwareVersions", "17 APR 1952"), 0x00181020),
    "UID in text": (lambda ds: setattr(ds, "SoftwareVersions", f"see {PHI[3]}.2;"), 0x00181020),
    "second value": (lambda ds: setattr(ds, "SoftwareVersions", ["5.1", "Schneider"]), 0x00181020),
    "code string": (lambda ds: setattr(ds, "ImageType", ["ORIGINAL", "MRN-884213"]), 0x00080008),
    "whole name in a code string": (lambda ds: setattr(ds, "BodyPartExamined", "SCHNEIDER ANNEGRET MARIA"), 0x00180015),
    "name in binary": (element(0x00281201, "OW", b"\0\1Schneider\0\1\0"), 0x00281201),
    "name in UTF-16": (element(0x00281201, "OW", "Schneider".encode("utf-16-le")), 0x00281201),
    "Patient ID in binary": (element(0x00281201, "OW", b"\0MRN-884213\0"), 0x00281201),
    "UID in binary": (element(0x00281201, "OW", f"\0{PHI[3]}.2\0\0".encode()), 0x00281201),
    "name in a UID": (element(0x00081150, "UI", "Schneider"), 0x00081150),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("syntax", ["implicit", "little"])
@pytest.mark.parametrize("name", REMAINS)
def test_identifiers_that_remain(make: ModuleType, name: str, syntax: str) -> None:
    case = Case(make, patient(), SYNTAXES[syntax])
    change, tag = REMAINS[name]
    held = case.refused(case.changed(change))
    assert (held.reason, held.tag) == (Reason.IDENTIFIER_REMAINS, tag)


def test_identifiers_are_found_at_any_depth(case: Case) -> None:
    inner = Dataset()
    inner.CodeValue, inner.CodingSchemeDesignator, inner.CodeMeaning = "1", "99X", "Maria Schneider, Annegret"
    held = case.refused(case.changed(nested(PurposeOfReferenceCodeSequence=[inner])))
    assert (held.reason, held.tag) == (Reason.IDENTIFIER_REMAINS, 0x00080104)


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("SoftwareVersions", "Schneider, A."),
        ("Manufacturer", "MRN-884213"),
        ("ImageType", ["ORIGINAL", "ACC20240017"]),
        ("DerivationCodeSequence", None),
    ],
)
def test_identifiers_in_attributes_that_the_profile_keeps(make: ModuleType, keyword: str, value: Any) -> None:
    """No engine is broken here: the table keeps these attributes, and only the gate sees what a person typed in."""
    if value is None:
        code = Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "1", "99X", "for Annegret Maria Schneider"
        value = [code]
    case = Case(make, patient(**{keyword: value}))
    assert case.refused(case.result).reason is Reason.IDENTIFIER_REMAINS


@pytest.mark.parametrize("vr", ["PN", "LO"])
def test_identifiers_are_collected_from_private_and_nested_elements(make: ModuleType, vr: str) -> None:
    """A name that stood only in a private element, or in an item, is this instance's name too."""
    ds, item = patient(), Dataset()
    item.add_new(0x00090010, "LO", "ACME")
    item.add_new(0x00091001, "PN", "Feldhusen^Irmgard")
    item.OtherPatientIDs = "ALT-771902"
    ds.OtherPatientIDsSequence = [item]
    case = Case(make, ds)
    text = "Feldhusen" if vr == "PN" else "ALT-771902"
    held = case.refused(case.changed(lambda out: setattr(out, "SoftwareVersions", text)))
    assert held.reason is Reason.IDENTIFIER_REMAINS
    assert "Feldhusen" not in str(held)


@pytest.mark.parametrize(
    ("charset", "name", "left", "output_charset"),
    [
        ("ISO_IR 100", "Müller^Jörg", "Müller", "ISO_IR 192"),
        ("ISO_IR 100", "Müller^Jörg", "MÜLLER", "ISO_IR 100"),
        ("ISO_IR 192", "Müller^Jörg", "Mu\u0308ller", "ISO_IR 192"),
        ("ISO_IR 144", "Люкceмбypг^Анна", "люкceмбypг", "ISO_IR 192"),
        ("ISO_IR 126", "Διονυσιος^Ανδρεας", "Διονυσιος", "ISO_IR 192"),
        ("GB18030", "王^小东", "王小东先生", "ISO_IR 192"),
        ("GB18030", "王^东", "患者王东先生", "ISO_IR 192"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう", "山田", "ISO_IR 192"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう", "患者は山田太郎です", "ISO_IR 192"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう", "やまだ", "ISO_IR 192"),
        (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동", "길동", "ISO_IR 192"),
    ],
)
def test_names_in_another_character_set(
    make: ModuleType, charset: Any, name: str, left: str, output_charset: str
) -> None:
    case = Case(make, patient(SpecificCharacterSet=charset, PatientName=name))
    case.verify()

    def leave(ds: Dataset) -> None:
        ds.SpecificCharacterSet = output_charset
        ds.SoftwareVersions = left

    held = case.refused(case.changed(leave))
    assert (held.reason, held.tag) == (Reason.IDENTIFIER_REMAINS, 0x00181020)


@pytest.mark.parametrize("charset", ["ISO_IR 192", "ISO_IR 101"])
def test_the_bytes_of_a_name_under_a_wrong_character_set(make: ModuleType, charset: str) -> None:
    case = Case(make, patient(SpecificCharacterSet=charset, PatientName="Wałęsówna^X"))
    raw = "Wałęsówna".encode(codec_of(charset))

    def leave(ds: Dataset) -> None:
        ds.SpecificCharacterSet = "ISO_IR 100"
        ds.add_new(0x00181020, "LO", raw.decode("latin_1"))

    assert case.refused(case.changed(leave)).reason is Reason.IDENTIFIER_REMAINS


def test_text_outside_its_character_set_is_unreadable(case: Case) -> None:
    def leave(ds: Dataset) -> None:
        ds.SpecificCharacterSet = "ISO_IR 192"
        ds.add_new(0x00181020, "UN", b"\xff\xfe")
        ds[0x00181020].VR = "LO"

    output = case.changed(leave).chunks[0]
    assert isinstance(output, bytes)
    with pytest.raises(InstanceHeld) as held:
        case.verify(case.bytes_(output))
    assert held.value.reason is Reason.OUTPUT_UNREADABLE


# Ordinary values that look like identifiers


@pytest.mark.parametrize(
    "attributes",
    [
        {"PatientName": "CT^HEAD", "BodyPartExamined": "HEAD"},
        {"PatientName": "LONG^MODIF"},
        {"PatientID": "1234", "RepetitionTime": "1234", "SoftwareVersions": "1.2.1234.5", "EchoTime": "1234.5"},
        {"PatientID": "884213", "SoftwareVersions": "x9884213 8842131"},
        {"InstitutionName": "TOSHIBA", "Manufacturer": "TOSHIBA_MEC"},
        {"PatientName": "Anonymous", "SoftwareVersions": "anonymous build"},
        {"PatientName": "Li^Bo", "SoftwareVersions": "Li Bo"},
        {"StudyID": "1", "AccessionNumber": "17", "SoftwareVersions": "1 17"},
        {"PatientBirthDate": "20230501", "StudyDate": "20240301"},
        {"ContentTime": "000000", "StudyTime": "", "SeriesDescription": ""},
    ],
)
def test_no_false_alarm(make: ModuleType, attributes: dict[str, Any]) -> None:
    Case(make, patient(**attributes)).verify()


def test_standard_terms_that_a_name_is_made_of(make: ModuleType) -> None:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "69536005", "SCT", "Head"
    Case(make, patient(PatientName="HEAD^PHANTOM", AnatomicRegionSequence=[code])).verify()


# Bytes


def test_file_meta_information_of_another(case: Case) -> None:
    syntax = case.output.index(b"\x02\x00\x10\x00UI")
    length = struct.unpack_from("<I", case.output, 140)[0]
    title = b"\x02\x00\x16\x00AE\x06\x00SENDER"
    end = 144 + length
    grown = (
        case.output[:140] + struct.pack("<I", length + len(title)) + case.output[144:end] + title + case.output[end:]
    )
    held = case.refused(case.bytes_(grown))
    assert held.reason is Reason.ELEMENT_NOT_ALLOWED
    assert case.refused(case.bytes_(b"MZ" + case.output[2:])).reason is Reason.ELEMENT_NOT_ALLOWED
    other = case.output.replace(b"VEIL_", b"XEIL_", 1)
    assert case.refused(case.bytes_(other)).tag == 0x00020013
    wrong = case.output[:syntax] + case.output[syntax:].replace(LITTLE.encode() + b"\0", b"1.2.840.10008.1.2.9\0", 1)
    assert case.refused(case.bytes_(wrong)).reason is Reason.OUTPUT_UNREADABLE


def test_an_element_in_the_place_of_ours(case: Case) -> None:
    swapped = case.output.replace(b"\x02\x00\x13\x00SH", b"\x02\x00\x16\x00SH", 1)
    held = case.refused(case.bytes_(swapped))
    assert (held.reason, held.tag) == (Reason.ELEMENT_NOT_ALLOWED, 0x00020016)


def test_output_of_another_instance(case: Case) -> None:
    """The file meta information and the data set must name one instance."""
    at = case.output.index(b"\x02\x00\x03\x00UI") + 8
    swapped = case.output[: at + 8] + bytes([case.output[at + 8] ^ 1]) + case.output[at + 9 :]
    held = case.refused(case.bytes_(swapped))
    assert (held.reason, held.tag) == (Reason.ELEMENT_NOT_ALLOWED, 0x00080018)


@pytest.mark.parametrize("cut", [1, 7, 100])
def test_truncated_output(case: Case, cut: int) -> None:
    assert case.refused(case.bytes_(case.output[:-cut])).reason is Reason.OUTPUT_UNREADABLE


@pytest.mark.parametrize("junk", [b"\0", b"\0" * 8, b"Schneider^Annegret"])
def test_bytes_behind_the_output(case: Case, junk: bytes) -> None:
    assert case.refused(case.bytes_(case.output + junk)).reason in (
        Reason.OUTPUT_UNREADABLE,
        Reason.ELEMENT_NOT_ALLOWED,
    )


def test_a_wrong_length(case: Case) -> None:
    at = case.output.index(b"\x08\x00\x70\x00LO") + 6
    for wrong in (b"\x0e\x00", b"\xff\xff", b"\x02\x00"):
        held = case.refused(case.bytes_(case.output[:at] + wrong + case.output[at + 2 :]))
        assert held.reason in (Reason.OUTPUT_UNREADABLE, Reason.ELEMENT_NOT_ALLOWED)


def test_a_head_without_file_meta_information(case: Case) -> None:
    held = case.refused(case.bytes_(case.output[:132] + case.output[head_length(case.output) :]))
    assert (held.reason, held.tag) == (Reason.ELEMENT_NOT_ALLOWED, 0x00020000)


def test_nothing_at_all(case: Case) -> None:
    assert case.refused(case.bytes_()).reason is Reason.OUTPUT_UNREADABLE
    assert case.refused(case.bytes_(case.data)).reason is Reason.ELEMENT_NOT_ALLOWED
    assert case.refused(case.bytes_(Slice(0, len(case.data)))).reason is Reason.OUTPUT_UNREADABLE


# Slices


def head_length(output: bytes) -> int:
    return read_part10(memoryview(output)).dataset_offset


def test_a_group_length(case: Case) -> None:
    """PS3.5 7.2: retired; it would tell how long the original was."""
    at = head_length(case.output)
    grown = case.output[:at] + b"\x08\x00\x00\x00UL\x04\x00\x10\0\0\0" + case.output[at:]
    assert case.refused(case.bytes_(grown)).tag == 0x00080000


def slice_of(case: Case) -> tuple[int, Slice]:
    return next((i, c) for i, c in enumerate(case.result.chunks) if isinstance(c, Slice))


@pytest.mark.parametrize(
    ("start", "length"), [(0, -1), (0, 1), (1, -1), (-1, 0), (-1, 1), (12, -12), (0, -4), (10**9, 0), (-(10**9), 0)]
)
def test_slices_that_are_not_exactly_the_pixel_data(case: Case, start: int, length: int) -> None:
    index, run = slice_of(case)
    chunks = list(case.result.chunks)
    chunks[index] = Slice(run.offset + start, run.length + length)
    assert case.refused(case.bytes_(*chunks)).reason is Reason.OUTPUT_UNREADABLE


@pytest.mark.parametrize("syntax", ["implicit", "little"])
def test_a_slice_of_the_patient_s_name(make: ModuleType, syntax: str) -> None:
    case = Case(make, patient(), SYNTAXES[syntax])
    start = case.data.index(b"\x10\x00\x10\x00", 300)
    end = case.data.index(b"\x10\x00\x20\x00", start)
    held = case.refused(case.bytes_(*case.result.chunks, Slice(start, end - start)))
    assert held.reason in (Reason.OUTPUT_UNREADABLE, Reason.ELEMENT_NOT_ALLOWED)


def test_a_slice_of_an_element_that_is_no_bulk_data(case: Case) -> None:
    """Even where the value may stay: only pixel data and the like leave unread by the engine."""
    start = case.data.index(b"\x18\x00\x20\x10LO")
    length = struct.unpack_from("<H", case.data, start + 6)[0] + 8
    output = case.changed(lambda ds: ds.__delattr__("SoftwareVersions")).chunks[0]
    held = case.refused(case.bytes_(output, Slice(start, length)))
    assert held.reason is Reason.OUTPUT_UNREADABLE


def test_the_same_slice_twice(case: Case) -> None:
    _, run = slice_of(case)
    assert case.refused(case.bytes_(*case.result.chunks, run)).reason is Reason.OUTPUT_UNREADABLE


def test_a_slice_in_the_middle_of_an_element(case: Case) -> None:
    index, run = slice_of(case)
    before = case.result.chunks[index - 1]
    assert isinstance(before, bytes)
    held = case.refused(case.bytes_(before[:-2], run, before[-2:]))
    assert held.reason is Reason.OUTPUT_UNREADABLE


def test_encapsulated_pixel_data_is_read_in_place(make: ModuleType) -> None:
    path = Path(pydicom.data.__file__).parent / "test_files" / "JPEG-lossy.dcm"
    data, policy = path.read_bytes(), make.policy("research", uninspected_pixels="forward")
    result, output = make.run(data, policy)
    assert GATE.verify(memoryview(data), result, policy).size == len(output)
    index, run = next((i, c) for i, c in enumerate(result.chunks) if isinstance(c, Slice))
    chunks = list(result.chunks)
    chunks[index] = Slice(run.offset, run.length - 8)
    with pytest.raises(InstanceHeld) as held:
        GATE.verify(memoryview(data), dataclasses.replace(result, chunks=tuple(chunks)), policy)
    assert held.value.reason is Reason.OUTPUT_UNREADABLE


def test_pixel_data_is_searched_but_not_copied(make: ModuleType) -> None:
    noise = bytes(range(1, 251)) * ((64 << 20) // 250)
    shape = {"Rows": 1000, "Columns": len(noise) // 2000, "BitsAllocated": 16, "BitsStored": 16, "HighBit": 15}
    noise = noise[: shape["Rows"] * shape["Columns"] * 2]
    clean = Case(make, patient(PixelData=noise, **shape))
    named = Case(make, patient(PixelData=noise[:-10] + b"Schneider ", **shape))
    clean.verify()  # compiles
    tracemalloc.start()
    clean.verify()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 << 20
    assert named.refused(named.result).reason == Reason.IDENTIFIER_REMAINS


# The report


@pytest.mark.parametrize(
    "field", ["patient_id", "study_instance_uid", "series_instance_uid", "sop_instance_uid", "study_date", "modality"]
)
def test_a_report_that_says_something_else(case: Case, field: str) -> None:
    report = dataclasses.replace(case.result.report, **{field: "MRN-884213"})
    assert case.refused(dataclasses.replace(case.result, report=report)).reason in (
        Reason.ENGINE_ERROR, Reason.IDENTIFIER_REMAINS,
    )  # fmt: skip


# Everything that is at hand

FOLDER = Path(pydicom.data.__file__).parent
BUNDLED = sorted(p for f in ("test_files", "charset_files") for p in (FOLDER / f).glob("*.dcm"))


@pytest.mark.parametrize("profile", ["research", "basic"])
@pytest.mark.parametrize("path", BUNDLED, ids=lambda p: p.name)
def test_every_bundled_file_passes_once_and_again(make: ModuleType, path: Path, profile: str) -> None:
    """What the engine makes passes, and so does what it makes of its own output."""
    policy = make.policy(profile, uninspected_pixels="forward", blank_patient_id="per-study")
    data = path.read_bytes()
    try:
        result, output = make.run(data, policy)
    except InstanceHeld:
        return
    assert GATE.admits(GATE.verify(memoryview(data), result, policy), output)
    again, once_more = make.run(output, policy, Claimed())
    assert GATE.admits(GATE.verify(memoryview(output), again, policy), once_more)


def test_an_engine_that_does_nothing_passes_no_bundled_file(make: ModuleType) -> None:
    policy = make.policy("research", uninspected_pixels="forward", blank_patient_id="per-study")
    for path in BUNDLED:
        data = path.read_bytes()
        try:
            result, output = make.run(data, policy)
        except InstanceHeld:
            continue
        with pytest.raises(InstanceHeld):
            GATE.verify(memoryview(data), dataclasses.replace(result, chunks=(data,)), policy)
        old, new = data[read_part10(memoryview(data)).dataset_offset :], output[: head_length(output)]
        with pytest.raises(InstanceHeld):  # a new head in front of the old data set
            GATE.verify(memoryview(data), dataclasses.replace(result, chunks=(new + old,)), policy)
        assert materialise(result.chunks, data) == output


def test_no_two_releases_have_one_nonce(case: Case) -> None:
    """NIST SP 800-38D 8: with one key none may come twice; gates of one key differ by their salt."""
    gate, other = Gate(KEY, salt=b"worker 1"), Gate(KEY, salt=b"worker 2")
    made = [gate.verify(memoryview(case.data), case.result, case.policy) for _ in range(3)]
    assert [release.nonce for release in made] == [b"worker 1" + bytes([0, 0, 0, turn]) for turn in range(3)]
    assert other.verify(memoryview(case.data), case.result, case.policy).nonce == b"worker 2" + bytes(4)
    assert GATE.verify(memoryview(case.data), case.result, case.policy).nonce[:8] == bytes(8)
    assert len({release.tag for release in made}) == 3
    assert all(other.admits(release, case.output) for release in made)
    assert not other.admits(dataclasses.replace(made[0], nonce=made[1].nonce), case.output)
    whole, parts = other.again(made[0]), (case.output[:7], case.output[7:])
    for part in parts:
        whole.add(part)
    assert whole.is_of(made[0].size, made[0].tag)


# Pixels


def test_pixel_data_that_does_not_leave_as_a_slice_is_judged_too(case: Case) -> None:
    """Written by the engine itself: what hides beside the image is seen, samples of 16 bits are no text in UTF-16."""

    def hides(ds: Dataset) -> None:
        ds.BitsStored, ds.HighBit, ds.PixelData = 7, 6, b"\1\x82\3\4"

    assert case.refused(case.changed(hides)).reason is Reason.PIXELS_NOT_CLEAN

    def samples(ds: Dataset) -> None:
        ds.Columns, ds.PixelData = 10, "Schneider ".encode("utf-16-le")

    def named(ds: Dataset) -> None:
        ds.Columns, ds.PixelData = 5, b"Schneider "

    case.verify(case.changed(samples))
    assert case.refused(case.changed(named)).reason is Reason.IDENTIFIER_REMAINS


def test_a_strict_profile_has_pixels_read_again(case: Case) -> None:
    """Where nobody can, the instance is held; without pixels there is nothing to read."""
    strict = dataclasses.replace(case.policy, pixels=dataclasses.replace(case.policy.pixels, strict=True))
    with pytest.raises(InstanceHeld) as held:
        GATE.verify(memoryview(case.data), case.result, strict)
    assert held.value.reason is Reason.PIXELS_UNINSPECTED
    without = case.changed(lambda ds: ds.__delattr__("PixelData"))
    assert GATE.verify(memoryview(case.data), without, strict).size


def test_what_a_strict_profile_has_read_is_the_output_beside_names_of_the_input(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(verify, "check_legible", lambda *arguments: asked.append(arguments))
    reader: Any = object()
    gate = Gate(KEY, reader)
    strict = dataclasses.replace(case.policy, pixels=dataclasses.replace(case.policy.pixels, strict=True))
    gate.verify(memoryview(case.data), case.result, case.policy)
    assert asked == [], "only where the profile says so"
    gate.verify(memoryview(case.data), case.result, strict)
    ((root, pixels, syntax, whose, known),) = asked
    assert whose is reader
    assert (pixels.tag, bytes(pixels.value), syntax.uid) == (0x7FE00010, b"\1\2\3\4", LITTLE)
    assert root.value(0x00100010)[1].strip() == case.result.report.patient_id.encode()
    assert any("schneider" in str(each).lower() for each in known)
    gate.verify(memoryview(case.data), case.changed(lambda ds: None), strict)
    assert bytes(asked[-1][1].value) == b"\1\2\3\4", "also where no slice leaves"
