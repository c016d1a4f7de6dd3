"""What the gate lets stand of an encapsulated document and of the attributes that speak of it."""

from __future__ import annotations

import struct
from types import ModuleType

import pytest

from proxy.deid.allowed_documents import ABOUT_DOCUMENTS, DocumentCheck, is_dummied
from proxy.deid.allowed_encrypted import ABOUT_ORIGINALS, EnvelopeCheck
from proxy.deid.documents import DUMMIES, TITLE

CLASSES = sorted(DUMMIES)
DOCUMENT, LENGTH, CT = 0x00420011, 0x00420015, "1.2.840.10008.5.1.4.1.1.2"


@pytest.mark.parametrize("sop_class", CLASSES)
def test_exactly_the_dummy_of_its_kind(make: ModuleType, sop_class: str) -> None:
    dummy, check = DUMMIES[sop_class], DocumentCheck("dummy", sop_class)
    size = struct.pack("<I", len(dummy.document))
    right = {
        DOCUMENT: ("OB", dummy.document), LENGTH: ("UL", size), 0x00420010: ("ST", TITLE + b" "),
        0x00420012: ("LO", dummy.mime + b" "), 0x00280301: ("CS", b"NO"), 0x00280302: ("CS", b"NO"),
        0x0040A493: ("CS", b"UNVERIFIED"),
    }  # fmt: skip
    for tag, (vr, value) in right.items():
        assert tag in ABOUT_DOCUMENTS
        assert check.verdict(make.leaf(tag, vr, value)) is True, f"{tag:08X}"
        assert check.verdict(make.leaf(tag, vr, value[:-2] + b"!!")) is False, f"{tag:08X}"
        assert check.verdict(make.leaf(tag, vr, value, (0x0040A730, 0))) is None, "inside an item the table says"
    assert check.verdict(make.leaf(LENGTH, "UL", size[::-1])) is True, "big endian"
    assert check.verdict(make.leaf(DOCUMENT, "OB", dummy.document + b"\0\0")) is False
    assert check.verdict(make.leaf(0x00420014, "LO", dummy.mime)) is False, "the dummy has no list of MIME types"
    assert check.verdict(make.leaf(0x0040E001, "ST", dummy.hl7 or b"1.2.3")) is bool(dummy.hl7)
    assert check.verdict(make.leaf(0x00080070, "LO", b"Acme")) is None


@pytest.mark.parametrize(("word", "sop_class"), [("hold", CLASSES[0]), ("dummy", CT), ("hold", CT)])
def test_where_there_is_no_dummy_there_is_no_document(make: ModuleType, word: str, sop_class: str) -> None:
    check = DocumentCheck(word, sop_class)
    assert not is_dummied(word, sop_class)
    assert check.verdict(make.leaf(DOCUMENT, "OB", b"")) is False
    assert check.verdict(make.leaf(0x00420010, "ST", TITLE)) is None
    assert check.verdict(make.leaf(DOCUMENT, "OB", b"", (0x0040A730, 0))) is None


def test_without_recipients_there_are_no_encrypted_attributes(make: ModuleType) -> None:
    check = EnvelopeCheck([])
    for tag, vr, path in (
        (0x04000500, "SQ", ()),
        (0x04000510, "UI", (0x04000500, 0)),
        (0x04000520, "OB", (0x04000500, 0)),
    ):
        assert tag in ABOUT_ORIGINALS
        assert not check.allows(make.leaf(tag, vr, b"1.2.840.10008.1.2.1", path))


@pytest.mark.parametrize("sop_class", CLASSES)
def test_a_template_is_named_exactly_where_the_dummy_has_one(make: ModuleType, sop_class: str) -> None:
    """(0040,E001) HL7 Instance Identifier: not even an empty one beside a document that is no CDA."""
    check = DocumentCheck("dummy", sop_class)
    assert check.verdict(make.leaf(0x0040E001, "ST", b"")) is False
    assert check.verdict(make.leaf(0x0040E001, "ST", b"9.9.9")) is False
    assert check.verdict(make.leaf(0x00420014, "LO", b"")) is False
