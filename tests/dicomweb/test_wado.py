from __future__ import annotations

import io
from typing import Any

import pydicom
import pytest
from pydicom import Dataset
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian, JPEGBaseline8Bit

from proxy.dicomweb.server import DicomwebServer
from proxy.service.retrieve import Retrieve
from proxy.wire.dicom_xml import from_xml
from proxy.wire.media import parse_media_type
from proxy.wire.multipart import MultipartParser, PartBegin, PartData

STUDY = "/studies/2.25.1"
SERIES = STUDY + "/series/2.25.2"
INSTANCE = SERIES + "/instances/2.25.3"
MULTI = 'multipart/related; type="application/dicom"'
DICOM = "application/dicom"
OCTETS = "application/octet-stream"
JPEG = "image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.50"


async def get(site: Any, path: str, accept: str = "*/*") -> tuple[int, bytes, Any]:
    async with site.http.get(site.base + path, headers={"Accept": accept}) as response:
        return response.status, await response.read(), response.headers


def split(headers: Any, body: bytes) -> list[tuple[str, bytes]]:
    parser = MultipartParser(parse_media_type(headers["Content-Type"]).parameters["boundary"])
    parts: list[tuple[str, bytes]] = []
    for events in (parser.feed(body), parser.close()):
        for event in events:
            if isinstance(event, PartBegin):
                parts.append((event.headers["content-type"], b""))
            elif isinstance(event, PartData):
                parts[-1] = (parts[-1][0], parts[-1][1] + event.data)
    return parts


@pytest.mark.parametrize(("path", "count"), [(STUDY, 3), (SERIES, 2), (INSTANCE, 1)])
async def test_instances_come_as_they_are_stored(site, path: str, count: int) -> None:
    files = [
        site.instance(InstanceNumber=1),
        site.instance(SOPInstanceUID="2.25.4", InstanceNumber=2),
        site.instance(SOPInstanceUID="2.25.5", SeriesInstanceUID="2.25.9"),
    ]
    await site.keep(*files)
    status, body, headers = await get(site, path, MULTI)
    assert status == 200
    parts = split(headers, body)
    assert [data for _, data in parts] == files[:count]
    assert parts[0][0] == "application/dicom; transfer-syntax=1.2.840.10008.1.2.1"


async def test_one_instance_alone(site) -> None:
    await site.keep(site.instance())
    status, body, headers = await get(site, INSTANCE, DICOM)
    assert (status, body) == (200, site.instance())
    assert headers["Content-Type"] == "application/dicom; transfer-syntax=1.2.840.10008.1.2.1"
    assert (await get(site, STUDY, DICOM))[0] == 406


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian])
async def test_implicit_and_big_endian_do_not_leave(site, syntax: str) -> None:
    item = Dataset()
    item.ScheduledProcedureStepID = "S"
    item.ReferencedFrameNumber = 7
    pixels = bytes(range(256)) * 1024
    values = {
        "Rows": 256,
        "Columns": 512,
        "PixelData": pixels,
        "RequestAttributesSequence": [item],
        "PixelSpacing": [0.5, 0.5],
    }
    stored = site.instance(syntax, **values)
    await site.keep(stored)
    status, body, _ = await get(site, INSTANCE, DICOM)
    assert status == 200
    dataset = pydicom.dcmread(io.BytesIO(body))
    assert dataset.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert dataset.RequestAttributesSequence[0].ReferencedFrameNumber == 7
    assert dataset.PixelSpacing == [0.5, 0.5]
    assert (dataset.pixel_array == pydicom.dcmread(io.BytesIO(stored)).pixel_array).all()
    status, frame, _ = await get(site, INSTANCE + "/frames/1", OCTETS)
    assert (status, frame) == (200, dataset.PixelData)
    status, value, _ = await get(site, INSTANCE + "/bulkdata/7FE00010", OCTETS)
    assert (status, value) == (200, dataset.PixelData)


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        (MULTI + "; transfer-syntax=*", 200),
        (MULTI + "; transfer-syntax=1.2.840.10008.1.2.1", 200),
        (MULTI + "; transfer-syntax=1.2.840.10008.1.2.4.50", 406),
        (f"{MULTI}; transfer-syntax=1.2.840.10008.1.2.4.50, {MULTI}; transfer-syntax=1.2.840.10008.1.2.1;q=0.5", 200),
        ("image/jpeg", 406),
        ("garbage", 400),
    ],
)
async def test_transfer_syntaxes(site, accept: str, status: int) -> None:
    await site.keep(site.instance())
    assert (await get(site, SERIES, accept))[0] == status


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/studies/9.9", 404),
        (STUDY + "/series/9.9", 404),
        (SERIES + "/instances/9.9", 404),
        ("/studies/9.9/metadata", 404),
        ("/studies/abc", 400),
        (STUDY + "/series/1..2/metadata", 400),
        ("/nothing", 404),
        (INSTANCE + "/bulkdata/00100010", 200),
        (INSTANCE + "/bulkdata/00100099", 404),
        (INSTANCE + "/bulkdata/00400275/9/00100010", 404),
        (INSTANCE + "/bulkdata/..%2f..%2fetc", 400),
        (INSTANCE + "/frames/2", 404),
        (INSTANCE + "/frames/0", 400),
    ],
)
async def test_what_is_not_there(site, path: str, status: int) -> None:
    await site.keep(site.instance(PatientName="X"))
    assert (await get(site, path))[0] == status


