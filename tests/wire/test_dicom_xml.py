"""The Native DICOM Model, there and back, and documents that are none."""

from __future__ import annotations

from typing import Any
from unicodedata import category
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.dicom_xml import NAMESPACE, XmlError, from_xml, to_xml

INSTANCE: dict[str, Any] = {
    "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]},
    "00080008": {"vr": "CS", "Value": ["ORIGINAL", None, "AXIAL"]},
    "00080090": {"vr": "PN"},
    "00081140": {
        "vr": "SQ",
        "Value": [{"00081150": {"vr": "UI", "Value": ["1.2.3"]}, "00100010": {"vr": "PN"}}, {}],
    },
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Yamada^Tarou^^Dr", "Ideographic": "山田^太郎"}]},
    "00280010": {"vr": "US", "Value": [512]},
    "00281050": {"vr": "DS", "Value": [40.5, -1.0]},
    "00091001": {"vr": "UN", "InlineBinary": "AAEC"},
    "00104000": {"vr": "LT", "Value": ['a < b & c > d "quoted"\r\nnext line  ']},
    "7FE00010": {"vr": "OW", "BulkDataURI": "http://host/a?b=1&c=2"},
}


def test_there_and_back() -> None:
    assert from_xml(to_xml(INSTANCE)) == INSTANCE


def test_as_the_standard_writes_it() -> None:
    root = ElementTree.fromstring(to_xml(INSTANCE))
    assert root.tag == f"{{{NAMESPACE}}}NativeDicomModel"
    name = root.find(f".//{{{NAMESPACE}}}DicomAttribute[@keyword='PatientName']/{{{NAMESPACE}}}PersonName")
    assert name is not None
    assert name.get("number") == "1"
    family = name.find(f"{{{NAMESPACE}}}Ideographic/{{{NAMESPACE}}}FamilyName")
    assert family is not None
    assert family.text == "山田"


@given(st.text(max_size=40))
def test_any_text_makes_a_document(text: str) -> None:
    read = from_xml(to_xml({"00104000": {"vr": "LT", "Value": [text]}}))
    (value,) = read["00104000"]["Value"]
    if not text:
        assert value is None
    elif not {"Cc", "Cs", "Cn"} & {category(letter) for letter in text}:
        assert value == text
    else:
        assert len(value) == len(text)


def _document(body: str) -> bytes:
    return f'<NativeDicomModel xmlns="{NAMESPACE}">{body}</NativeDicomModel>'.encode()


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<a/>",
        b"<NativeDicomModel",
        b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><NativeDicomModel>&e;</NativeDicomModel>',
        b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><NativeDicomModel>&b;</NativeDicomModel>',
        _document('<DicomAttribute tag="0010001" vr="PN"/>'),
        _document('<DicomAttribute tag="00100010"/>'),
        _document('<DicomAttribute tag="00100010" vr="PN"/><DicomAttribute tag="00100010" vr="PN"/>'),
        _document('<Value number="1">x</Value>'),
        _document('<DicomAttribute tag="00100020" vr="LO"><Value number="2000000">x</Value></DicomAttribute>'),
        _document('<DicomAttribute tag="00100020" vr="LO"><Value number="0">x</Value></DicomAttribute>'),
        _document('<DicomAttribute tag="00100020" vr="LO">loose text</DicomAttribute>'),
        _document('<DicomAttribute tag="00081140" vr="SQ"><Item number="1">' * 150),
    ],
)
def test_what_is_no_model(document: bytes) -> None:
    with pytest.raises(XmlError) as error:
        from_xml(document)
    assert "passwd" not in str(error.value)


def test_a_bomb_of_nesting_ends_early() -> None:
    body = '<DicomAttribute tag="00081140" vr="SQ"><Item number="1">' * 150
    with pytest.raises(XmlError, match="deeply"):
        from_xml(_document(body + "</Item></DicomAttribute>" * 150))
