"""A real server on loopback with the real archive; ingest and audit are fakes that remember."""

from __future__ import annotations

import hashlib
import io
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pydicom
import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from proxy.archive.archive import EmbeddedArchive
from proxy.deid.types import Claimed, Original
from proxy.dicomweb.server import DicomwebServer
from proxy.errors import MALFORMED_REASONS, AuditUnavailable, Reason
from proxy.service.ports import AuditEvent, Peer
from proxy.service.retrieve import Retrieve
from proxy.service.search import Search
from proxy.workers.arena import Arena

MIB = 1 << 20


@dataclass
class FakeOutcome:
    stored: bool
    reason: Reason | None
    original: Original | None
    answer: str


@dataclass
class FakeIngest:
    """Reads the UIDs with pydicom and does as told by ``verdicts`` (SOP Instance UID → reason or exception)."""

    received: list[tuple[str, str, Claimed, Peer, int]] = field(default_factory=list)
    verdicts: dict[str, Any] = field(default_factory=dict)
    held_answer: str = "accept"
    keep: Callable[[bytes], None] | None = None

    async def receive(self, project: str, arena: Arena, claimed: Claimed, peer: Peer) -> FakeOutcome:
        view = arena.view()
        digest = hashlib.sha256(view).hexdigest()
        self.received.append((project, digest, claimed, peer, arena.size))
        if bytes(view[128:132]) != b"DICM":
            return FakeOutcome(False, Reason.NOT_DICOM, None, "refuse")
        dataset = pydicom.dcmread(io.BytesIO(bytes(view[:MIB])), stop_before_pixels=True)
        uid = str(dataset.SOPInstanceUID)
        verdict = self.verdicts.get(uid)
        if isinstance(verdict, Exception):
            raise verdict
        original = Original(str(dataset.SOPClassUID), uid, str(dataset.StudyInstanceUID), "2.25.2")
        if claimed.study_instance_uid not in ("", original.study_instance_uid):
            verdict = Reason.UID_MISMATCH
        if verdict is None:
            return FakeOutcome(True, None, original, "accept")
        refuse = verdict in MALFORMED_REASONS or self.held_answer == "refuse"
        return FakeOutcome(False, verdict, original, "refuse" if refuse else "accept")


@dataclass
class FakeAudit:
    events: list[AuditEvent] = field(default_factory=list)
    broken: bool = False

    async def record(self, *events: AuditEvent) -> None:
        if self.broken:
            raise AuditUnavailable("no sink")
        self.events += events


def instance(transfer_syntax: str = ExplicitVRLittleEndian, **values: Any) -> bytes:
    dataset = Dataset()
    defaults: dict[str, Any] = {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2",
        "SOPInstanceUID": "2.25.3",
        "StudyInstanceUID": "2.25.1",
        "SeriesInstanceUID": "2.25.2",
        "PatientID": "K7QX",
        "PatientName": "",
        "StudyDate": "20200103",
        "Modality": "CT",
        "InstanceNumber": 1,
        "NumberOfFrames": 1,
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
    if UID(transfer_syntax).is_compressed:
        dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(transfer_syntax)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


@dataclass
class Site:
    server: DicomwebServer
    archive: EmbeddedArchive
    ingest: FakeIngest
    audit: FakeAudit
    http: aiohttp.ClientSession
    folder: Path
    state: dict[str, Any]
    instance: Callable[..., bytes] = instance

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server.port}/dicomweb/research"

    async def keep(self, *files: bytes) -> None:
        """File instances in the archive as if delivered."""
        for data in files:
            path = self.folder / hashlib.sha256(data).hexdigest()
            path.write_bytes(data)
            await self.archive.store("research", path)

    def server_budget(self) -> Any:
        return self.server.stow.budget

    def multipart(self, *bodies: bytes, boundary: str = "b0", part_type: str = "application/dicom") -> bytes:
        head = f"--{boundary}\r\nContent-Type: {part_type}\r\n\r\n".encode()
        return b"".join(head + body + b"\r\n" for body in bodies) + f"--{boundary}--\r\n".encode()

    async def stow(
        self, body: Any, study: str = "", content_type: str = "", headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, Any], dict[str, str]]:
        content_type = content_type or 'multipart/related; type="application/dicom"; boundary=b0'
        body = io.BytesIO(body) if isinstance(body, bytes) else body
        url = f"{self.base}/studies" + (f"/{study}" if study else "")
        async with self.http.post(
            url, data=body, headers={"Content-Type": content_type, **(headers or {})}
        ) as response:
            return response.status, await response.json(content_type=None), dict(response.headers)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    folder = tmp_path / "spool"
    folder.mkdir()
    archive, audit, ingest = EmbeddedArchive(tmp_path / "archive"), FakeAudit(), FakeIngest()
    await archive.start()
    state: dict[str, Any] = {"ready": True, "checks": {}}

    async def readiness() -> dict[str, Any]:
        return state

    server = DicomwebServer(
        "127.0.0.1", 0, None, {"research": "research", "other": "other"}, ingest, Search(archive, audit),
        Retrieve(archive, audit), audit, readiness, 8 * MIB, 20 * MIB,
    )  # fmt: skip
    await server.start()
    async with aiohttp.ClientSession() as http:
        yield Site(server, archive, ingest, audit, http, folder, state)
    await server.stop(1.0)
    await archive.close()
