"""STOW-RS of metadata and bulk data: what arrives at ingest is read again with pydicom."""

from __future__ import annotations

import io
import json
from typing import Any

import pydicom
import pytest

from proxy.errors import Reason
from proxy.wire.dicom_xml import to_xml

JSON, XML = "application/dicom+json", "application/dicom+xml"
MIB = 1 << 20


def metadata(uid: str = "1.2.3", uri: str = "bulk/1", **more: Any) -> dict[str, Any]:
    values = {"00080016": ("UI", "1.2.840.10008.5.1.4.1.1.2"), "00080018": ("UI", uid), "0020000D": ("UI", "2.25.1"),
              "0020000E": ("UI", "2.25.2"), "00100020": ("LO", "Müller"), "00280010": ("US", 2)}  # fmt: skip
    instance: dict[str, Any] = {tag: {"vr": vr, "Value": [value]} for tag, (vr, value) in values.items()}
    return instance | ({"7FE00010": {"vr": "OW", "BulkDataURI": uri}} if uri else {}) | more


def part(data: bytes, media: str, location: str = "") -> bytes:
    place = f"\r\nContent-Location: {location}" if location else ""
    return f"--b0\r\nContent-Type: {media}{place}\r\n\r\n".encode() + data + b"\r\n"


def objects(*instances: dict[str, Any]) -> bytes:
    return part(json.dumps(instances, ensure_ascii=False).encode(), JSON)


@pytest.fixture
def store(site: Any) -> Any:
    """Send parts; the answer, and the data sets that ingest got."""
    receive, kept = site.ingest.receive, []

    async def remember(project: str, arena: Any, claimed: Any, peer: Any) -> Any:
        kept.append(pydicom.dcmread(io.BytesIO(bytes(arena.view()))))
        return await receive(project, arena, claimed, peer)

    site.ingest.receive = remember

    async def send(*parts: bytes, root: str = JSON, study: str = "") -> tuple[int, dict[str, Any], list[Any]]:
        body = b"".join(parts) + b"--b0--\r\n"
        status, answer, _ = await site.stow(body, study, f'multipart/related; type="{root}"; boundary=b0')
        assert site.server_budget().used == 0
        return status, answer, kept

    return send


def named(answer: dict[str, Any], tag: str = "00081199") -> list[str]:
    return [item["00081155"]["Value"][0] for item in answer.get(tag, {}).get("Value", [])]


def reasons(answer: dict[str, Any], tag: str = "00081198") -> list[int]:
    return [item["00081197"]["Value"][0] for item in answer.get(tag, {}).get("Value", [])]


@pytest.mark.parametrize("root", [JSON, XML])
async def test_metadata_and_native_bulk_data(store: Any, root: str) -> None:
    first = objects(metadata()) if root == JSON else part(to_xml(metadata()), XML)
    pixels = bytes(range(9))
    status, answer, (dataset,) = await store(first, part(pixels, "application/octet-stream", "bulk/1"), root=root)
    assert (status, named(answer)) == (200, ["1.2.3"])
    assert dataset.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert dataset.file_meta.MediaStorageSOPInstanceUID == "1.2.3"
    assert (dataset.PixelData, dataset.PatientID, dataset.Rows) == (pixels + b"\0", "Müller", 2)


@pytest.mark.parametrize(
    ("media", "syntax", "more"),
    [
        ("image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.50", "4.50", {}),
        ("image/jpeg", "4.70", {}),
        ("image/jpeg", "4.51", {"00020010": {"vr": "UI", "Value": ["1.2.840.10008.1.2.4.51"]}}),
        ("image/jpeg", "4.50", {"00083002": {"vr": "UI", "Value": ["1.2.840.10008.1.2.4.50"]}}),
        ("image/jp2", "4.90", {}),
        ("image/x-jls", "4.80", {}),
        ("video/mp4", "4.102", {}),
    ],
)  # fmt: skip
async def test_compressed_frames_are_encapsulated_unchanged(store: Any, media: str, syntax: str, more: Any) -> None:
    video = media.startswith("video")
    frames = [b"\xff\xd8odd\xff\xd9", b"\xff\xd8even\xff\xd9"][: 1 if video else 2]
    count = {"00280008": {"vr": "IS", "Value": [2]}}
    sent = [part(frame, media, "bulk/1") for frame in frames]
    status, _, (dataset,) = await store(objects(metadata(**count, **more)), *sent)
    assert status == 200
    assert dataset.file_meta.TransferSyntaxUID == f"1.2.840.10008.1.2.{syntax}"
    found = list(pydicom.encaps.generate_fragments(dataset.PixelData))[1:]
    assert [data.rstrip(b"\0") for data in found] == frames


