from __future__ import annotations

import io
import json
from typing import Any

import pydicom
import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from proxy.wire.dicom_json import Source, first_value, to_json


def never(element: Any) -> bytes:
    raise AssertionError("nothing was deferred")


SOURCE = Source(lambda where: "bulk/" + "/".join(map(str, where)), never)


def encoded(dataset: Dataset, syntax: str = ExplicitVRLittleEndian) -> Dataset:
    """The dataset after a trip through its encoding, so that it is raw again."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.file_meta.MediaStorageSOPInstanceUID = UID("1.2")
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return pydicom.dcmread(io.BytesIO(buffer.getvalue()))


def one(keyword: str, value: Any, syntax: str = ExplicitVRLittleEndian) -> Any:
    dataset = Dataset()
    setattr(dataset, keyword, value)
    (element,) = to_json(encoded(dataset, syntax), SOURCE).values()
    json.dumps(element, allow_nan=False)
    return element


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian])
@pytest.mark.parametrize(
    ("keyword", "value", "expected"),
    [
        ("PatientID", "K7QX ", {"vr": "LO", "Value": ["K7QX"]}),
        ("PatientID", "", {"vr": "LO"}),
        ("ImageType", ["A", "", "B"], {"vr": "CS", "Value": ["A", None, "B"]}),
        ("StudyInstanceUID", "1.2.3", {"vr": "UI", "Value": ["1.2.3"]}),
        ("Rows", 512, {"vr": "US", "Value": [512]}),
        ("FrameIncrementPointer", 0x00181063, {"vr": "AT", "Value": ["00181063"]}),
        ("FrameIncrementPointer", [0x00181063, 0x0054000A], {"vr": "AT", "Value": ["00181063", "0054000A"]}),
        ("InstanceNumber", "7", {"vr": "IS", "Value": [7]}),
        ("PixelSpacing", ["0.5", "1"], {"vr": "DS", "Value": [0.5, 1]}),
        ("RealWorldValueSlope", 2.5, {"vr": "FD", "Value": [2.5]}),
        ("RealWorldValueSlope", float("nan"), {"vr": "FD", "Value": ["nan"]}),
        ("SimpleFrameList", [1, 70000], {"vr": "UL", "Value": [1, 70000]}),
        ("ImageComments", "two\\lines \r\n of text ", {"vr": "LT", "Value": ["two\\lines \r\n of text"]}),
        ("PatientName", "Doe^J=山=", {"vr": "PN", "Value": [{"Alphabetic": "Doe^J", "Ideographic": "山"}]}),
        ("SmallestImagePixelValue", 5, {"vr": "US", "Value": [5]}),
        ("EncapsulatedDocument", b"\x01\x02", {"vr": "OB", "InlineBinary": "AQI="}),
        ("EncapsulatedDocument", b"\x01\x02" * 600, {"vr": "OB", "BulkDataURI": "bulk/4325393"}),
        ("RedPaletteColorLookupTableData", b"\x01\x02", {"vr": "OW", "InlineBinary": "AQI="}),
        ("PixelData", b"\x01\x02", {"vr": "OW", "BulkDataURI": "bulk/2145386512"}),
    ],
)
def test_values(syntax: str, keyword: str, value: Any, expected: Any) -> None:
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.BitsAllocated, dataset.PixelRepresentation = 16, 0
    setattr(dataset, keyword, value)
    if dataset[keyword].VR in ("OW", "OB or OW"):
        dataset[keyword].VR = "OW"
        if syntax == ExplicitVRBigEndian:
            dataset[keyword].value = value[::-1]
    if dataset[keyword].VR == "US or SS":
        dataset[keyword].VR = "US"
    element = to_json(encoded(dataset, syntax), SOURCE)[f"{dataset[keyword].tag:08X}"]
    json.dumps(element, allow_nan=False)
    assert element == expected


def test_signed_ambiguous_values_follow_the_nearest_pixel_representation() -> None:
    dataset, item = Dataset(), Dataset()
    dataset.PixelRepresentation = 1
    item.add_new(0x00280120, "SS", -5)
    dataset.IconImageSequence = [item]
    result = to_json(encoded(dataset, ImplicitVRLittleEndian), SOURCE)
    assert result["00880200"]["Value"][0]["00280120"] == {"vr": "SS", "Value": [-5]}


def test_sequences_and_paths() -> None:
    dataset, item = Dataset(), Dataset()
    item.add_new(0x54001010, "OW", bytes(2000))
    dataset.WaveformSequence = [Dataset(), item]
    result = to_json(encoded(dataset), SOURCE)
    assert result["54000100"]["Value"][0] == {}
    assert result["54000100"]["Value"][1]["54001010"]["BulkDataURI"] == f"bulk/{0x54000100}/1/{0x54001010}"
    dataset.WaveformSequence = []
    assert to_json(encoded(dataset), SOURCE)["54000100"] == {"vr": "SQ"}


def test_item_character_sets() -> None:
    dataset, item = Dataset(), Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 100"
    item.SpecificCharacterSet = "ISO_IR 192"
    item.PatientName = "山^太"
    inherited = Dataset()
    inherited.PatientName = "Müller"
    dataset.OtherPatientIDsSequence = [item, inherited]
    rows = to_json(encoded(dataset), SOURCE)["00101002"]["Value"]
    assert first_value(rows[0], "00100010") == "山^太"
    assert first_value(rows[1], "00100010") == "Müller"


def test_no_group_0002_and_no_group_lengths() -> None:
    dataset = Dataset()
    dataset.add_new(0x00080000, "UL", 10)
    dataset.PatientID = "A"
    assert list(to_json(encoded(dataset), SOURCE)) == ["00100020"]


def test_odd_values_are_shown_and_not_judged() -> None:
    dataset = encoded(Dataset())
    raw = pydicom.dataelem.RawDataElement
    for tag, vr, value in (
        (0x00200013, "IS", b"1.5 "),
        (0x00280030, "DS", b"half"),
        (0x00280010, "US", b"abc"),
        (0x00080020, "DA", b"yesterday\xff "),
    ):
        dataset._dict[pydicom.tag.BaseTag(tag)] = raw(pydicom.tag.BaseTag(tag), vr, len(value), value, 0, False, True)
    result = to_json(dataset, SOURCE)
    assert result["00200013"]["Value"] == ["1.5"]
    assert result["00280030"]["Value"] == ["half"]
    assert result["00280010"] == {"vr": "UN", "InlineBinary": "YWJj"}
    assert result["00080020"]["Value"] == ["yesterday\ufffd"]


def test_first_value() -> None:
    assert first_value({}, "00100010") == ""
    assert first_value({"00100010": {"vr": "PN"}}, "00100010") == ""
    assert first_value({"00200013": {"vr": "IS", "Value": [0]}}, "00200013") == "0"
    assert first_value({"00080008": {"vr": "CS", "Value": [None, "A"]}}, "00080008") == ""
