"""Instances with the patient's identifiers in places where nobody looks first, one place each."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

from pydicom import dcmread, dcmwrite
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGBaseline8Bit

from tests.system.planting import planted

NAME = "Zqxplant^N100000001"
ID = "ZQXIDENT100000001"
PLAIN = b"Zqxplant^N100000001"


@dataclass(frozen=True)
class Smuggled:
    """An encoded instance and where it hides what."""

    place: str
    part10: bytes = field(repr=False)


def _base() -> Dataset:
    ds = dcmread(io.BytesIO(planted(1).part10))
    ds.PixelData = bytes(512)
    ds.Rows = ds.Columns = 16
    return ds


def _encoded(ds: Dataset) -> bytes:
    buffer = io.BytesIO()
    dcmwrite(buffer, ds)
    return buffer.getvalue()


def _item(**attributes: object) -> Dataset:
    ds = Dataset()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def _code(meaning: str) -> Sequence:
    return Sequence([_item(CodeValue="1", CodingSchemeDesignator="99X", CodeMeaning=meaning)])


def _jpeg_with_comment(ds: Dataset) -> None:
    comment = b"\xff\xfe" + struct.pack(">H", 2 + len(PLAIN)) + PLAIN
    ds.PixelData = encapsulate([b"\xff\xd8" + comment + b"\xff\xda\0\x02" + bytes(200) + b"\xff\xd9"])
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    ds.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    ds.BitsAllocated = ds.BitsStored = 8
    ds.HighBit = 7


def _syntax(uid: str) -> Callable[[Dataset], None]:
    def change(ds: Dataset) -> None:
        ds.file_meta.TransferSyntaxUID = UID(uid)
        ds.ImageComments = NAME

    return change


def _set(keyword: str, value: object) -> Callable[[Dataset], None]:
    return lambda ds: setattr(ds, keyword, value)


def _add(tag: int, vr: str, value: object) -> Callable[[Dataset], None]:
    return lambda ds: ds.add(DataElement(tag, vr, value))


PLACES: dict[str, Callable[[Dataset], None]] = {
    "a value of Image Type": _set("ImageType", ["ORIGINAL", "PRIMARY", "AXIAL", "ZQXPLANT"]),
    "a label that is kept": _set("WindowCenterWidthExplanation", f"made for {NAME}"),
    "a label, ID only": _set("WindowCenterWidthExplanation", f"see {ID}"),
    "a label, upper case": _set("WindowCenterWidthExplanation", "ZQXPLANT"),
    "a label, another order": _set("WindowCenterWidthExplanation", "N100000001 Zqxplant"),
    "a label in kanji": _set("WindowCenterWidthExplanation", "曖昧模糊"),
    "the meaning of a code": _set("AnatomicRegionSequence", _code(f"head of {NAME}")),
    "an element that PS3.6 does not know": _add(0x00089999, "LO", NAME),
    "an element of group 0004": _add(0x00041500, "CS", ["ZQXPLANT", "ZQXIDENT"]),
    "an element of an odd low group": _add(0x00050010, "LO", NAME),
    "UN of an unknown tag": _add(0x00289998, "UN", PLAIN),
    "a private element without creator": _add(0x00291001, "LO", NAME),
    "a private sequence": _add(0x00291002, "SQ", Sequence([_item(PatientName=NAME)])),
    "an unknown sequence": _add(0x00289997, "SQ", Sequence([_item(PatientName=NAME, PatientID=ID)])),
    "a name deep in known sequences": _set(
        "RequestAttributesSequence",
        Sequence([_item(RequestedProcedureDescription=NAME, ReferencedStudySequence=Sequence([_item(PatientID=ID)]))]),
    ),
    "pixel data": lambda ds: setattr(ds, "PixelData", PLAIN.ljust(512, b"\0")),
    "behind the pixels": lambda ds: setattr(ds, "PixelData", bytes(512) + PLAIN + b"\0"),
    "a comment in a JPEG stream": _jpeg_with_comment,
    "an ICC profile": _set("ICCProfile", bytes(128) + PLAIN + b"\0"),
    "a palette": _set("RedPaletteColorLookupTableData", PLAIN + b"\0"),
    "trailing padding": _add(0xFFFCFFFC, "OB", PLAIN + b"\0"),
    "overlay data": _add(0x60003000, "OB", PLAIN + b"\0"),
    "overlay comments": _add(0x60004000, "LT", NAME),
    "curve data": _add(0x50003000, "OB", PLAIN + b"\0"),
    "a URL": _set("RetrieveURL", f"http://pacs/{ID}"),
    "a structured text": _add(0x0040A160, "UT", f"Patient {NAME} {ID}"),
    "unlimited characters": _add(0x00080119, "UC", NAME),
    "an operator's name": _set("OperatorsName", NAME),
    "a UID in an item": _set(
        "ReferencedImageSequence", Sequence([_item(ReferencedSOPInstanceUID="1.2.826.0.1.3680043.10.1511.8.1")])
    ),
    "an issuer": _set("IssuerOfPatientID", "Zqxplant Clinic"),
    "a UID made of the ID": _set("DeviceUID", "1.2.826.0.1.3680043.10.1511.6.100000001"),
    "implicit VR": _syntax(ImplicitVRLittleEndian),
    "a deflated data set": _syntax(DeflatedExplicitVRLittleEndian),
}


def _in_the_head() -> bytes:
    """The preamble, and elements of the file meta information that nobody needs."""
    ds = _base()
    ds.file_meta.SourceApplicationEntityTitle = "ZQXIDENT1"
    ds.file_meta.PrivateInformationCreatorUID = UID("1.2.826.0.1.3680043.10.1511.5")
    ds.file_meta.PrivateInformation = PLAIN + b"\0"
    ds.preamble = PLAIN.ljust(128, b"\0")
    return _encoded(ds)


@cache
def smuggled() -> tuple[Smuggled, ...]:
    """All of them."""
    found = [Smuggled("the preamble and the file meta information", _in_the_head())]
    for number, (place, hide) in enumerate(PLACES.items()):
        ds = _base()
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = UID(f"1.2.826.0.1.3680043.10.1511.7.{number}")
        hide(ds)
        found.append(Smuggled(place, _encoded(ds)))
    return tuple(found)
