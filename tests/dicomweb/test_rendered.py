"""Rendered resources and thumbnails over HTTP, from real files in the archive, rendered by the inline twin of a worker.

The last ones by a worker process, which a broken or too large instance cannot take along.
"""

from __future__ import annotations

import io
import os
from collections.abc import AsyncIterator
from functools import lru_cache
from typing import Any

import aiohttp
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from proxy.deid.pixels.rendering import Rendered, Rendering
from proxy.deid.profile import Policy, PolicySpec, compile_policy
from proxy.dicomweb.server import DicomwebServer
from proxy.errors import Reason
from proxy.service.ports import Held
from proxy.service.render import Renderer
from proxy.service.retrieve import Retrieve
from proxy.service.search import Search
from proxy.store.rulebook import load_profile, load_tables
from proxy.wire.media import parse_media_type
from proxy.wire.multipart import MultipartParser, PartBegin, PartData
from proxy.workers.inline import InlineDeidentifier
from proxy.workers.pool import WorkerPool

JPEG, PNG, GIF = "image/jpeg", "image/png", "image/gif"
KEY = b"g" * 32
#: name of a bundled file → SOP Instance UID below study 2.25.1, series 2.25.2
CT, LOOP, US, SR = "693_UNCI.dcm", "examples_ybr_color.dcm", "OBXXXX1A.dcm", "reportsi.dcm"
SERIES = "/studies/2.25.1/series/2.25.2"
INSTANCE = SERIES + "/instances/"


@lru_cache(maxsize=1)
def policies() -> dict[str, Policy]:
    return {"research": compile_policy(load_tables(), PolicySpec("research", load_profile("basic"), bytes(32)))}


def bundled(name: str, uid: str, **values: Any) -> bytes:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    ds = pydicom.dcmread(path)
    ds.StudyInstanceUID, ds.SeriesInstanceUID = values.pop("study", "2.25.1"), values.pop("series", "2.25.2")
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = UID(uid)
    ds.PatientID, ds.PatientName = "K7QX", "PX^7"
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    file = io.BytesIO()
    ds.save_as(file, enforce_file_format=True)
    return file.getvalue()


async def readiness() -> dict[str, Any]:
    return {"ready": True}


async def served(site: Any, renderer: Renderer | None) -> DicomwebServer:
    server = DicomwebServer(
        "127.0.0.1", 0, None, {"research": "research"}, site.ingest, Search(site.archive, site.audit),
        Retrieve(site.archive, site.audit), site.audit, readiness, 1000, 1000, renderer=renderer,
    )  # fmt: skip
    await server.start()
    return server


class Gallery:
    def __init__(self, site: Any, port: int) -> None:
        self.site, self.base = site, f"http://127.0.0.1:{port}/dicomweb/research"

    async def get(self, path: str, accept: str = "", **headers: str) -> tuple[int, bytes, Any]:
        named = headers | ({"Accept": accept} if accept else {})
        async with self.site.http.get(self.base + path, headers=named) as response:
            return response.status, await response.read(), response.headers

    async def picture(self, path: str, accept: str = "") -> Image.Image:
        status, body, headers = await self.get(path, accept)
        assert status == 200, body
        picture = Image.open(io.BytesIO(body))
        assert Image.MIME[str(picture.format)] == headers["Content-Type"]
        return picture

    async def parts(self, path: str, accept: str = "multipart/related") -> list[tuple[str, str, Image.Image]]:
        """Type, what the location has after the base, and picture of each part."""
        status, body, headers = await self.get(path, accept)
        assert status == 200, body
        parser = MultipartParser(parse_media_type(headers["Content-Type"]).parameters["boundary"])
        found: list[tuple[Any, bytes]] = []
        for event in (*parser.feed(body), *parser.close()):
            if isinstance(event, PartBegin):
                found.append((event.headers, b""))
            elif isinstance(event, PartData):
                found[-1] = (found[-1][0], found[-1][1] + event.data)
        lower = [({name.lower(): value for name, value in dict(head).items()}, data) for head, data in found]
        return [
            (head["content-type"], head["content-location"].removeprefix(self.base), Image.open(io.BytesIO(data)))
            for head, data in lower
        ]