async def test_many_instances_in_any_order_of_bulk_data(store: Any) -> None:
    inner = {"54000100": {"vr": "SQ", "Value": [{"54001010": {"vr": "OW", "BulkDataURI": "w"}}]}}
    given = [metadata("1.2.1", "a"), metadata("1.2.2", "b", **inner), metadata("1.2.3", ""), metadata("1.2.4", "a")]
    octets = "application/octet-stream"
    bulk = [part(b"BB", octets, "b"), part(b"AA", octets, "a"), part(b"WW", octets, "w")]
    status, answer, datasets = await store(objects(*given), *bulk)
    assert (status, sorted(named(answer))) == (200, ["1.2.1", "1.2.2", "1.2.3", "1.2.4"])
    pixels = {d.SOPInstanceUID: d.get("PixelData") for d in datasets}
    assert pixels == {"1.2.1": b"AA", "1.2.2": b"BB", "1.2.3": None, "1.2.4": b"AA"}
    (waveform,) = (d for d in datasets if "WaveformSequence" in d)
    assert waveform.WaveformSequence[0].WaveformData == b"WW"


async def test_an_encapsulated_document(store: Any) -> None:
    document = {"00420011": {"vr": "OB", "BulkDataURI": "doc"}}
    status, _, (dataset,) = await store(objects(metadata(uri="", **document)), part(b"%PDF-", "application/pdf", "doc"))
    assert (status, dataset.EncapsulatedDocument) == (200, b"%PDF-\0")


OCTETS = part(b"AA", "application/octet-stream", "bulk/1")


@pytest.mark.parametrize(
    ("parts", "failed", "unnamed"),
    [
        ([objects(metadata())], [0xC000], []),  # its bulk data never came
        ([objects(metadata()), part(b"AA", "application/octet-stream", "elsewhere")], [0xC000], [0xC000]),
        ([objects(metadata()), part(b"AA", "application/octet-stream")], [0xC000], [0xC000]),
        ([objects(metadata()), part(b"GIF", "image/gif", "bulk/1")], [0xC122], []),
        ([objects(metadata()), part(b"J", "image/jpeg; transfer-syntax=1.2.840.10008.1.2.5", "bulk/1")], [0xC122], []),
        ([objects(metadata(**{"00280010": {"vr": "US", "Value": ["x"]}})), OCTETS], [0xC000], [0xC000]),
        ([objects(metadata(uid="", uri="")), OCTETS], [], [0xC000]),
        ([objects({"00100020": 3})], [], [0xC000]),
        ([OCTETS], [], [0xC000]),
        ([objects(metadata(**{"00280008": {"vr": "IS", "Value": [2]}})), part(b"J", "image/jpeg", "bulk/1")],
         [0xC000], []),
    ],
)  # fmt: skip
async def test_what_cannot_become_an_instance_fails_alone(
    site: Any, store: Any, parts: Any, failed: list[int], unnamed: list[int]
) -> None:
    status, answer, _ = await store(*parts)
    assert status == 409
    assert reasons(answer) == failed
    assert set(reasons(answer, "0008119A")) == set(unnamed)
    assert site.ingest.received == [] or failed == []
    good = objects(metadata("1.2.9", ""))
    status, answer, _ = await store(*parts, good)
    assert (status, named(answer)) == (202, ["1.2.9"])


async def test_the_gate_decides_as_for_files(site: Any, store: Any) -> None:
    site.ingest.verdicts["1.2.3"] = Reason.TRUNCATED
    status, answer, _ = await store(objects(metadata(), metadata("1.2.4", "bulk/1")), OCTETS)
    assert (status, named(answer), named(answer, "00081198")) == (202, ["1.2.4"], ["1.2.3"])
    status, answer, _ = await store(objects(metadata()), OCTETS, study="9.9")
    assert (status, reasons(answer)) == (409, [0xA900])


@pytest.mark.parametrize("body", [b"{", b"[1]", b"[" * 100_000, b'"x"', b"\xff"])
async def test_metadata_that_cannot_be_read_is_400(store: Any, body: bytes) -> None:
    assert (await store(part(body, JSON)))[0] == 400


async def test_xml_that_cannot_be_read_is_400(store: Any) -> None:
    for body in (b"<x/>", b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>'):
        assert (await store(part(body, XML), root=XML))[0] == 400


async def test_memory_is_bounded(site: Any, store: Any, monkeypatch: Any) -> None:
    octets = "application/octet-stream"
    status, _, _ = await store(objects(metadata()), part(bytes(9 * MIB), octets, "bulk/1"))
    assert status == 413
    several = [metadata(f"1.2.{n}", f"u{n}", **{"00420011": {"vr": "OB", "BulkDataURI": "never"}}) for n in range(3)]
    bulk = [part(bytes(7 * MIB), octets, f"u{n}") for n in range(3)]
    body = b"".join([objects(*several), *bulk, b"--b0--\r\n"])
    status, _, headers = await site.stow(body, "", f'multipart/related; type="{JSON}"; boundary=b0')
    assert (status, "Retry-After" in headers, site.server_budget().used) == (503, True, 0)
    monkeypatch.setattr("proxy.dicomweb.assembly.METADATA_BYTES", 100)
    assert (await store(objects(metadata())))[0] == 413
