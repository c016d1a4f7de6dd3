from __future__ import annotations

from typing import Any

import pytest

from proxy.dicomweb.server import DicomwebServer
from proxy.service.retrieve import Retrieve
from proxy.service.search import Search
from proxy.wire.dicom_xml import from_xml
from proxy.wire.media import parse_media_type
from proxy.wire.multipart import MultipartParser, PartBegin, PartData

JSON = "application/dicom+json"


async def get(site: Any, path: str, **headers: str) -> tuple[int, Any, Any]:
    async with site.http.get(site.base + path, headers=headers) as response:
        body = await response.read()
        return response.status, (await response.json(content_type=None)) if body else None, response.headers


@pytest.fixture
async def filled(site):
    rows = [("2.25.1", "2.25.11", "2.25.101", "CT"), ("2.25.1", "2.25.11", "2.25.102", "CT"),
            ("2.25.1", "2.25.12", "2.25.103", "SEG"), ("2.25.2", "2.25.13", "2.25.104", "MR")]  # fmt: skip
    await site.keep(
        *(
            site.instance(StudyInstanceUID=st, SeriesInstanceUID=se, SOPInstanceUID=i, Modality=m, InstanceNumber=n)
            for n, (st, se, i, m) in enumerate(rows)
        )
    )
    return site


def uids(rows: Any, tag: str) -> list[str]:
    return [row[tag]["Value"][0].removeprefix("2.25.") for row in rows or []]


@pytest.mark.parametrize(
    ("path", "tag", "expected"),
    [
        ("/studies", "0020000D", "1 2"),
        ("/studies?ModalitiesInStudy=SEG", "0020000D", "1"),
        ("/studies?00080061=MR", "0020000D", "2"),
        ("/studies?StudyInstanceUID=2.25.2,2.25.9", "0020000D", "2"),
        ("/studies?0020000D=2.25.2%5C2.25.1", "0020000D", "1 2"),
        ("/studies?limit=1&offset=1", "0020000D", "2"),
        ("/studies/2.25.1/series", "0020000E", "11 12"),
        ("/studies/2.25.1/series?Modality=SEG", "0020000E", "12"),
        ("/series", "0020000E", "11 12 13"),
        ("/series?ModalitiesInStudy=SEG&Modality=CT", "0020000E", "11"),
        ("/studies/2.25.1/series/2.25.11/instances", "00080018", "101 102"),
        ("/studies/2.25.1/instances", "00080018", "101 102 103"),
        ("/instances?Modality=MR", "00080018", "104"),
        ("/studies/2.25.1/series?StudyInstanceUID=2.25.1", "0020000E", "11 12"),
        ("/studies?PatientName=*&fuzzymatching=false", "0020000D", "1 2"),
    ],
)
async def test_search(filled, path: str, tag: str, expected: str) -> None:
    status, rows, headers = await get(filled, path)
    assert (status, uids(rows, tag)) == (200, expected.split())
    assert headers["Content-Type"] == "application/dicom+json"
    assert headers["Cache-Control"] == "private, no-store"
    assert all(list(row) == sorted(row) for row in rows)


@pytest.mark.parametrize(
    "path",
    ["/studies?PatientID=NOBODY", "/studies/9.9/series", "/studies?limit=0", "/studies?offset=99",
     "/studies/2.25.1/series?StudyInstanceUID=2.25.2"],
)  # fmt: skip
async def test_nothing_is_204_without_a_body(filled, path: str) -> None:
    status, rows, _ = await get(filled, path)
    assert (status, rows) == (204, None)


@pytest.mark.parametrize(
    "path", ["/studies?NoSuch=1", "/studies?PatientID=a&00100020=b", "/studies?limit=x", "/studies/abc/series"]
)
async def test_bad_requests_are_400_and_not_audited(filled, path: str) -> None:
    status, answer, _ = await get(filled, path)
    assert (status, set(answer)) == (400, {"status", "error"})
    assert filled.audit.events == []


async def test_retrieve_url_is_absolute(filled) -> None:
    _, rows, _ = await get(filled, "/studies/2.25.1/series/2.25.11/instances?limit=1")
    (url,) = rows[0]["00081190"]["Value"]
    assert url == f"{filled.base}/studies/2.25.1/series/2.25.11/instances/2.25.101"
    async with filled.http.get(url) as response:
        assert response.status == 200


async def test_a_host_header_without_a_port_gets_ours(filled) -> None:
    _, rows, _ = await get(filled, "/studies?limit=1", Host="localhost")
    assert rows[0]["00081190"]["Value"][0].startswith(
        f"http://localhost:{filled.server.port}/dicomweb/research/studies/"
    )


async def test_the_public_url_is_preferred(filled) -> None:
    search, retrieve = Search(filled.archive, filled.audit), Retrieve(filled.archive, filled.audit)
    server = DicomwebServer(
        "127.0.0.1", 0, "https://veil.example", {"research": "research"}, filled.ingest, search, retrieve,
        filled.audit, lambda: None, 1000, 1000,
    )  # fmt: skip
    await server.start()
    async with filled.http.get(f"http://127.0.0.1:{server.port}/dicomweb/research/studies?limit=1") as response:
        rows = await response.json(content_type=None)
    await server.stop(0)
    assert rows[0]["00081190"]["Value"] == ["https://veil.example/dicomweb/research/studies/2.25.1"]