@pytest.fixture
async def gallery(site: Any) -> AsyncIterator[Gallery]:
    """A CT, a loop of 30 frames in colour, an ultrasound image with a palette; a report comes first."""
    await site.keep(
        bundled(SR, "2.25.10"), bundled(CT, "2.25.11"), bundled(LOOP, "2.25.12"), bundled(US, "2.25.13"),
        bundled(SR, "2.25.30", series="2.25.3"), bundled(CT, "2.25.40", study="2.25.4"),
    )  # fmt: skip
    server = await served(site, InlineDeidentifier(policies(), KEY))
    yield Gallery(site, server.port)
    await server.stop(0)


@pytest.mark.parametrize("accept", ["", "*/*", JPEG, PNG, GIF, "image/*", f"text/html,{PNG};q=0.9,*/*;q=0.8"])
async def test_one_image_as_what_is_accepted(gallery: Gallery, accept: str) -> None:
    picture = await gallery.picture(INSTANCE + "2.25.11/rendered", accept)
    expected = {PNG: "PNG", GIF: "GIF"}.get(accept, "PNG" if "html" in accept else "JPEG")
    assert (picture.format, picture.size, picture.mode in "LP") == (expected, (512, 512), True)
    event = gallery.site.audit.events[-1]
    assert (event.type, event.outcome, event.object["what"]) == ("retrieved", "success", "rendered")
    assert event.object["sop_instance_uid"] == "2.25.11"


async def test_the_accept_parameter_goes_first(gallery: Gallery) -> None:
    assert (await gallery.picture(INSTANCE + "2.25.11/rendered?accept=image/png", "*/*")).format == "PNG"
    assert (await gallery.get(INSTANCE + "2.25.11/rendered", "image/webp"))[0] == 406
    assert (await gallery.get(INSTANCE + "2.25.11/rendered", "application/dicom"))[0] == 406


async def test_colours_arrive(gallery: Gallery) -> None:
    picture = await gallery.picture(INSTANCE + "2.25.13/rendered", PNG)
    assert (picture.mode, picture.size) == ("RGB", (800, 600))
    assert picture.getpixel((100, 3)) == (37, 62, 94)


async def test_frames(gallery: Gallery) -> None:
    one = await gallery.picture(INSTANCE + "2.25.12/frames/3/rendered")
    assert (one.size, getattr(one, "n_frames", 1)) == ((320, 240), 1)
    parts = await gallery.parts(INSTANCE + "2.25.12/frames/3,1/rendered", f'multipart/related; type="{PNG}"')
    names = [INSTANCE + f"2.25.12/frames/{number}/rendered" for number in (3, 1)]
    assert [(media, place, picture.format) for media, place, picture in parts] == [(PNG, n, "PNG") for n in names]
    assert parts[0][2].tobytes() != parts[1][2].tobytes()
    assert (await gallery.get(INSTANCE + "2.25.12/frames/3,1/rendered", JPEG))[0] == 406
    status, body, _ = await gallery.get(INSTANCE + "2.25.12/frames/31/thumbnail")
    assert (status, b"no such value" in body) == (404, True)
    assert (await gallery.get(INSTANCE + "2.25.12/frames/31,1/rendered"))[0] == 404
    assert (await gallery.get(INSTANCE + "2.25.12/frames/1,31/rendered"))[0] == 404  # before anything is sent
    assert (await gallery.get(INSTANCE + "2.25.12/frames/0/rendered"))[0] == 400


