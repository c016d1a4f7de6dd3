"""Orthanc as a destination by STOW-RS, and as a client of our STOW-RS and QIDO-RS."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.data import get_testdata_file

from proxy.dicomweb.client import DicomwebSender
from proxy.errors import InstanceRejected
from proxy.service.ports import QueueRow

pytestmark = [pytest.mark.peer, pytest.mark.filterwarnings("ignore::UserWarning")]
FILES = [
    "CT_small.dcm",
    "MR_small_bigendian.dcm",
    "SC_rgb_rle_2frame.dcm",
    "reportsi.dcm",
    "rtplan.dcm",
    "JPEG2000.dcm",
]


def row(path: Path) -> QueueRow:
    dataset = pydicom.dcmread(path, stop_before_pixels=True)
    syntax, size = str(dataset.file_meta.TransferSyntaxUID), path.stat().st_size
    uids = (dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID, "K")
    return QueueRow(1, "research", "pacs", "x", "0", size, str(dataset.SOPClassUID), syntax, *map(str, uids), 0, 0.0)


async def test_orthanc_takes_what_we_stow(orthanc: Any) -> None:
    sender = DicomwebSender(orthanc.dicomweb, {}, 30.0)
    sent = {}
    for name in FILES:
        path = Path(get_testdata_file(name, download=False))
        await sender.send(row(path), path)
        sent[row(path).sop_instance_uid] = path.read_bytes()
    await sender.send(row(path), path)  # a resend is harmless
    await sender.close()
    assert set(await asyncio.to_thread(orthanc.instances)) == set(sent)
    for uid, data in sent.items():
        assert await asyncio.to_thread(orthanc.file, uid) == data


async def test_orthanc_refuses_what_is_not_dicom(orthanc: Any, tmp_path: Path) -> None:
    path = tmp_path / "bad"
    path.write_bytes(b"not DICOM" * 100)
    sender = DicomwebSender(orthanc.dicomweb, {}, 30.0)
    good = Path(get_testdata_file("CT_small.dcm", download=False))
    with pytest.raises(InstanceRejected):
        await sender.send(row(good), path)
    await sender.close()
    assert await asyncio.to_thread(orthanc.instances) == {}


async def test_orthanc_stows_to_us(orthanc: Any, site: Any) -> None:
    def call(path: str, document: Any) -> Any:
        body = json.dumps(document).encode() if not isinstance(document, bytes) else document
        request = urllib.request.Request(orthanc.rest + path, body, method="PUT" if "/servers/" in path else "POST")
        if path.endswith("/stow"):
            request = urllib.request.Request(orthanc.rest + path, body, method="POST")
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.loads(response.read() or b"null")

    def drive() -> Any:
        key = call("/instances", Path(get_testdata_file("CT_small.dcm", download=False)).read_bytes())["ID"]
        call("/dicom-web/servers/veil", {"Url": site.base, "ChunkedTransfers": True})
        return call("/dicom-web/servers/veil/stow", {"Resources": [key], "Synchronous": True})

    answer = await asyncio.to_thread(drive)
    assert len(site.ingest.received) == 1
    assert str(answer["InstancesCount"]) == "1"
