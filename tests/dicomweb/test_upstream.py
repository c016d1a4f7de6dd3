"""What a PACS that speaks DICOMweb is asked, and what becomes of an answer that is late, cut, endless or nonsense."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from proxy.dicomweb import upstream as module
from proxy.dicomweb.upstream import DicomwebUpstream
from proxy.errors import ConfigError
from proxy.service.upstream import Question, Reference, UpstreamError
from proxy.workers.arena import Arena

REFERENCE = Reference("1.2.1", "1.2.2", "1.2.3", "1.2.840.10008.5.1.4.1.1.2")
SECRET = "Quastenflosser"
Answer = Callable[["Asked", asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class Asked:
    target: str
    headers: dict[str, str]

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(urlsplit(self.target).query, keep_blank_values=True)


@dataclass
class Pacs:
    """A socket that answers what the test says, byte for byte."""

    answer: Answer
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    at_once: int = 0
    most_at_once: int = 0
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                first, *lines = head.split("\r\n")
                pairs = (line.split(": ", 1) for line in lines if line)
                asked = Asked(first.split(" ")[1], {name.lower(): value for name, value in pairs})
                self.asked.append(asked)
                self.at_once += 1
                self.most_at_once = max(self.at_once, self.most_at_once)
                try:
                    await self.answer(asked, writer)
                    await writer.drain()
                finally:
                    self.at_once -= 1
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def http(body: bytes, content_type: str = "application/dicom+json", status: str = "200 OK", extra: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
    return head.encode() + body


def says(response: bytes) -> Answer:
    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(response)

    return answer


def part(body: bytes, kind: str = "application/dicom") -> bytes:
    return f"--b\r\nContent-Type: {kind}\r\n\r\n".encode() + body + b"\r\n--b--\r\n"


MULTIPART = "multipart/related; type=application/dicom; boundary=b"


def match(number: int) -> dict[str, Any]:
    return {"0020000D": {"vr": "UI", "Value": [f"1.2.{number}"]}, "00100010": {"vr": "PN", "Value": [SECRET]}}


@pytest.fixture
async def pacs() -> AsyncIterator[Pacs]:
    pacs = Pacs(says(http(b"[]")))
    server = await asyncio.start_server(pacs.serve, "127.0.0.1", 0, limit=1 << 20)
    pacs.port = server.sockets[0].getsockname()[1]
    yield pacs
    server.close()


@pytest.fixture
async def clinic(pacs: Pacs) -> AsyncIterator[DicomwebUpstream]:
    upstream = DicomwebUpstream("clinic", f"http://127.0.0.1:{pacs.port}/web/", {"X-Key": "k"}, 2, 0.5)
    yield upstream
    await upstream.close()


def paging(count: int, most: int = 1 << 30, *, heeds: bool = True, warns: bool = False) -> Answer:
    """A server with ``count`` studies that gives ``most`` at once and ``heeds`` offset, or not."""

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        query = dict(asked.query)
        offset, limit = int(query["offset"]) if heeds else 0, min(int(query["limit"]), most)
        found = [match(number) for number in range(count)][offset : offset + limit]
        extra = "Warning: 299 pacs: There are more\r\n" if warns and offset + limit < count else ""
        writer.write(http(json.dumps(found).encode(), extra=extra))

    return answer


async def test_a_search_is_hierarchical_as_far_as_uids_are_given(clinic: DicomwebUpstream, pacs: Pacs) -> None:
    assert await clinic.search(Question("study", {"PatientID": "7 Ä", "StudyInstanceUID": "1.2\\1.3"}, ("Rows",))) == []
    assert await clinic.search(Question("series", {"StudyInstanceUID": "1.2", "Modality": "CT"})) == []
    await clinic.search(Question("instance", {"StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.3"}, limit=5))
    await clinic.search(Question("instance", {"SeriesInstanceUID": "1.3"}, offset=3))
    await clinic.search(Question("series", {"StudyInstanceUID": "../../x"}))
    paths = [asked.path for asked in pacs.asked]
    assert paths == [
        "/web/studies", "/web/studies/1.2/series", "/web/studies/1.2/series/1.3/instances", "/web/instances",
        "/web/series",
    ]  # fmt: skip
    assert pacs.asked[0].query[:3] == [("PatientID", "7 Ä"), ("StudyInstanceUID", "1.2,1.3"), ("includefield", "Rows")]
    assert ("limit", "5") in pacs.asked[2].query
    assert ("offset", "3") in pacs.asked[3].query
    assert pacs.asked[0].headers["x-key"] == "k"
    assert pacs.connections == 1


@pytest.mark.parametrize("server", [paging(25), paging(25, 4, warns=True), paging(25, heeds=False, warns=True)])
async def test_pages_are_asked_for_until_there_are_no_more(
    server: Answer, clinic: DicomwebUpstream, pacs: Pacs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PAGE", 10)
    pacs.answer = server
    found = await clinic.search(Question("study", {}))
    assert found in ([match(n) for n in range(25)], [match(n) for n in range(10)])
    assert len(found) == 25 or server.__closure__ is not None  # one that knows no offset gives its first page
    assert len(await clinic.search(Question("study", {}, limit=7))) == 7


async def test_more_matches_than_anybody_can_want(
    clinic: DicomwebUpstream, pacs: Pacs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST", 20)
    pacs.answer = paging(25)
    with pytest.raises(UpstreamError, match="too-many"):
        await clinic.search(Question("study", {}))


async def test_references_come_in_order_and_only_from_where_they_were_asked(
    clinic: DicomwebUpstream, pacs: Pacs
) -> None:
    def one(instance: str, number: int, series: str = "1.2.2") -> dict[str, Any]:
        uids = {"0020000E": series, "00080018": instance, "00080016": "1.9"}
        return {tag: {"Value": [uid]} for tag, uid in uids.items()} | {"00200013": {"Value": [number]}}

    found = [one("1.5", 10), one("1.6", 9), one("1.7", 1, "1.2.9"), {"00080018": {}}]
    pacs.answer = says(http(json.dumps(found).encode()))
    assert [each.instance for each in await clinic.instances("1.2.1", "1.2.2")] == ["1.6", "1.5"]


async def test_metadata_arrives_an_object_at_a_time(clinic: DicomwebUpstream, pacs: Pacs) -> None:
    go_on = asyncio.Event()

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        writer.write(b'c\r\n[{"a": "1"},\r\n')
        await go_on.wait()
        writer.write(b'b\r\n{"b": "2"}]\r\n0\r\n\r\n')

    pacs.answer = answer
    stream = clinic.metadata("1.2.1", "1.2.2")
    assert await anext(stream) == {"a": "1"}
    go_on.set()
    assert [each async for each in stream] == [{"b": "2"}]
    assert pacs.asked[0].path == "/web/studies/1.2.1/series/1.2.2/metadata"


async def test_metadata_may_be_packed(clinic: DicomwebUpstream, pacs: Pacs) -> None:
    packed = gzip.compress(json.dumps([match(1)]).encode())
    pacs.answer = says(http(packed, extra="Content-Encoding: gzip\r\n"))
    assert [each async for each in clinic.metadata("1.2.1")] == [match(1)]


@pytest.mark.parametrize("status", ["404 Not Found", "406 Not Acceptable", "501 Not Implemented"])
async def test_metadata_that_cannot_be_given_is_nothing(clinic: DicomwebUpstream, pacs: Pacs, status: str) -> None:
    pacs.answer = says(http(SECRET.encode(), "text/plain", status))
    assert [each async for each in clinic.metadata("1.2.1")] == []


@pytest.mark.parametrize(("body", "kind"), [(part(b"DICM" * 99), MULTIPART), (b"DICM" * 99, "application/dicom")])
async def test_an_instance_goes_into_the_arena(clinic: DicomwebUpstream, pacs: Pacs, body: bytes, kind: str) -> None:
    pacs.answer = says(http(body, kind))
    with Arena(1000) as arena:
        assert await clinic.fetch(REFERENCE, arena)
        assert bytes(arena.view()) == b"DICM" * 99
    (asked,) = pacs.asked
    assert asked.path == "/web/studies/1.2.1/series/1.2.2/instances/1.2.3"
    assert asked.headers["accept"] == 'multipart/related; type="application/dicom"; transfer-syntax=*'


@pytest.mark.parametrize("status", ["404 Not Found", "410 Gone"])
async def test_an_instance_that_is_not_there(clinic: DicomwebUpstream, pacs: Pacs, status: str) -> None:
    pacs.answer = says(http(b"", status=status))
    with Arena(1000) as arena:
        assert not await clinic.fetch(REFERENCE, arena)
        assert not await clinic.fetch(Reference("1.2", "..", "1.3"), arena)
    assert len(pacs.asked) == 1


WRONG = [
    (http(SECRET.encode(), "text/html"), "not-dicom"),
    (http(part(b"", "text/plain"), MULTIPART), "not-dicom"),
    (http(part(b"x")[:-6], MULTIPART), "MultipartError"),
    (http(part(b"x")[:-4] + b"\r\n" + part(b"y"), MULTIPART), "MultipartError"),
    (http(part(b""), MULTIPART), "empty"),
    (http(part(b"x"), "multipart/related"), "MultipartError"),
    (http(part(b"x" * 2000), MULTIPART), "too-large"),
    (http(b"", MULTIPART, "302 Found", "Location: http://127.0.0.1:1/\r\n"), "302"),
    (http(SECRET.encode(), "text/plain", "500 Oops"), "500"),
    (http(SECRET.encode(), "text/plain", "401 No"), "401"),
    (b"HTTP/1.1 200 OK\r\nContent-Type: application/dicom\r\nContent-Length: 99\r\n\r\nDICM", "ClientPayloadError"),
    (b"\0\1\2" + SECRET.encode() + b"\r\n\r\n", ""),
]


@pytest.mark.parametrize(("response", "code"), WRONG)
async def test_an_answer_that_is_no_instance(clinic: DicomwebUpstream, pacs: Pacs, response: bytes, code: str) -> None:
    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(response)
        writer.close()

    pacs.answer = answer
    with Arena(1000) as arena, pytest.raises(UpstreamError) as caught:
        await clinic.fetch(REFERENCE, arena)
    assert caught.value.upstream == "clinic"
    assert code in caught.value.code
    assert SECRET not in repr(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert len(pacs.asked) == 1


@pytest.mark.parametrize(
    "response",
    [http(b"<p>" + SECRET.encode()), http(b'[{"a": "' + SECRET.encode()), http(b"[]", "text/html"), http(b"[\xff]")],
)
async def test_a_search_that_is_answered_with_nonsense(clinic: DicomwebUpstream, pacs: Pacs, response: bytes) -> None:
    pacs.answer = says(response)
    with pytest.raises(UpstreamError) as caught:
        await clinic.search(Question("study", {}))
    assert SECRET not in repr(caught.value)


async def test_an_endless_answer_ends(clinic: DicomwebUpstream, pacs: Pacs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SEARCH_BYTES", 1 << 20)

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[{}")
        while True:
            writer.write(b",{}" * 10_000)
            await writer.drain()

    pacs.answer = answer
    with pytest.raises(UpstreamError, match="too-large"):
        await clinic.search(Question("study", {}))


@pytest.mark.parametrize("begin", [b"", b"HTTP/1.1 200 OK\r\nContent-Type: application/dicom+json\r\n\r\n["])
async def test_silence_is_late(clinic: DicomwebUpstream, pacs: Pacs, begin: bytes) -> None:
    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(begin)
        await writer.drain()
        await asyncio.sleep(5)

    pacs.answer = answer
    with pytest.raises(UpstreamError) as caught:
        await clinic.search(Question("study", {}))
    assert caught.value.late


async def test_an_answer_by_drops_is_late(clinic: DicomwebUpstream, pacs: Pacs) -> None:
    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/dicom\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)

    pacs.answer = answer
    with Arena(1000) as arena, pytest.raises(UpstreamError) as caught:
        await asyncio.wait_for(clinic.fetch(REFERENCE, arena), 5)
    assert caught.value.late


async def test_a_reset_before_the_answer_is_asked_again_once(clinic: DicomwebUpstream, pacs: Pacs) -> None:
    good = says(http(json.dumps([match(1)]).encode()))

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        if len(pacs.asked) == 1:
            writer.transport.abort()
        else:
            await good(asked, writer)

    pacs.answer = answer
    assert await clinic.search(Question("study", {})) == [match(1)]
    assert len(pacs.asked) == 2

    async def always(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    pacs.answer = always
    with pytest.raises(UpstreamError):
        await clinic.search(Question("study", {}))
    assert len(pacs.asked) <= 6  # aiohttp itself asks again where it had reused the connection


async def test_nobody_there() -> None:
    upstream = DicomwebUpstream("clinic", "http://127.0.0.1:1/", {}, 1, 1.0)
    with pytest.raises(UpstreamError) as caught:
        await upstream.search(Question("study", {}))
    assert not caught.value.late
    await upstream.close()


async def test_no_more_at_once_than_connections_and_reading_metadata_blocks_no_fetch(
    clinic: DicomwebUpstream, pacs: Pacs
) -> None:
    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        if asked.path.endswith("metadata"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[{},")
            await writer.drain()
            await asyncio.sleep(5)
        await asyncio.sleep(0.02)
        writer.write(http(b"DICM", "application/dicom"))

    async def fetch() -> bool:
        with Arena(100) as arena:
            return await clinic.fetch(REFERENCE, arena)

    pacs.answer = answer
    streams = [clinic.metadata("1.2.1") for _ in range(2)]
    for stream in streams:
        assert await anext(stream) == {}
    assert all(await asyncio.gather(*(fetch() for _ in range(6))))
    assert pacs.most_at_once == 4
    for stream in streams:
        await stream.aclose()


async def test_a_task_that_is_cancelled_lets_go(clinic: DicomwebUpstream, pacs: Pacs) -> None:
    gone = asyncio.Event()

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/dicom\r\n\r\nDICM")
        try:
            while not writer.is_closing():
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.01)
        finally:
            gone.set()

    pacs.answer = answer
    with Arena(1 << 20) as arena:
        task = asyncio.ensure_future(clinic.fetch(REFERENCE, arena))
        while not arena.size:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(gone.wait(), 20)
    pacs.answer = says(http(b"[]"))
    assert await asyncio.wait_for(clinic.search(Question("study", {})), 20) == []


def test_headers_that_are_none_or_ours() -> None:
    for headers in ({"X": "a\r\nb"}, {"Accept": "text/html"}):
        with pytest.raises(ConfigError):
            DicomwebUpstream("clinic", "http://127.0.0.1:1/", headers)
