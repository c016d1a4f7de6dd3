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


def call(orthanc: Any, method: str, path: str, document: Any) -> Any:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    request = urllib.request.Request(orthanc.rest + path, body, method=method)
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.loads(response.read() or b"null")


async def test_orthanc_stows_to_us(orthanc: Any, site: Any) -> None:
    def drive() -> Any:
        keys = [
            call(orthanc, "POST", "/instances", Path(get_testdata_file(name, download=False)).read_bytes())["ID"]
            for name in ("CT_small.dcm", "reportsi.dcm")
        ]
        call(orthanc, "PUT", "/dicom-web/servers/veil", {"Url": site.base, "ChunkedTransfers": True})
        return call(orthanc, "POST", "/dicom-web/servers/veil/stow", {"Resources": keys, "Synchronous": True})

    answer = await asyncio.to_thread(drive)
    assert len(site.ingest.received) == 2
    assert str(answer["InstancesCount"]) == "2"


async def test_orthanc_searches_and_retrieves_from_us(orthanc: Any, site: Any) -> None:
    files = [site.instance(SOPInstanceUID=f"2.25.{n}", InstanceNumber=n) for n in (30, 31)]
    await site.keep(*files)

    def drive() -> Any:
        call(orthanc, "PUT", "/dicom-web/servers/veil", {"Url": site.base})
        query = {"Uri": "/studies", "Arguments": {"PatientID": "K7QX"}}
        found = call(orthanc, "POST", "/dicom-web/servers/veil/qido", query)
        wanted = {"Resources": [{"Study": "2.25.1"}], "Synchronous": True}
        call(orthanc, "POST", "/dicom-web/servers/veil/retrieve", wanted)
        return found

    (study,) = await asyncio.to_thread(drive)
    assert '"2.25.1"' in json.dumps(study)
    assert set(await asyncio.to_thread(orthanc.instances)) == {"2.25.30", "2.25.31"}
    assert await asyncio.to_thread(orthanc.file, "2.25.30") == files[0]