async def test_an_instance_of_many_frames(gallery: Gallery) -> None:
    path = INSTANCE + "2.25.12/rendered?viewport=64,64"
    assert len(await gallery.parts(path)) == 30
    assert getattr(await gallery.picture(path, GIF), "n_frames", 1) > 20
    middle = await gallery.picture(INSTANCE + "2.25.12/frames/16/rendered?viewport=64,64", PNG)
    assert (await gallery.picture(path, PNG)).tobytes() == middle.tobytes()


async def test_all_images_of_a_series_and_a_study(gallery: Gallery) -> None:
    for path in (SERIES, "/studies/2.25.1"):
        parts = await gallery.parts(path + "/rendered?viewport=32,32", "")
        assert len(parts) == 32
        assert parts[0][1] == INSTANCE + "2.25.11/frames/1/rendered"
        assert {media for media, _, _ in parts} == {JPEG}
        assert {max(picture.size) for _, _, picture in parts} == {32}
    status, body, _ = await gallery.get(SERIES + "/rendered", JPEG)
    assert (status, b"several" in body) == (406, True)
    assert (await gallery.picture("/studies/2.25.4/rendered", JPEG)).size == (512, 512)
    assert len(await gallery.parts("/studies/2.25.4/rendered", "")) == 1


async def test_thumbnails(gallery: Gallery) -> None:
    for path, size in (
        ("/studies/2.25.1", (128, 128)),
        (SERIES, (128, 128)),
        (INSTANCE + "2.25.13", (128, 96)),
        (INSTANCE + "2.25.12/frames/2", (128, 96)),
    ):
        picture = await gallery.picture(path + "/thumbnail")
        assert (picture.format, picture.size) == ("JPEG", size)
        assert gallery.site.audit.events[-1].object["what"] == "thumbnail"
    assert (await gallery.picture(SERIES + "/thumbnail?viewport=50,20&annotation=patient", PNG)).size == (20, 20)


async def test_a_report_is_a_text(gallery: Gallery) -> None:
    path = INSTANCE + "2.25.10/rendered"
    browser = "text/html,application/xhtml+xml,image/avif,*/*;q=0.8"
    for accept, media in (("", "text/html"), (browser, "text/html"), ("text/plain, image/*", "text/plain")):
        status, body, headers = await gallery.get(path, accept)
        assert (status, headers["Content-Type"]) == (200, f"{media}; charset=utf-8")
        assert b"Document Title" in body
        assert headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
        assert (await gallery.get(path, accept, **{"If-None-Match": headers["ETag"]}))[0] == 304
    assert (await gallery.get(path + "?accept=text/plain", "*/*"))[2]["Content-Type"].startswith("text/plain")
    assert (await gallery.get(path + "?accept=image/jpeg", "*/*"))[0] == 406
    assert (await gallery.get(path, "image/*"))[0] == 406
    assert (await gallery.get(URI + "2.25.10&contentType=text/html"))[1].startswith(b"<!DOCTYPE html>")
    assert (await gallery.picture(INSTANCE + "2.25.11/rendered", browser)).format == "JPEG"
    assert (await gallery.get(INSTANCE + "2.25.11/rendered", "text/html"))[0] == 406


async def test_what_is_no_image(gallery: Gallery) -> None:
    for path in (
        INSTANCE + "2.25.10/frames/1/rendered",
        INSTANCE + "2.25.10/thumbnail",
        "/studies/2.25.1/series/2.25.3/rendered",
    ):
        status, body, _ = await gallery.get(path)
        assert (status, b"nothing here can be rendered" in body) == (406, True)
    assert (await gallery.get(INSTANCE + "2.25.99/rendered"))[0] == 404
    assert (await gallery.get("/studies/1.2.3/thumbnail"))[0] == 404


