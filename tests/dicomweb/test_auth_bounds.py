from __future__ import annotations

import asyncio
import hashlib
import statistics
import time
from collections.abc import AsyncIterator
from ipaddress import ip_network
from typing import Any

import aiohttp
import pytest

from proxy.dicomweb.auth import Access
from proxy.dicomweb.forwarded import Hops
from proxy.dicomweb.server import DicomwebServer
from proxy.service.callers import CannotJudge, StoredToken, Verb
from proxy.service.rate import Rates
from proxy.service.retrieve import Retrieve
from proxy.service.search import Search
from proxy.service.static_tokens import new_token
from tests.dicomweb.door import ALL, PROJECTS, Door


@pytest.fixture
async def door(site: Any) -> AsyncIterator[Door]:
    await site.keep(site.instance())
    async with Door(site).open() as opened:
        yield opened


async def test_who_is_not_let_in_is_not_told_to_send_the_body(door: Door) -> None:
    token = door.grant({"research": frozenset({Verb.STORE})})
    body = door.site.multipart(door.site.instance())
    answers = []
    for more in ("", f"Authorization: Bearer {token}\r\n"):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(door.root.rpartition(":")[2]))
        head = (
            f"POST /dicomweb/research/studies HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n{more}"
            f'Content-Type: multipart/related; type="application/dicom"; boundary=b0\r\n'
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode())
        answers.append(await reader.readline())
        if answers[-1].split()[1] == b"100":
            writer.write(body)
            answers += [await reader.readline(), await reader.readline()]
        writer.close()
    assert answers == [
        b"HTTP/1.1 401 Unauthorized\r\n", b"HTTP/1.1 100 Continue\r\n", b"\r\n", b"HTTP/1.1 200 OK\r\n"
    ]  # fmt: skip


@pytest.mark.parametrize("value", ["Basic dmVpbDp2ZWls", "", "Token abc", "Bearerabc", "Negotiate x"])
async def test_another_scheme_is_no_token(door: Door, value: str) -> None:
    status, _, headers = await door.ask("GET", "/dicomweb/research/studies", headers=[("Authorization", value)])
    assert (status, headers["WWW-Authenticate"]) == (401, 'Bearer realm="veil"')
    assert door.events[-1].reason == "no-token"


@pytest.mark.parametrize("value", ["Bearer", "Bearer ", "Bearer a b", "Bearer ä", "Bearer a,b"])
async def test_a_header_that_cannot_be_read(door: Door, value: str) -> None:
    status, body, headers = await door.ask("GET", "/dicomweb/research/studies", headers=[("Authorization", value)])
    assert (status, headers["WWW-Authenticate"]) == (400, 'Bearer realm="veil", error="invalid_request"')
    assert door.events[-1].reason == "malformed-request"
    assert b"a b" not in body


async def test_two_headers_and_tokens_in_urls_are_refused(door: Door) -> None:
    token = door.grant(ALL)
    twice = [("Authorization", f"Bearer {token}")]
    assert (await door.ask("GET", "/dicomweb/research/studies", token, twice))[0] == 400
    for more in ("", token):
        status, body, _ = await door.ask("GET", f"/dicomweb/research/studies?access_token={token}", more)
        assert status == 400
        assert token.encode() not in body
    assert (await door.ask("GET", "/dicomweb/research/studies", headers=[("authorization", f"bEARER  {token}")]))[
        0
    ] == 200


async def test_no_record_no_answer(door: Door) -> None:
    door.site.audit.broken = True
    assert (await door.ask("GET", "/dicomweb/research/studies"))[0] == 503
    assert (await door.ask("GET", "/dicomweb/nowhere/studies", door.grant(ALL)))[0] == 503


async def test_what_cannot_be_judged_is_503(door: Door) -> None:
    def read() -> list[StoredToken]:
        raise CannotJudge("the tokens cannot be read")

    token = door.grant(ALL)
    door.read = read  # type: ignore[method-assign]
    status, _, headers = await door.ask("GET", "/dicomweb/research/studies", token)
    assert (status, headers["Retry-After"]) == (503, "5")


async def test_a_caller_that_asks_too_often(site: Any) -> None:
    clock = [0.0]
    async with Door(site).open(Rates(0.5, 2, lambda: clock[0])) as door:
        first, second = door.grant(ALL), door.grant(ALL)
        studies = "/dicomweb/research/studies"
        assert [(await door.ask("GET", studies, first))[0] for _ in range(3)] == [204, 204, 429]
        status, body, headers = await door.ask("GET", studies, first)
        assert (status, headers["Retry-After"], body) == (429, "2", b'{"status": 429, "error": "too many requests"}')
        assert (await door.ask("GET", studies, second))[0] == 204, "each has an allowance of its own"
        assert [(await door.ask("GET", studies, "x"))[0] for _ in range(3)] == [401, 401, 429]
        before = len(door.events)
        assert (await door.ask("GET", studies, "x"))[0] == 429
        assert len(door.events) == before, "a flood does not fill the audit trail"
        assert (await door.ask("GET", studies, second))[0] == 204, "a flood of strangers stops no caller"
        assert (await door.ask("GET", "/livez"))[0] == 200
        clock[0] = 2.0
        assert (await door.ask("GET", studies, first))[0] == 204


