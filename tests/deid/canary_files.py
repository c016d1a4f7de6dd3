"""Real files, of many kinds and encodings, made those of one patient whose identifiers are easy to find."""

from __future__ import annotations

import io
import warnings
from functools import cache
from pathlib import Path

import data_store
import pydicom
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

FAMILY, GIVEN, NUMBER, ACCESSION = "Zqxvogel", "Zqxwilma", "ZQX4711008", "ZQXACC0815"
ROOT = "1.2.826.0.1.3680043.10.4711.8."
#: nobody's name, and no word of any language: gone where the profile removes whatever stands there
TOKEN = "Qvxkanarie"
SAID = f"{FAMILY}, {GIVEN} ({NUMBER}) {TOKEN}"
PLAIN = f"{FAMILY} {NUMBER} {TOKEN}".encode()
PLAIN += b" " * (len(PLAIN) % 2)
_BUNDLED = Path(pydicom.__file__).parent / "data"
_MORE = Path(data_store.__file__).parent / "data"
_ALONE = """CT_small MR_small MR_small_implicit MR_small_bigendian MR_small_RLE MR_small_jp2klossless
    MR_small_jpeg_ls_lossless
    JPEG2000 JPEG-lossy SC_rgb_jpeg_dcmtk SC_rgb_small_odd SC_rgb_rle_2frame ExplVR_BigEnd image_dfl reportsi test-SR
    rtdose rtplan liver_1frame 693_J2KI"""
_CHARSETS = "chrArab chrFren chrGerm chrGreek chrH31 chrHbrw chrI2 chrRuss chrX1 chrX2"
FILES = (
    *(f"test_files/{name}.dcm" for name in _ALONE.split()),
    *(f"test_files/dicomdirtests/{name}" for name in ("77654033/CT2/17106", "77654033/CR1/6154", "98892003/MR1/15820")),
    "emri_small_RLE.dcm",
    "SC_rgb.dcm",
    *(f"charset_files/{name}.dcm" for name in _CHARSETS.split()),
)


def item(**attributes: object) -> Dataset:
    ds = Dataset()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def items(**attributes: object) -> Sequence:
    """A sequence of one item."""
    return Sequence([item(**attributes)])


def code(meaning: str) -> Sequence:
    return items(CodeValue="1", CodingSchemeDesignator="99X", CodeMeaning=meaning)


@cache
def path_of(name: str) -> Path:
    return next(p for p in (_BUNDLED / name, _MORE / name) if p.exists())


@cache
def _original(name: str) -> bytes:
    return path_of(name).read_bytes()


def _ascii(ds: Dataset) -> None:
    """Text of the file itself in ASCII, so that a place may choose the character set."""
    ds.decode()
    for element in ds:
        if element.VR == "SQ":
            for each in element.value:
                _ascii(each)
        elif element.VR in ("LO", "LT", "PN", "SH", "ST", "UC", "UT") and element.value and element.VM == 1:
            element.value = str(element.value).encode("ascii", "replace").decode()
        elif element.VR in ("LO", "PN", "SH", "UC") and element.VM > 1:
            element.value = [str(value).encode("ascii", "replace").decode() for value in element.value]


def base(name: str) -> Dataset:
    """The file as that of our patient."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds = dcmread(io.BytesIO(_original(name)))
        _ascii(ds)
    if "SpecificCharacterSet" in ds:
        ds.SpecificCharacterSet = "ISO_IR 100"
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = f"{FAMILY}^{GIVEN}", NUMBER, "19470913"
    ds.AccessionNumber, ds.ReferringPhysicianName = ACCESSION, "Zqxarzt^Quirin"
    return ds


def encoded(ds: Dataset) -> bytes:
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dcmwrite(out, ds, enforce_file_format=True)
    return out.getvalue()