async def test_warnings(filled) -> None:
    _, _, headers = await get(filled, "/studies?fuzzymatching=true&00091001=x&Modality=CT&limit=1")
    texts = headers.getall("Warning")
    assert all(text.startswith("299 Veil: ") for text in texts)
    assert "fuzzymatching" in texts[0]
    assert "00091001" in texts[1]
    assert "Modality" in texts[2]  # not a study attribute
    assert "additional results" in texts[3]


async def test_relational_answers_have_the_attributes_above(filled) -> None:
    _, rows, _ = await get(filled, "/instances?limit=1")
    assert rows[0]["00100020"]["Value"] == ["K7QX"]
    assert rows[0]["00080060"]["Value"] == ["CT"]
    _, rows, _ = await get(filled, "/studies/2.25.1/instances?limit=1")
    assert "00100020" not in rows[0]
    assert rows[0]["00080060"]["Value"] == ["CT"]
    _, rows, _ = await get(filled, "/studies/2.25.1/series/2.25.11/instances?limit=1&includefield=PatientID,00080060")
    assert rows[0]["00100020"]["Value"] == ["K7QX"]


async def test_the_ohif_study_list(filled) -> None:
    path = "/studies?limit=101&offset=0&fuzzymatching=false&includefield=00081030%2C00080060%2C00080090%2C00100030"
    status, rows, headers = await get(filled, path + "&00100010=*&00100020=&00080020=20200101-20201231")
    assert (status, len(rows), "Warning" in headers) == (200, 2, False)
    assert "00080060" not in rows[0]


@pytest.mark.parametrize(
    ("accept", "status", "media"),
    [
        ("application/dicom+json, application/json", 200, "application/dicom+json"),
        ("application/json", 200, "application/json"),
        ("*/*", 200, "application/dicom+json"),
        (f"{JSON}, multipart/related; type=application/octet-stream; transfer-syntax=*", 200, JSON),
        ('multipart/related; type="application/dicom"', 406, "application/json; charset=utf-8"),
        ("text/html, application/xhtml+xml, */*;q=0.8", 200, "application/dicom+json"),
        ("nonsense", 400, "application/json; charset=utf-8"),
    ],
)  # fmt: skip
async def test_media_types(filled, accept: str, status: int, media: str) -> None:
    got, _, headers = await get(filled, "/studies", Accept=accept)
    assert (got, headers["Content-Type"]) == (status, media)


async def test_matches_as_xml(filled) -> None:
    accept = {"Accept": 'multipart/related; type="application/dicom+xml"'}
    async with filled.http.get(filled.base + "/studies", headers=accept) as response:
        body, headers = await response.read(), response.headers
    parser = MultipartParser(parse_media_type(headers["Content-Type"]).parameters["boundary"])
    events = [*parser.feed(body), *parser.close()]
    assert [e.headers for e in events if isinstance(e, PartBegin)] == [{"content-type": "application/dicom+xml"}] * 2
    documents = [from_xml(e.data) for e in events if isinstance(e, PartData)]
    assert documents == (await get(filled, "/studies"))[1]


async def test_a_charset_that_is_not_utf8_is_406(filled) -> None:
    assert (await get(filled, "/studies?charset=utf-8"))[0] == 200
    assert (await get(filled, "/studies?charset=iso-8859-1"))[0] == 406


async def test_text_is_compressed_for_who_takes_it(filled) -> None:
    plain = (await get(filled, "/instances"))[1]
    for said, zipped in (("gzip", True), ("br, gzip;q=0.5", True), ("gzip;q=0", False), ("identity", False)):
        async with filled.http.get(filled.base + "/instances", headers={"Accept-Encoding": said}) as response:
            assert (response.headers.get("Content-Encoding") == "gzip") is zipped
            assert await response.json(content_type=None) == plain


async def test_head(filled) -> None:
    async with filled.http.head(filled.base + "/studies") as response:
        assert response.status == 200
        assert await response.read() == b""


async def test_a_search_is_recorded_before_it_is_answered_and_without_values(filled) -> None:
    await get(filled, "/studies?PatientName=DOE^JOHN&StudyDate=2020-")
    (event,) = filled.audit.events
    assert (event.type, event.project, event.peer["transport"]) == ("query", "research", "dicomweb")
    assert event.object["keys"] == list(event.object["values"]) == ["PatientName", "StudyDate"]
    assert event.object["matches"] == 0
    assert "DOE" not in repr(event)
    filled.audit.broken = True
    status, _, headers = await get(filled, "/studies")
    assert (status, "Retry-After" in headers) == (503, True)


async def test_projects_are_apart(filled) -> None:
    async with filled.http.get(filled.base.replace("research", "other") + "/studies") as response:
        assert response.status == 204
