from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pydicom
import pytest

from proxy.archive import encoded
from proxy.wire.dicom_encode import EncodeError, Hole, Memo, encode, head
from proxy.wire.dicom_json import Source, to_json


def read(*pieces: Any) -> pydicom.Dataset:
    whole = head("1.2.840.10008.5.1.4.1.1.2", "1.2.3", "1.2.840.10008.1.2.1") + b"".join(pieces)
    return pydicom.dcmread(io.BytesIO(whole))


def one(tag: str, vr: str, **value: Any) -> Any:
    return read(*encode({tag: {"vr": vr, **value}}))[int(tag, 16)]


@pytest.mark.parametrize(
    ("tag", "vr", "given", "expected"),
    [
        ("00080060", "CS", ["CT"], "CT"),
        ("00080008", "CS", ["ORIGINAL", None, "AXIAL"], ["ORIGINAL", "", "AXIAL"]),
        ("00100010", "PN", [{"Alphabetic": "Yamada^Tarou", "Phonetic": "x"}], "Yamada^Tarou==x"),
        ("00100010", "PN", ["Plain^Name"], "Plain^Name"),
        ("00280030", "DS", [0.5, 1, "2.50", 0.123456789012345678], [0.5, 1, 2.5, 0.12345678901235]),
        ("00200013", "IS", [7], 7),
        ("00200013", "IS", ["7"], 7),
        ("00280010", "US", [65535], 65535),
        ("00189810", "SS", [-1], -1),
        ("00720082", "SV", ["-9223372036854775808"], -(1 << 63)),
        ("00187050", "FD", ["Infinity"], float("inf")),
        ("00280009", "AT", ["00181063"], 0x00181063),
        ("00080018", "UI", ["1.2.3"], "1.2.3"),
    ],
)  # fmt: skip
def test_values(tag: str, vr: str, given: list[Any], expected: Any) -> None:
    assert one(tag, vr, Value=given).value == expected


def test_binary_is_padded_and_empty_stays_empty() -> None:
    assert one("7FE00010", "OB", InlineBinary="AQID").value == b"\1\2\3\0"
    assert one("00100020", "LO").value == ""
    assert len(read(*encode({"00081140": {"vr": "SQ"}})).ReferencedImageSequence) == 0


def test_text_is_utf8_and_the_data_set_says_so() -> None:
    name = {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "Müller"}]}}
    item = {"00080005": {"vr": "CS", "Value": ["ISO_IR 100"]}, **name}
    nested = {"00081140": {"vr": "SQ", "Value": [item, {}]}}
    for given in (name, nested, {"00080005": {"vr": "CS", "Value": ["ISO_IR 100"]}, **name}):
        dataset = read(*encode(given))
        assert dataset.SpecificCharacterSet == "ISO_IR 192"
        assert "Müller" in str(dataset)
    assert "SpecificCharacterSet" not in read(*encode({"00100020": {"vr": "LO", "Value": ["ascii"]}}))


def test_holes_are_left_for_bulk_data_at_any_depth() -> None:
    inner = {"54001010": {"vr": "OW", "BulkDataURI": "b"}}
    given = {"54000100": {"vr": "SQ", "Value": [inner]}, "7FE00010": {"vr": "OW", "BulkDataURI": "a"}}
    holes = [piece for piece in encode(given) if isinstance(piece, Hole)]
    assert holes == [Hole(0x54001010, "OW", "b", False), Hole(0x7FE00010, "OW", "a", True)]


def test_group_2_and_group_lengths_are_left_out() -> None:
    assert encode({"00020010": {"vr": "UI", "Value": ["1.2"]}, "00080000": {"vr": "UL", "Value": [4]}}) == []


def deep(levels: int) -> dict[str, Any]:
    return {"00081140": {"vr": "SQ", "Value": [deep(levels - 1)]}} if levels else {}


@pytest.mark.parametrize(
    "given",
    [
        [],
        {"PatientID": {"vr": "LO"}},
        {"00100020": "DOE"},
        {"00100020": {"Value": ["DOE"]}},
        {"00100020": {"vr": "XX", "Value": ["DOE"]}},
        {"00100020": {"vr": "LO", "Value": "DOE"}},
        {"00100020": {"vr": "LO", "Value": [["DOE"]]}},
        {"00100020": {"vr": "LO", "Value": ["DOE"], "BulkDataURI": "x"}},
        {"00280010": {"vr": "US", "Value": [65536]}},
        {"00280010": {"vr": "US", "Value": [True]}},
        {"00280010": {"vr": "US", "Value": ["DOE"]}},
        {"00280009": {"vr": "AT", "Value": ["DOE"]}},
        {"7FE00010": {"vr": "OW", "InlineBinary": "DOE!"}},
        {"7FE00010": {"vr": "OW", "Value": [1]}},
        {"7FE00010": {"vr": "OW", "BulkDataURI": 3}},
        {"00000010": {"vr": "LO"}},
        {"FFFEE000": {"vr": "LO"}},
        {"00081140": {"vr": "SQ", "Value": ["DOE"]}},
        deep(70),
    ],
)  # fmt: skip
def test_what_is_no_data_set_is_refused_without_its_values(given: Any) -> None:
    with pytest.raises(EncodeError) as caught:
        encode(given)
    assert "DOE" not in str(caught.value)


DATA = Path(pydicom.data.__file__).parent
ODD = "NoMeta SC_rgb_jpeg"  # no file meta information; implicit VR that is called explicit
FILES = [
    path
    for path in sorted([*(DATA / "test_files").glob("[A-Z]*.dcm"), *(DATA / "charset_files").glob("chr*.dcm")])
    if not any(word in path.name for word in ODD.split())
]


def bare(value: Any) -> Any:
    """Without the character sets: what is encoded is UTF-8 throughout."""
    if isinstance(value, dict):
        return {name: bare(inner) for name, inner in value.items() if name != "00080005"}
    return [bare(inner) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_there_and_back(path: Path) -> None:
    """The JSON of what was encoded from JSON is that JSON, for real files."""
    first = encoded.metadata(path)
    dataset = read(*(piece for piece in encode(first) if isinstance(piece, bytes)))
    again = to_json(dataset, Source(lambda where: "", lambda element: b""))
    for tag, element in first.items():
        if tag != "00080005" and "BulkDataURI" not in str(element):
            assert again[tag] == bare(element), tag


def test_what_is_remembered_changes_nothing() -> None:
    """Values that are equal in Python and not in DICOM, the same tag at two depths, faults after the same without."""
    texts = [("00100020", "LO", value) for value in ("1", "a", "ü")] + [("00080005", "CS", "ISO_IR 100")]
    numbers = [("00281050", "DS", value) for value in (1, 1.0, "1", 0.0, -0.0, 1.5)]
    reals = [("00189087", "FD", value) for value in (1, 1.0, 0.0, -0.0, True)]
    short = [("00280010", "US", value) for value in (1, 1.5, 70000, "x", 65535)]
    memo: Memo = {}
    for name, vr, value in [*texts, *numbers, *reals, *short] * 2:
        one = {name: {"vr": vr, "Value": [value]}}
        for instance in (one, {"00081140": {"vr": "SQ", "Value": [one, one]}}):
            outcomes = []
            for known in (None, memo):
                try:
                    outcomes.append(encode(instance, known))
                except EncodeError as error:
                    outcomes.append(str(error))
            assert outcomes[0] == outcomes[1], (name, value)
    assert memo
