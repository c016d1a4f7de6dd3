"""The fixture ``make``: builds small instances for the engine's tests and reads what came out, both with pydicom."""

from __future__ import annotations

import io
import struct
import sys
from functools import lru_cache
from types import ModuleType
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite

from proxy.deid.engine import deidentify
from proxy.deid.original import Source
from proxy.deid.part10 import read_part10
from proxy.deid.profile import Policy, PolicySpec, Tables, compile_policy
from proxy.deid.reading import Leaf, Path, known_vr
from proxy.deid.types import Claimed, Deidentified, materialise
from proxy.deid.view import view_of
from proxy.store.rulebook import load_profile, load_tables

EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
CT, MR, SR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.88.11"
KEY = bytes(range(32))


@pytest.fixture(scope="session")
def make() -> ModuleType:
    """This module's functions, for tests that cannot import it by name."""
    return sys.modules[__name__]


@lru_cache(maxsize=1)
def tables() -> Tables:
    return load_tables()


@lru_cache(maxsize=64)
def policy(profile: str = "basic", key: bytes = KEY, **more: Any) -> Policy:
    """A shipped profile for attributes: heads pass, and nothing is read for text."""
    document = load_profile(profile)
    document = {**document, "pixels": {"faces": "forward", "text": "off"}}
    return compile_policy(tables(), PolicySpec("research", document, key, **more))


@lru_cache(maxsize=64)
def optioned(*options: str, base: str = "basic", **more: Any) -> Policy:
    """A shipped profile with ``options`` instead of its own."""
    profile = {**load_profile(base), "options": list(options), "pixels": {"faces": "forward", "text": "off"}}
    return compile_policy(tables(), PolicySpec("research", profile, KEY, **more))


def dataset(sop_class: str = CT, **attributes: Any) -> Dataset:
    ds = Dataset()
    ds.SOPClassUID = sop_class
    ds.SOPInstanceUID = "1.2.3.4"
    ds.StudyInstanceUID = "1.2.3"
    ds.SeriesInstanceUID = "1.2.3.1"
    ds.PatientID = "4711"
    ds.PatientName = "Doe^Jane"
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def with_pixels(ds: Dataset, value: bytes, vr: str = "OW", bits: int = 8) -> Dataset:
    """``ds`` with one row of unsigned grey pixels: ``value``, and all that an image says of it (PS3.3 C.7.6.3)."""
    ds.Rows, ds.Columns = 1, len(value) * 8 // bits
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = bits, bits, bits - 1
    ds.SamplesPerPixel, ds.PixelRepresentation, ds.PhotometricInterpretation = 1, 0, "MONOCHROME2"
    ds.add_new(0x7FE00010, vr, value)
    return ds


def encode(ds: Dataset, syntax: str = EXPLICIT_LITTLE) -> bytes:
    meta = FileMetaDataset()
    meta.FileMetaInformationGroupLength = 0  # written as what it is
    meta.MediaStorageSOPClassUID = str(ds.get("SOPClassUID", ""))
    meta.MediaStorageSOPInstanceUID = str(ds.get("SOPInstanceUID", ""))
    meta.TransferSyntaxUID = syntax
    ds = Dataset(ds)
    ds.file_meta, ds.preamble = meta, bytes(range(128))
    out = io.BytesIO()
    dcmwrite(out, ds, enforce_file_format=False, overwrite=True)
    return out.getvalue()


def run(data: bytes, under: Policy, claimed: Claimed | None = None) -> tuple[Deidentified, bytes]:
    result = deidentify(memoryview(data), claimed or Claimed(), under)
    return result, materialise(result.chunks, data)


def through(ds: Dataset, under: Policy, syntax: str = EXPLICIT_LITTLE) -> Dataset:
    """De-identify ``ds`` and read the result back."""
    return dcmread(io.BytesIO(run(encode(ds, syntax), under)[1]))


def raw_element(tag: int, vr: str, value: bytes) -> bytes:
    """One element in explicit VR little endian, whatever a library thinks of it."""
    value += b" " * (len(value) % 2)
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr.encode()
    if vr in ("OB", "OW", "SQ", "UN", "UT", "UC", "UR", "OD", "OF", "OL", "OV", "SV", "UV"):
        return head + struct.pack("<HI", 0, len(value)) + value
    return head + struct.pack("<H", len(value)) + value


def leaf(tag: int, vr: str, value: bytes = b"", path: Path = ()) -> Leaf:
    """One element as the gate reads it."""
    return Leaf(tag, vr, known_vr(tag), path, memoryview(value), 0, "latin_1")


def source(ds: Dataset, under: Policy) -> Source:
    """``ds`` as the gate reads an input; every element is asked what it identifies."""
    data = memoryview(encode(ds))
    head = read_part10(data)
    view = view_of(data, head.dataset_offset, under.transfer_syntaxes[head.transfer_syntax_uid], under)
    return Source(view, range(len(view.rows)))


KEPT_DATES = {"dates": "keep", "birth_date": "remove", "times": "keep", "ages": "keep"}


def worded(*options: str, by_vr: dict[str, str] | None = None, **dates: Any) -> Policy:
    """The basic profile with options, words about VRs that no row names, and words about dates."""
    made = {**load_profile("basic"), "options": list(options)}
    made["unlisted"] = {**made["unlisted"], "by_vr": {**made["unlisted"]["by_vr"], **(by_vr or {})}}
    if dates:
        made["dates"] = {**KEPT_DATES, **dates}
    return compile_policy(tables(), PolicySpec("research", made, KEY))
