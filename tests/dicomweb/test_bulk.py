from __future__ import annotations

from typing import Any

import pytest
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRBigEndian, JPEGBaseline8Bit

from proxy.wire.media import parse_media_type
from proxy.wire.multipart import MultipartParser, PartBegin, PartData

STUDY = "/studies/2.25.1"
SERIES = STUDY + "/series/2.25.2"
INSTANCE = SERIES + "/instances/2.25.3"
OCTETS = "application/octet-stream"
ANY = f'multipart/related; type="{OCTETS}"; transfer-syntax=*'
FRAMES = [b"\xff\xd8frame-one\xff\xd9", b"\xff\xd8frame-two!\xff\xd9"]


async def get(site: Any, path: str, **headers: str) -> tuple[int, bytes, Any]:
    async with site.http.get(site.base + path, headers=headers) as response:
        return response.status, await response.read(), response.headers


def split(headers: Any, body: bytes) -> list[tuple[dict[str, str], bytes]]:
    parser = MultipartParser(parse_media_type(headers["Content-Type"]).parameters["boundary"])
    parts: list[tuple[dict[str, str], bytes]] = []
    for events in (parser.feed(body), parser.close()):
        for event in events:
            if isinstance(event, PartBegin):
                parts.append((dict(event.headers), b""))
            elif isinstance(event, PartData):
                parts[-1] = (parts[-1][0], parts[-1][1] + event.data)
    return parts


@pytest.fixture
async def mixed(site: Any) -> Any:
    """One native instance with a waveform besides its pixels, one of two JPEG frames in another series, one of none."""
    item = Dataset()
    item.add_new(0x54001010, "OW", bytes(range(256)) * 8)
    jpeg = {"NumberOfFrames": 2, "BitsAllocated": 8, "PixelData": encapsulate(FRAMES)}
    await site.keep(
        site.instance(WaveformSequence=[item]),
        site.instance(JPEGBaseline8Bit, SeriesInstanceUID="2.25.20", SOPInstanceUID="2.25.30", **jpeg),
        site.instance(StudyInstanceUID="2.25.9", SOPInstanceUID="2.25.90", PixelData=b""),
    )
    return site


@pytest.mark.parametrize(
    ("path", "values"),
    [
        (STUDY + "/bulkdata", [bytes(range(256)) * 8, bytes(range(1, 9)), *FRAMES]),
        (STUDY + "/pixeldata", [bytes(range(1, 9)), *FRAMES]),
        (SERIES + "/bulkdata", [bytes(range(256)) * 8, bytes(range(1, 9))]),
        (SERIES + "/pixeldata", [bytes(range(1, 9))]),
        (INSTANCE + "/bulkdata", [bytes(range(256)) * 8, bytes(range(1, 9))]),
        (STUDY + "/series/2.25.20/instances/2.25.30/pixeldata", FRAMES),
    ],
)
async def test_everything_of_a_level_with_its_address(mixed: Any, path: str, values: list[bytes]) -> None:
    status, body, headers = await get(mixed, path, Accept=ANY)
    parts = split(headers, body)
    assert (status, [value.rstrip(b"\0") for _, value in parts]) == (200, [v.rstrip(b"\0") for v in values])
    for described, value in parts:
        address = described["content-location"]
        assert address.startswith(mixed.base + STUDY)
        again, other, its = await get(mixed, address.removeprefix(mixed.base), Accept=ANY)
        assert again == 200
        assert value in [data for _, data in split(its, other)]


async def test_compressed_pixels_are_not_called_octets_unasked(mixed: Any) -> None:
    path = STUDY + "/pixeldata"
    assert (await get(mixed, path, Accept=f'multipart/related; type="{OCTETS}"'))[0] == 406
    assert (await get(mixed, SERIES + "/pixeldata", Accept=f'multipart/related; type="{OCTETS}"'))[0] == 200
    jpeg = STUDY + "/series/2.25.20/pixeldata"
    status, body, headers = await get(mixed, jpeg, Accept="multipart/related; type=image/jpeg")
    assert status == 200
    assert {described["content-type"] for described, _ in split(headers, body)} == {
        "image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.50"
    }


@pytest.mark.parametrize("path", ["/studies/2.25.9/bulkdata", "/studies/2.25.9/pixeldata", "/studies/9.9/pixeldata"])
async def test_none_is_404(mixed: Any, path: str) -> None:
    assert (await get(mixed, path))[0] == 404


@pytest.mark.parametrize(
    "accept",
    ["multipart/related; type=image/x-jls, multipart/related; type=image/jpeg",
     f'multipart/related; type="{OCTETS}"; transfer-syntax=1.2.840.10008.1.2.4.50',
     f"multipart/related; type={OCTETS}; transfer-syntax=*; boundary=abc",
     'multipart/related; type="image/jpeg; transfer-syntax=*"', "*/*", ""],
)  # fmt: skip
async def test_what_viewers_say_for_frames(mixed: Any, accept: str) -> None:
    path = STUDY + "/series/2.25.20/instances/2.25.30/frames/1"
    status, body, headers = await get(mixed, path, Accept=accept)
    assert status == 200
    assert split(headers, body)[0][1].rstrip(b"\0") == FRAMES[0]


@pytest.mark.parametrize("path", [INSTANCE, INSTANCE + "/frames/1", INSTANCE + "/bulkdata/7FE00010"])
async def test_ranges_of_single_parts(mixed: Any, path: str) -> None:
    accept = "application/dicom" if path == INSTANCE else OCTETS
    status, whole, headers = await get(mixed, path, Accept=accept)
    assert (status, headers["Accept-Ranges"], int(headers["Content-Length"])) == (200, "bytes", len(whole))
    status, part, headers = await get(mixed, path, Accept=accept, Range="bytes=3-6")
    assert (status, part, headers["Content-Range"]) == (206, whole[3:7], f"bytes 3-6/{len(whole)}")
    status, part, _ = await get(mixed, path, Accept=accept, Range="bytes=-2")
    assert (status, part) == (206, whole[-2:])
    status, _, headers = await get(mixed, path, Accept=accept, Range="bytes=999999-")
    assert (status, headers["Content-Range"]) == (416, f"bytes */{len(whole)}")
    other = {"Range": "bytes=3-6", "If-Range": '"another"'}
    assert (await get(mixed, path, Accept=accept, **other))[:2] == (200, whole)


async def test_multipart_has_no_ranges(mixed: Any) -> None:
    status, _, headers = await get(mixed, INSTANCE, Range="bytes=0-3")
    assert (status, "Content-Range" in headers) == (200, False)


async def test_swapped_words_are_not_cut(site: Any) -> None:
    await site.keep(site.instance(ExplicitVRBigEndian, Rows=256, Columns=512, PixelData=bytes(1 << 18)))
    status, body, headers = await get(site, INSTANCE + "/frames/1", Accept=OCTETS, Range="bytes=0-2")
    assert (status, len(body), headers["Accept-Ranges"]) == (200, 1 << 18, "none")