async def test_window_viewport_and_words(gallery: Gallery) -> None:
    path = INSTANCE + "2.25.11/rendered"
    plain = np.asarray(await gallery.picture(path, PNG))
    wide = np.asarray(await gallery.picture(path + "?window=0,4000,linear", PNG))
    assert len(np.unique(wide)) > len(np.unique(plain))
    part = np.asarray(await gallery.picture(path + "?viewport=100,200,100,200,-100,200", PNG))
    assert np.array_equal(part, plain[200:400, 100:200][:, ::-1])
    named = np.asarray(await gallery.picture(path + "?annotation=patient", PNG)).astype(int)
    assert np.abs(named - plain)[:60].any()
    assert not np.abs(named - plain)[60:].any()
    status, _, headers = await gallery.get(path + "?annotation=patient,logo&iccprofile=srgb")
    assert (status, [text[:20] for text in headers.getall("Warning")]) == (
        200,
        ['299 Veil: "The annot', '299 Veil: "The iccpr'],
    )
    for wrong in ("window=1,2", "quality=0", "viewport=0,0", "viewport=9,9,600,0"):
        assert (await gallery.get(path + "?" + wrong))[0] == 400


async def test_tags(gallery: Gallery) -> None:
    path = INSTANCE + "2.25.11/rendered?viewport=32,32"
    tags = []
    for query, accept in (("", JPEG), ("", PNG), ("&quality=5", JPEG), ("&window=1,2,linear", JPEG)):
        status, _, headers = await gallery.get(path + query, accept)
        tags.append(headers["ETag"])
        status, body, again = await gallery.get(path + query, accept, **{"If-None-Match": headers["ETag"]})
        assert (status, body, again["ETag"]) == (304, b"", headers["ETag"])
    status, _, headers = await gallery.get(path, "multipart/related")
    assert len({*tags, headers["ETag"]}) == 5
    assert (await gallery.get(path, "multipart/related", **{"If-None-Match": headers["ETag"]}))[0] == 304


URI = "/wado?requestType=WADO&studyUID=2.25.1&seriesUID=2.25.2&objectUID="


async def test_by_uri(gallery: Gallery) -> None:
    picture = await gallery.picture(URI + "2.25.11&contentType=image/jpeg&rows=64&columns=100&region=0,0,0.5,1")
    assert (picture.format, picture.size) == ("JPEG", (32, 64))
    assert (
        await gallery.picture(URI + "2.25.12&contentType=image/png,image/jpeg%3Bq=0.5&frameNumber=2")
    ).format == "PNG"
    assert getattr(await gallery.picture(URI + "2.25.12&contentType=image/gif&rows=32"), "n_frames", 1) > 20
    assert gallery.site.audit.events[-1].object["what"] == "rendered"
    for more, status in (
        ("2.25.12&contentType=image/jpeg&frameNumber=31", 400),
        ("2.25.11&contentType=image/jpeg&windowCenter=3", 400),
        ("2.25.11&contentType=image/jpeg&presentationUID=1.2", 406),
        ("2.25.11&contentType=image/webp", 406),
        ("2.25.10&contentType=image/jpeg", 406),
        ("2.25.99&contentType=image/jpeg", 404),
    ):
        assert (await gallery.get(URI + more))[0] == status, more


def damaged() -> bytes:
    """A JPEG image whose second frame ends early."""
    ds = pydicom.dcmread(str(get_testdata_file(LOOP, download=False)))
    streams = list(pydicom.encaps.generate_frames(ds.PixelData, number_of_frames=30))[:2]
    return bundled(LOOP, "2.25.14", NumberOfFrames=2, PixelData=encapsulate([streams[0], b"\xff\xd8\xff\xd9"]))


async def test_a_damaged_frame_is_seen_and_recorded(gallery: Gallery) -> None:
    await gallery.site.keep(damaged())
    assert (await gallery.picture(INSTANCE + "2.25.14/frames/1/rendered")).size == (320, 240)
    status, body, _ = await gallery.get(INSTANCE + "2.25.14/frames/2/rendered")
    assert (status, b"cannot be rendered" in body) == (500, True)
    event = gallery.site.audit.events[-1]
    assert (event.type, event.outcome, event.reason) == ("retrieved", "failure", "pixels-unreadable")
    with pytest.raises(aiohttp.ClientError):  # begun, so it breaks: never short and whole-looking
        await gallery.get(INSTANCE + "2.25.14/rendered", "multipart/related")


