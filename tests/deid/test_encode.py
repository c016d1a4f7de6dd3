"""Headers, padding and lengths against PS3.5 7.1, byte by byte, and against pydicom's writer."""

from __future__ import annotations

import io
from types import ModuleType

import pytest
from pydicom import dcmread

from proxy.deid.encode import Element, encode_dataset, encode_head
from proxy.errors import InstanceHeld, Reason


@pytest.mark.parametrize(
    ("element", "implicit", "little", "expected"),
    [
        (Element(0x00100020, "LO", b"A"), False, True, "10002000 4c4f 0200 4120"),
        (Element(0x00100020, "LO", b"A"), True, True, "10002000 02000000 4120"),
        (Element(0x00100020, "LO", b"A"), False, False, "00100020 4c4f 0002 4120"),
        (Element(0x00080018, "UI", b"1"), False, True, "08001800 5549 0200 3100"),
        (Element(0x00282000, "OB", b"\1"), False, True, "28000020 4f42 0000 02000000 0100"),
        (Element(0x0040A160, "UT", b"x"), False, True, "400060a1 5554 0000 02000000 7820"),
        (Element(0x00081140, "SQ", ()), False, True, "08004011 5351 0000 00000000"),
        (Element(0x00081140, "SQ", ((),)), False, True, "08004011 5351 0000 08000000 feff00e0 00000000"),
        (Element(0x00081140, "SQ", ((),)), True, True, "08004011 08000000 feff00e0 00000000"),
        (Element(0x00081140, "SQ", ((),)), False, False, "00081140 5351 0000 00000008 fffee000 00000000"),
        (
            Element(0x00081140, "SQ", ((Element(0x00081155, "UI", b"1"),),)),
            False,
            True,
            "08004011 5351 0000 12000000 feff00e0 0a000000 08005511 5549 0200 3100",
        ),
        (Element(0x00280106, "US or SS", b"\1\0"), True, True, "28000601 02000000 0100"),
    ],
)
def test_bytes(element: Element, implicit: bool, little: bool, expected: str) -> None:
    assert encode_dataset((element,), implicit=implicit, little=little) == bytes.fromhex(expected)


def test_what_has_no_encoding_is_held() -> None:
    for element, reason in (
        (Element(0x00100020, "LO", b"x" * 65536), Reason.UNSUPPORTED_CONTENT),
        (Element(0x00280106, "US or SS", b"\1\0"), Reason.ENGINE_ERROR),
        (Element(0x00280106, "", b"\1\0"), Reason.ENGINE_ERROR),
    ):
        with pytest.raises(InstanceHeld) as held:
            encode_dataset((element,), implicit=False, little=True)
        assert held.value.reason is reason
    encode_dataset((Element(0x00100020, "LO", b"x" * 65534),), implicit=False, little=True)


def test_the_head_can_be_read(make: ModuleType) -> None:
    head = encode_head(make.EXPLICIT_LITTLE, make.CT, "2.25.1")
    meta = dcmread(io.BytesIO(head + encode_dataset((), implicit=False, little=True))).file_meta
    assert (meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID) == (make.CT, "2.25.1")
    assert meta.FileMetaInformationGroupLength == len(head) - 144
