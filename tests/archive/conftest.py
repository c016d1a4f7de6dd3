"""Small de-identified instances, made on the spot."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from proxy.archive.archive import EmbeddedArchive

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """``make("name", StudyInstanceUID="2.25.1", ...)`` writes a Part 10 file and returns its path."""
    spool = tmp_path / "spool"
    spool.mkdir()

    def write(name: str, **values: Any) -> Path:
        dataset = Dataset()
        defaults = {
            "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2",
            "SOPInstanceUID": f"2.25.9{len(list(spool.iterdir()))}",
            "StudyInstanceUID": "2.25.1",
            "SeriesInstanceUID": "2.25.2",
            "PatientID": "K7QX",
            "PatientName": "",
            "StudyDate": "20200103",
            "Modality": "CT",
            "InstanceNumber": 1,
            "Rows": 2,
            "Columns": 2,
            "BitsAllocated": 16,
            "BitsStored": 16,
            "HighBit": 15,
            "PixelRepresentation": 0,
            "SamplesPerPixel": 1,
            "PhotometricInterpretation": "MONOCHROME2",
            "PixelData": b"\x01\x02\x03\x04\x05\x06\x07\x08",
        }
        for keyword, value in {**defaults, **values}.items():
            setattr(dataset, keyword, value)
        dataset["PixelData"].VR = "OW"
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        path = spool / name
        dataset.save_as(path, enforce_file_format=True)
        return path

    return write


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[EmbeddedArchive]:
    opened = EmbeddedArchive(tmp_path / "archive")
    await opened.start()
    yield opened
    await opened.close()