class OneFrameOnly:
    """Renders the first of two frames, and has no codec for the other."""

    async def render(self, project: str, fd: int, wanted: Rendering) -> Rendered | Held:
        found = Rendered(2, ("2.25.1", "2.25.2", "2.25.11"), b"picture")
        return found if wanted.frame == 1 else Held(Reason.NO_CODEC)


async def test_a_frame_that_nothing_reads_is_not_left_out(site: Any) -> None:
    await site.keep(bundled(CT, "2.25.11"))
    server = await served(site, OneFrameOnly())
    try:
        with pytest.raises(aiohttp.ClientError):
            await Gallery(site, server.port).get(INSTANCE + "2.25.11/rendered", "multipart/related")
    finally:
        await server.stop(0)


async def test_without_a_renderer_nothing_is_an_image(site: Any) -> None:
    await site.keep(bundled(CT, "2.25.11"))
    server = await served(site, None)
    try:
        assert (await Gallery(site, server.port).get(INSTANCE + "2.25.11/rendered"))[0] == 406
    finally:
        await server.stop(0)


@pytest.fixture
async def worked(site: Any) -> AsyncIterator[tuple[Gallery, WorkerPool]]:
    """Rendered by one worker process that has 20 seconds and 256 MB for a request."""
    pool = WorkerPool(policies(), KEY, 1, 256, 20.0, tables=load_tables())
    await pool.start()
    server = await served(site, pool)
    yield Gallery(site, server.port), pool
    await server.stop(0)
    await pool.close()


async def test_a_worker_renders_and_outlives_what_is_broken(worked: tuple[Gallery, WorkerPool]) -> None:
    gallery, pool = worked
    await gallery.site.keep(
        bundled(CT, "2.25.11"), bundled("emri_small_RLE.dcm", "2.25.12"), bundled(US, "2.25.13"),
        bundled("SC_rgb_jpeg_dcmtk.dcm", "2.25.15"), bundled("US1_J2KR.dcm", "2.25.16"), damaged(), _bomb(),
    )  # fmt: skip
    (before,) = pool.pids
    for uid, size in (("11", (512, 512)), ("12", (64, 64)), ("13", (800, 600)), ("15", (100, 100)), ("16", (640, 480))):
        assert (await gallery.picture(INSTANCE + f"2.25.{uid}/rendered")).size == size
    assert len(await gallery.parts(INSTANCE + "2.25.12/rendered")) == 10
    assert (await gallery.get(INSTANCE + "2.25.14/frames/2/rendered"))[0] == 500
    assert (await gallery.get(INSTANCE + "2.25.17/rendered"))[0] == 500
    reasons = [event.reason for event in gallery.site.audit.events if event.reason]
    assert reasons[0] == "pixels-unreadable"
    assert len(reasons) == 2
    assert (await gallery.picture(INSTANCE + "2.25.11/rendered")).size == (512, 512)
    assert pool.pids == [before]
    os.kill(before, 9)
    statuses = [(await gallery.get(INSTANCE + "2.25.11/rendered"))[0] for _ in range(2)]
    assert statuses in ([500, 200], [200, 200])  # the death of a worker costs one request at most


def _bomb() -> bytes:
    """30000 by 30000 pixels of 16 bits, in a few bytes of RLE."""
    stream = (1).to_bytes(4, "little") + (64).to_bytes(4, "little") + bytes(56) + b"\x81\x00" * 8
    return bundled(
        "emri_small_RLE.dcm", "2.25.17", Rows=30000, Columns=30000, NumberOfFrames=1, PixelData=encapsulate([stream])
    )
