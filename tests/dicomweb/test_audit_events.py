"""The log over HTTP: for those who may, of the projects that they may see, and each read is a record."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from proxy.audit.chain import unseal
from proxy.audit.live import LiveStream
from proxy.audit.lookup import Lookup
from proxy.audit.trail import AuditLog
from proxy.errors import AuditUnavailable
from proxy.service.audit_reading import AuditReading
from proxy.service.callers import Verb
from proxy.service.ports import AuditEvent
from tests.dicomweb.door import Door

AUDIT = frozenset({Verb.AUDIT})


class Broken:
    async def record(self, *events: AuditEvent) -> None:
        raise AuditUnavailable("no disk")


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[AuditLog]:
    log = AuditLog(tmp_path / "log", "veil", segment_bytes=4000, timeout=60)
    await log.open()
    await log.record(AuditEvent("started"))
    for n in range(20):
        await log.record(AuditEvent("received", project=("research", "other")[n % 2], object={"size": n}))
    yield log
    await log.close()


def reading_of(log: AuditLog, folder: Path, audit: Any = None) -> AuditReading:
    lookup, live = Lookup(folder, lambda: log.position.seq), LiveStream(folder, lambda: log.position.seq)
    return AuditReading(lookup, live, audit or log)


@pytest.fixture
async def door(site: Any, log: AuditLog, tmp_path: Path) -> AsyncIterator[Door]:
    async with Door(site).open(reading=reading_of(log, tmp_path / "log")) as opened:
        yield opened


async def records(door: Door, token: str, query: str = "") -> list[dict[str, Any]]:
    status, body, _ = await door.ask("GET", f"/audit/events{query}", token)
    assert status == 200, body
    found: list[dict[str, Any]] = json.loads(body)["records"]
    return found


async def test_who_sees_what(door: Door) -> None:
    everything = await records(door, door.grant({"*": AUDIT}))
    assert [each["seq"] for each in everything] == list(range(21, 0, -1))
    assert {each["project"] for each in everything} == {"research", "other", ""}
    one = door.grant({"research": AUDIT, "other": frozenset({Verb.SEARCH})})
    assert {each["project"] for each in await records(door, one, "?type=received&type=started")} == {"research"}
    assert await records(door, one, "?project=other") == []
    assert await records(door, one, "?type=started") == []


async def test_who_sees_nothing(door: Door, log: AuditLog) -> None:
    assert (await door.ask("GET", "/audit/events"))[0] == 401
    status, body, headers = await door.ask("GET", "/audit/events", door.grant({"*": frozenset(Verb) - AUDIT}))
    assert (status, json.loads(body)["error"]) == (403, "forbidden")
    assert 'scope="veil:*:audit"' in headers["WWW-Authenticate"]
    refused = door.events[-1]
    assert (refused.type, refused.reason, refused.object) == (
        "denied", "insufficient-scope", {"kind": "request", "verb": "audit"},
    )  # fmt: skip
    assert log.position.seq == 21


async def test_there_is_no_log_where_nobody_is_asked_for_a_name(site: Any) -> None:
    for path in ("events", "stream"):
        async with site.http.get(f"http://127.0.0.1:{site.server.port}/audit/{path}") as response:
            assert response.status == 404


async def test_each_read_is_a_record_without_the_values_that_were_typed(door: Door) -> None:
    token = door.grant({"*": AUDIT}, "officer")
    await records(door, token, "?peer=Jane+Doe&type=received&limit=3")
    newest = (await records(door, token, "?limit=1"))[0]
    assert (newest["type"], newest["outcome"], newest["counts"]) == ("audit-read", "success", {"records": 0})
    assert newest["peer"]["caller"] == "token:officer"
    assert newest["object"] == {"kind": "audit", "how": "page", "keys": ["types", "peers"]}
    newest = (await records(door, token, "?limit=1"))[0]
    assert (newest["object"]["first"], newest["object"]["last"], newest["counts"]) == (22, 22, {"records": 1})


async def test_who_reads_one_project_leaves_a_record_of_that_project(door: Door) -> None:
    token = door.grant({"research": AUDIT})
    await records(door, token)
    assert (await records(door, token, "?type=audit-read"))[0]["project"] == "research"


async def test_pages_by_their_links_as_lines_that_still_verify(door: Door) -> None:
    token = door.grant({"*": AUDIT})
    path, seen = "/audit/events?type=received&order=oldest&limit=7", []
    while path:
        status, body, headers = await door.ask("GET", path, token, [("Accept", "application/jsonl")])
        assert (status, headers["Content-Type"], headers["Cache-Control"]) == (
            200, "application/jsonl", "private, no-store",
        )  # fmt: skip
        seen += [unseal(line)[1].seq for line in body.splitlines()]
        path = headers["Link"][1:].partition(">")[0] if "Link" in headers else ""
    assert seen == list(range(2, 22))
    _, body, _ = await door.ask("GET", "/audit/events?limit=3&before=5", token)
    assert json.loads(body)["next"] == "/audit/events?limit=3&before=2"


async def test_what_cannot_be_asked(door: Door) -> None:
    token = door.grant({"*": AUDIT})
    assert (await door.ask("GET", "/audit/events?typ=held", token))[0] == 400
    assert (await door.ask("GET", "/audit/events", token, [("Accept", "text/html")]))[0] == 406
    assert (await door.ask("POST", "/audit/events", token))[0] == 405


async def test_no_record_no_answer(site: Any, log: AuditLog, tmp_path: Path) -> None:
    async with Door(site).open(reading=reading_of(log, tmp_path / "log", Broken())) as door:
        status, body, _ = await door.ask("GET", "/audit/events", door.grant({"*": AUDIT}))
    assert (status, b"received" in body) == (503, False)