async def test_metadata_at_three_levels(site) -> None:
    await site.keep(site.instance(), site.instance(SOPInstanceUID="2.25.4", InstanceNumber=2))
    for path, count in ((STUDY, 2), (SERIES, 2), (INSTANCE, 1)):
        async with site.http.get(site.base + path + "/metadata") as response:
            assert (response.status, response.headers["Content-Type"]) == (200, "application/dicom+json")
            objects = await response.json(content_type=None)
        assert len(objects) == count
        assert not any(tag.startswith("0002") for tag in objects[0])
        assert objects[0]["7FE00010"] == {"vr": "OW", "BulkDataURI": f"{site.base}{INSTANCE}/bulkdata/7FE00010"}


async def test_bulk_data_uris_resolve(site) -> None:
    item = Dataset()
    item.add_new(0x54001010, "OW", bytes(range(256)) * 8)
    await site.keep(site.instance(WaveformSequence=[item]))
    async with site.http.get(site.base + INSTANCE + "/metadata") as response:
        (metadata,) = await response.json(content_type=None)
    nested = metadata["54000100"]["Value"][0]["54001010"]["BulkDataURI"]
    for uri, value in ((nested, bytes(range(256)) * 8), (metadata["7FE00010"]["BulkDataURI"], bytes(range(1, 9)))):
        async with site.http.get(uri, headers={"Accept": f'multipart/related; type="{OCTETS}"'}) as response:
            assert response.status == 200
            parts = split(response.headers, await response.read())
        assert parts == [(OCTETS, value)]


async def test_native_frames(site) -> None:
    pixels = b"".join(bytes([n]) * 8 for n in range(1, 5))
    await site.keep(site.instance(NumberOfFrames=4, PixelData=pixels))
    _status, body, headers = await get(
        site, INSTANCE + "/frames/3,1", 'multipart/related; type="application/octet-stream"'
    )
    assert [data for _, data in split(headers, body)] == [b"\x03" * 8, b"\x01" * 8]
    assert (await get(site, INSTANCE + "/frames/1,2", OCTETS))[0] == 406
    assert (await get(site, INSTANCE + "/frames/1", "image/jpeg"))[0] == 406


@pytest.mark.parametrize(
    ("accept", "status", "media"),
    [
        ('multipart/related; type="image/jpeg"', 200, JPEG),
        ('multipart/related; type="application/octet-stream"; transfer-syntax=*', 200, JPEG),
        ("multipart/related; type=image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.50", 200, JPEG),
        ('multipart/related; type="application/octet-stream"', 406, ""),
        ('multipart/related; type="image/jls"', 406, ""),
    ],
)  # fmt: skip
async def test_compressed_frames_are_not_decoded(site, accept: str, status: int, media: str) -> None:
    frames = [b"\xff\xd8frame-one\xff\xd9", b"\xff\xd8frame-two!\xff\xd9"]
    data = site.instance(JPEGBaseline8Bit, NumberOfFrames=2, BitsAllocated=8, PixelData=encapsulate(frames))
    await site.keep(data)
    got, body, headers = await get(site, INSTANCE + "/frames/2", accept)
    assert got == status
    if status == 200:
        ((described, value),) = split(headers, body)
        assert described == media
        assert value.rstrip(b"\0") == frames[1]
        _, body, headers = await get(site, INSTANCE + "/bulkdata/7FE00010", accept)
        assert [value.rstrip(b"\0") for _, value in split(headers, body)] == frames


async def test_a_real_compressed_multiframe(site) -> None:
    source = pydicom.dcmread(get_testdata_file("SC_rgb_rle_2frame.dcm", download=False))
    source.StudyInstanceUID, source.SeriesInstanceUID, source.SOPInstanceUID = "2.25.1", "2.25.2", "2.25.3"
    source.file_meta.MediaStorageSOPInstanceUID = "2.25.3"
    buffer = io.BytesIO()
    source.save_as(buffer)
    await site.keep(buffer.getvalue())
    status, body, headers = await get(site, INSTANCE + "/frames/1,2", 'multipart/related; type="image/dicom-rle"')
    assert status == 200
    assert [len(data) > 0 for _, data in split(headers, body)] == [True, True]


