"""A view over HTTP: an identified PACS behind it, pseudonyms in front of it, and nothing of the one in the other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pydicom.data import get_testdata_file

from proxy.archive.archive import EmbeddedArchive
from proxy.dicomweb.server import DicomwebServer
from proxy.service.readers import RetrieveOfProject, SearchOfProject
from proxy.service.upstream import UpstreamError
from tests.service.viewing import Site, pacs_of, small, variant, viewing
from tests.system.planting import MARKERS, forms, planted


@dataclass
class Reader:
    """A research viewer, and everything that it was ever told."""

    site: Site
    http: aiohttp.ClientSession
    base: str
    heard: list[bytes] = field(default_factory=list)

    async def get(self, path: str, accept: str = "*/*", status: int | tuple[int, ...] = 200) -> tuple[bytes, Any]:
        url = path if path.startswith("http") else f"{self.base}/{path}"
        async with self.http.get(url, headers={"Accept": accept}) as response:
            body = await response.read()
            self.heard += [body, repr(response.headers).encode(), str(response.url).encode()]
            assert response.status in (status if isinstance(status, tuple) else (status,)), (path, response.status)
            return body, response

    async def json(self, path: str) -> Any:
        body, _ = await self.get(path, "application/dicom+json", status=(200, 204))
        return json.loads(body) if body else []

    def leaks(self) -> list[str]:
        lower = b"\n".join(self.heard).lower()
        secrets = (*MARKERS, "Zqxplant^", "pacs.hospital.example", "101511", *self.site.pacs.files)
        return [secret for secret in secrets for form in forms(secret) if form in lower]


@pytest.fixture
async def reader(tmp_path: Path) -> AsyncIterator[Reader]:
    archive = EmbeddedArchive(tmp_path / "archive")
    await archive.start()
    plan = Path(str(get_testdata_file("rtplan.dcm"))).read_bytes()
    names = {
        "BurnedInAnnotation": "NO",
        "PatientName": "Zqxplant^M",
        "PatientID": "ZQXIDENT1M",
        "StudyInstanceUID": f"{MARKERS[2]}1.77",
    }
    files = [planted(1).part10, planted(2, "held").part10, small(3), small(4), variant(plan, **names)]
    async with viewing(tmp_path, pacs=pacs_of(*files)) as site:
        projects = {"research": "research", "other": "other"}
        search = SearchOfProject(archive, site.audit, dict.fromkeys(projects, site.search))
        retrieve = RetrieveOfProject(
            archive, site.audit, dict.fromkeys(projects, site.retrieve), dict.fromkeys(projects, site.describe)
        )

        async def ready() -> dict[str, Any]:
            return {"ready": True, "checks": {}}

        server = DicomwebServer(
            "127.0.0.1", 0, None, projects, None, search, retrieve, site.audit, ready, 1 << 24, 1 << 24
        )  # type: ignore[arg-type]
        await server.start()
        async with aiohttp.ClientSession() as http:
            yield Reader(site, http, f"http://127.0.0.1:{server.port}/dicomweb/research")
        await server.stop(1.0)
    await archive.close()


def _url(match: dict[str, Any]) -> str:
    return str(match["00081190"]["Value"][0])


async def test_a_viewer_opens_studies_and_hears_no_original(reader: Reader) -> None:
    studies = await reader.json("studies?includefield=all")
    assert len(studies) == 5
    released = 0
    for study in studies:
        for series in await reader.json(f"{_url(study)}/series"):
            for instance in await reader.json(f"{_url(series)}/instances?includefield=all"):
                await reader.get(_url(instance), "application/dicom")
                released += 1
        _, response = await reader.get(f"{_url(study)}/metadata", status=(200, 404))
        released -= response.status == 200
    assert (released, len(await reader.json("studies"))) == (0, 4)  # what is held alone has no study any more
    assert reader.leaks() == []


async def test_every_route_reads_the_same_de_identified_file(reader: Reader) -> None:
    study = next(s for s in await reader.json("studies?includefield=StudyTime") if s["00080030"]["Value"] == ["101112"])
    series, *_ = await reader.json(f"{_url(study)}/series")
    instance, *_ = await reader.json(f"{_url(series)}/instances")
    whole, _ = await reader.get(_url(instance), "application/dicom")
    metadata, *_ = await reader.json(f"{_url(instance)}/metadata")
    frame, _ = await reader.get(f"{_url(instance)}/frames/1", "application/octet-stream")
    bulk, _ = await reader.get(metadata["7FE00010"]["BulkDataURI"], "application/octet-stream")
    assert frame in whole
    assert frame == bulk
    assert reader.site.pacs.calls.count("fetch") == 1
    assert reader.leaks() == []


async def test_an_original_in_a_url_is_not_found_and_not_asked_for(reader: Reader) -> None:
    original = next(iter(reader.site.pacs.headers.values()))["0020000D"]["Value"][0]
    await reader.json("studies")
    before = list(reader.site.pacs.calls)
    for uid in (original, "2.25.1", "1.2.840.10008.1.1"):
        body, _ = await reader.get(f"studies/{uid}/metadata", status=404)
        assert uid.encode() not in body
    assert reader.site.pacs.calls == before


async def test_trouble_of_the_pacs_is_told_without_its_words(reader: Reader) -> None:
    study, *_ = await reader.json("studies")
    for late, status in ((False, 502), (True, 504)):
        reader.site.pacs.fault = UpstreamError("clinical", "Zqxplant refused", late=late)
        await reader.get("studies", status=status)
        await reader.get(f"{_url(study)}/metadata", status=status)
    assert reader.leaks() == []


async def test_a_search_that_is_too_broad_is_413(reader: Reader) -> None:
    reader.site.search._most = 3
    body, _ = await reader.get("studies", status=413)
    assert b"more than 3 matches" in body


async def test_nothing_is_fetched_for_a_reader_who_has_gone(reader: Reader) -> None:
    study, *_ = await reader.json("studies")
    reader.site.pacs.delay = asyncio.Event()
    gone = asyncio.ensure_future(reader.get(_url(study)))
    while "fetch" not in reader.site.pacs.calls:
        await asyncio.sleep(0.01)
    assert _under_way()
    gone.cancel()
    async with asyncio.timeout(10):
        while _under_way():
            await asyncio.sleep(0.01)


def _under_way() -> list[str]:
    return [name for task in asyncio.all_tasks() if "ViewFetch" in (name := repr(task.get_coro()))]


async def test_a_refused_key_is_named_in_the_warning(reader: Reader) -> None:
    for key in ("PatientName=Zqxplant*", "PatientBirthDate=19470913", "AccessionNumber=ZQX*"):
        _, response = await reader.get(f"studies?{key}", status=204)
        assert key.split("=")[0] in response.headers["Warning"]
    reader.heard = [body for body in reader.heard if b"studies?" not in body]
    assert reader.leaks() == []