async def test_without_callers_the_rate_is_by_address(site: Any) -> None:
    access = Access(None, site.audit, PROJECTS, Rates(1, 1, lambda: 0.0))
    search = Search(site.archive, site.audit)
    retrieve = Retrieve(site.archive, site.audit)
    server = DicomwebServer(
        "127.0.0.1", 0, None, PROJECTS, site.ingest, search, retrieve, site.audit, lambda: None, 1, 1, access=access
    )
    await server.start()
    url = f"http://127.0.0.1:{server.port}/dicomweb/research/studies"
    found = []
    for _ in range(2):
        async with site.http.get(url) as response:
            found.append(response.status)
    await server.stop(0)
    assert found == [204, 429]


async def test_the_record_names_the_client_behind_a_trusted_hop_only(site: Any) -> None:
    said = [("X-Forwarded-For", "203.0.113.9")]
    for trusted, address in (([], "127.0.0.1"), ([ip_network("127.0.0.0/8")], "203.0.113.9")):
        async with Door(site).open(hops=Hops(trusted)) as door:
            await door.ask("GET", "/dicomweb/research/studies", headers=said)
            assert door.events[-1].peer["address"] == address


@pytest.mark.parametrize("trusted", [True, False])
async def test_a_client_certificate_that_a_trusted_hop_verified(site: Any, trusted: bool) -> None:
    hops = Hops([ip_network("127.0.0.0/8")] if trusted else [], "Client-Cert")
    digest = hashlib.sha256(b"DER").hexdigest()
    known, unknown = [("Client-Cert", ":REVS:")], [("Client-Cert", ":REVT:")]
    async with Door(site).open(hops=hops) as door:
        door.tokens.append(StoredToken("gateway", digest, {"research": frozenset({Verb.SEARCH})}, certificate=True))
        studies = "/dicomweb/research/studies"
        assert (await door.ask("GET", studies, headers=known))[0] == (204 if trusted else 401)
        if trusted:
            assert door.events[-1].peer["caller"] == "certificate:gateway"
        assert (await door.ask("GET", studies, headers=unknown))[0] == 401
        assert door.events[-1].reason == ("unknown-certificate" if trusted else "no-token")
        assert (await door.ask("GET", studies, new_token(), known))[0] == 401, "a token goes first"
        for forged in ("certificate:" + digest, digest):
            assert (await door.ask("GET", studies, forged))[0] in (400, 401)


async def test_an_unknown_uid_and_one_of_another_project_take_as_long(site: Any) -> None:
    """The same answer, the same record, the same steps: medians of many, interleaved, with a generous bound."""
    await site.keep(*(site.instance(SOPInstanceUID=f"2.25.3{n}") for n in range(20)))
    async with Door(site).open() as door:
        token = door.grant({"other": frozenset(Verb)})
        taken: dict[str, list[float]] = {"2.25.1": [], "2.25.7": []}
        answers: dict[str, set[Any]] = {"2.25.1": set(), "2.25.7": set()}
        for turn in range(300):
            study = list(taken)[turn % 2]
            start = time.perf_counter()
            status, body, headers = await door.ask("GET", f"/dicomweb/other/studies/{study}/metadata", token)
            taken[study].append(time.perf_counter() - start)
            event = door.events[-1]
            kept = tuple((k, v) for k, v in headers.items() if k != "Date")
            answers[study].add((status, body, kept, event.type, event.reason, str(event.object)))
        assert answers["2.25.1"] == answers["2.25.7"]
        assert len(answers["2.25.1"]) == 1
        there, nowhere = (statistics.median(each) for each in taken.values())
        assert 0.5 < there / nowhere < 2


async def test_a_request_that_takes_too_long_is_ended(site: Any) -> None:
    async with Door(site).open(request_seconds=0.2) as door:
        token = door.grant(ALL)

        async def body() -> AsyncIterator[bytes]:
            yield b"--b0\r\n"
            await asyncio.sleep(5)

        kind = ("Content-Type", 'multipart/related; type="application/dicom"; boundary=b0')
        start = time.perf_counter()
        try:
            status, _, _ = await door.ask("POST", "/dicomweb/research/studies", token, [kind], data=body())
            assert status == 503
        except aiohttp.ClientError:
            pass
        assert time.perf_counter() - start < 4