async def test_every_retrieval_is_recorded_first(site) -> None:
    await site.keep(site.instance())
    await get(site, INSTANCE)
    await get(site, "/studies/1.2.826.999")
    found, missing = site.audit.events
    assert (found.type, found.outcome, found.object["what"], found.object["instances"]) == (
        "retrieved",
        "success",
        "instances",
        1,
    )
    assert found.object["sop_instance_uid"] == "2.25.3"
    assert missing.outcome == "failure"
    assert "1.2.826.999" not in repr(missing)  # it may be an original
    site.audit.broken = True
    for path in (INSTANCE, STUDY + "/metadata", INSTANCE + "/bulkdata/7FE00010", INSTANCE + "/frames/1"):
        assert (await get(site, path))[0] == 503


async def test_head_has_no_body(site) -> None:
    await site.keep(site.instance())
    async with site.http.head(site.base + STUDY) as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("multipart/related")
        assert await response.read() == b""


async def test_a_file_that_breaks_on_the_way_is_not_a_short_200(site) -> None:
    import aiohttp

    await site.keep(site.instance(), site.instance(SOPInstanceUID="2.25.4", InstanceNumber=2, PixelData=bytes(3 << 20)))
    (path,) = await site.archive.instances("research", "2.25.1", "2.25.2", "2.25.4")
    path.write_bytes(b"")
    with pytest.raises(aiohttp.ClientError):
        await get(site, STUDY, MULTI)
    async with site.http.get(site.base + STUDY + "/metadata") as response:
        with pytest.raises(aiohttp.ClientError):
            await response.read()


@pytest.mark.parametrize("path", [STUDY, SERIES, INSTANCE, INSTANCE + "/metadata", INSTANCE + "/frames/1",
                                  INSTANCE + "/bulkdata/7FE00010", STUDY + "/pixeldata"])  # fmt: skip
async def test_an_entity_tag_lasts_as_long_as_its_bytes(site, path: str) -> None:
    await site.keep(site.instance())
    _, first, headers = await get(site, path)
    _, again, same = await get(site, path)
    assert (again, same["ETag"]) == (first, headers["ETag"])
    asked = {"If-None-Match": headers["ETag"]}
    async with site.http.get(site.base + path, headers=asked) as response:
        assert (response.status, await response.read(), response.headers["ETag"]) == (304, b"", headers["ETag"])
    assert [event.type for event in site.audit.events] == ["retrieved"] * 3  # a 304 tells something too
    await site.keep(site.instance(PatientName="X"))  # the same instance with other attributes
    async with site.http.get(site.base + path, headers=asked) as response:
        assert response.status == 200
        assert response.headers["ETag"] != headers["ETag"]


async def test_an_entity_tag_changes_with_the_rules(site) -> None:
    rules = {"now": "digest-1"}
    await site.keep(site.instance())
    tags = []
    server = DicomwebServer(
        "127.0.0.1", 0, "https://veil.example", {"research": "research"}, site.ingest, None,
        Retrieve(site.archive, site.audit), site.audit, lambda: None, 1000, 1000, revision=lambda _: rules["now"],
    )  # fmt: skip
    await server.start()
    for digest in ("digest-1", "digest-1", "digest-2"):
        rules["now"] = digest
        async with site.http.get(f"http://127.0.0.1:{server.port}/dicomweb/research{INSTANCE}") as response:
            tags.append(response.headers["ETag"])
    await server.stop(0)
    assert tags[0] == tags[1] != tags[2]


async def test_metadata_as_xml(site) -> None:
    await site.keep(site.instance(), site.instance(SOPInstanceUID="2.25.4", InstanceNumber=2))
    xml = 'multipart/related; type="application/dicom+xml"'
    _, body, headers = await get(site, STUDY + "/metadata", xml)
    parts = split(headers, body)
    async with site.http.get(site.base + STUDY + "/metadata") as response:
        assert [from_xml(data) for _, data in parts] == await response.json(content_type=None)
    assert [media for media, _ in parts] == ["application/dicom+xml"] * 2
    status, body, _ = await get(site, INSTANCE + "/metadata", "application/dicom+xml")
    assert (status, from_xml(body)["00080018"]["Value"]) == (200, ["2.25.3"])
    assert (await get(site, STUDY + "/metadata", "application/dicom+xml"))[0] == 406
