"""An explicit data set becomes the implicit one that pydicom reads as the same; what cannot be followed is refused."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import pydicom
import pytest
from pydicom import Dataset
from pydicom.data import get_testdata_file
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from proxy.wire.implicit import NotConvertible, implicit


def written(dataset: Dataset, implicit_vr: bool) -> bytes:
    out = DicomBytesIO()
    out.is_little_endian, out.is_implicit_VR = True, implicit_vr
    write_dataset(out, dataset)
    return out.getvalue()


def read(data: bytes) -> Dataset:
    return pydicom.filereader.read_dataset(io.BytesIO(data), True, True)


@pytest.mark.parametrize("name", ["CT_small.dcm", "rtplan.dcm", "test-SR.dcm", "reportsi.dcm", "liver_1frame.dcm"])
@pytest.mark.parametrize("undefined", [False, True])
def test_the_same_values(name: str, undefined: bool) -> None:
    path = get_testdata_file(name, download=False)
    assert path is not None
    whole = pydicom.dcmread(Path(str(path)))
    dataset = Dataset()
    for element in whole:  # decoded, so that pydicom writes it anew
        if element.tag.is_private_creator or not element.tag.is_private:
            dataset.add(element)
            if element.VR == "SQ":
                element.is_undefined_length = undefined
    assert read(b"".join(implicit(written(dataset, False)))) == read(written(dataset, True))


def element(tag: int, vr: bytes, length: int, value: bytes = b"") -> bytes:
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, length) + value


@pytest.mark.parametrize(
    "data",
    [
        element(0x00100020, b"LO", 4, b"ab"),
        element(0x00100020, b"LO", 0)[:6],
        element(0x00081199, b"SQ", 0) + b"\xff",
        element(0x00081199, b"SQ", 0) + struct.pack("<I", 9),
        element(0x7FE00010, b"OB", 0) + struct.pack("<I", 0xFFFFFFFF) + bytes(8),
        (element(0x00081199, b"SQ", 0) + struct.pack("<IHHI", 0xFFFFFFFF, 0xFFFE, 0xE000, 9)),
    ],
)
def test_what_cannot_be_followed(data: bytes) -> None:
    with pytest.raises(NotConvertible):
        b"".join(implicit(data))
