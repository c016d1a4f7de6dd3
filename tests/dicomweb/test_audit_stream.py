"""The live log: each record once, in order, over a break; slow readers, lost grants and a stop end it with a word."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from proxy.audit.live import LiveStream
from proxy.audit.lookup import Lookup
from proxy.audit.trail import AuditLog
from proxy.dicomweb import server
from proxy.dicomweb.audit_stream import AuditStream
from proxy.service.audit_reading import AuditReading
from proxy.service.callers import Verb
from proxy.service.ports import AuditEvent
from tests.dicomweb.door import Door

AUDIT = frozenset({Verb.AUDIT})


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[AuditLog]:
    log = AuditLog(tmp_path / "log", "veil", segment_bytes=20_000, timeout=60)
    await log.open()
    await write(log, 10)
    yield log
    await log.close()


async def write(log: AuditLog, count: int, about: str = "") -> None:
    events = [AuditEvent("received", project=("research", "other")[n % 2], object={"x": about}) for n in range(count)]
    await log.record(*events)


@pytest.fixture
async def door(site: Any, log: AuditLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Door]:
    monkeypatch.setattr(
        server, "AuditStream", lambda reading, access: AuditStream(reading, access, 0.3, patience=0.5, most=2)
    )
    live = LiveStream(tmp_path / "log", lambda: log.position.seq, most=50, patience=0.5)
    reading = AuditReading(Lookup(tmp_path / "log", lambda: log.position.seq), live, log)
    async with Door(site).open(reading=reading) as opened:
        yield opened
    live.close()


class Reader:
    """What arrives on one stream."""

    def __init__(self, door: Door, token: str, query: str = "", last: str = "") -> None:
        headers = {"Authorization": f"Bearer {token}"} | ({"Last-Event-ID": last} if last else {})
        self._asked = door.site.http.get(f"{door.root}/audit/stream{query}", headers=headers)
        self.events: list[dict[str, str]] = []

    async def __aenter__(self) -> Reader:
        self.response = await self._asked.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        self.response.close()

    async def until(self, enough: Callable[[list[dict[str, str]]], bool]) -> list[dict[str, str]]:
        async with asyncio.timeout(10):
            while not enough(self.events):
                block = (await self.response.content.readuntil(b"\n\n")).decode()
                pairs = [line.split(": ", 1) for line in block.splitlines() if line]
                self.events.append({name or "comment": value for name, value in pairs})
        return self.events

    def numbers(self) -> list[int]:
        shown = [event for event in self.events if "data" in event and "event" not in event]
        assert all(json.loads(event["data"])["seq"] == int(event["id"]) for event in shown)
        return [int(event["id"]) for event in shown]


async def test_from_now_on_and_again_from_where_it_was_cut_off(door: Door, log: AuditLog) -> None:
    token = door.grant({"*": AUDIT}, "officer")
    async with Reader(door, token) as reader:
        assert (reader.response.status, reader.response.content_type) == (200, "text/event-stream")
        assert (await reader.until(lambda events: len(events) == 1))[0]["id"] == "10"
        await write(log, 3)
        await reader.until(lambda events: len(reader.numbers()) == 4)
        assert reader.numbers() == [11, 12, 13, 14]
        opening = json.loads(reader.events[1]["data"])
        assert (opening["type"], opening["peer"]["caller"]) == ("audit-read", "token:officer")
        assert opening["object"] == {"kind": "audit", "how": "stream", "keys": [], "after": 10}
    await write(log, 2)
    async with Reader(door, token, last="12") as reader:
        await reader.until(lambda events: len(reader.numbers()) == 5)
        assert reader.numbers() == [13, 14, 15, 16, 17]
    async with Reader(door, token, "?after=0") as reader:
        await reader.until(lambda events: len(reader.numbers()) == 17)
        assert reader.numbers() == list(range(1, 18))


async def test_only_what_is_meant_and_may_be_seen_while_the_place_moves_on(door: Door, log: AuditLog) -> None:
    async with Reader(door, door.grant({"other": AUDIT}), "?type=received&after=0") as reader:
        await reader.until(lambda events: any(event.get("comment") and event["id"] == "11" for event in events))
        assert reader.numbers() == [2, 4, 6, 8, 10]


async def test_a_number_that_the_log_never_reached_means_now(door: Door, log: AuditLog) -> None:
    async with Reader(door, door.grant({"*": AUDIT}), last="5000") as reader:
        await write(log, 1)
        await reader.until(lambda events: len(reader.numbers()) == 2)
        assert reader.numbers() == [11, 12]


async def test_who_is_not_let_in(door: Door, log: AuditLog) -> None:
    token = door.grant({"*": AUDIT})
    assert (await door.ask("GET", "/audit/stream"))[0] == 401
    assert (await door.ask("GET", "/audit/stream", door.grant({"*": frozenset(Verb) - AUDIT})))[0] == 403
    assert (await door.ask("HEAD", "/audit/stream", token))[0] == 405
    assert (await door.ask("GET", "/audit/stream?before=5", token))[0] == 400
    assert (await door.ask("GET", "/audit/stream", token, [("Last-Event-ID", "x")]))[0] == 400
    assert (await door.ask("GET", "/audit/stream", token, [("Accept", "text/html")]))[0] == 406
    async with Reader(door, token), Reader(door, token):
        status, _, headers = await door.ask("GET", "/audit/stream", token)
        assert (status, headers["Retry-After"]) == (503, "5")
    assert log.position.seq == 12  # two opened


async def test_a_token_that_is_revoked_ends_its_stream(door: Door) -> None:
    token = door.grant({"*": AUDIT})
    async with Reader(door, token) as reader:
        await reader.until(lambda events: any("comment" in event for event in events))
        door.tokens.clear()
        last = (await reader.until(lambda events: "event" in events[-1]))[-1]
        assert (last["event"], json.loads(last["data"])["reason"]) == ("ended", "not allowed any more")
        assert await reader.response.content.read() == b""
    assert door.events[-1].type == "denied"


async def test_a_stop_does_not_wait_for_readers(site: Any, door: Door) -> None:
    async with Reader(door, door.grant({"*": AUDIT})) as reader:
        await reader.until(lambda events: len(events) == 1)
        began = asyncio.get_running_loop().time()
        await door.server.stop(30.0)
        assert asyncio.get_running_loop().time() - began < 5
        last = (await reader.until(lambda events: "event" in events[-1]))[-1]
        assert (last["event"], json.loads(last["data"])["reason"]) == ("ended", "stopping")


async def test_a_reader_that_does_not_read_is_dropped_and_told(door: Door, log: AuditLog) -> None:
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(raw, ("127.0.0.1", door.server.port))
    token = door.grant({"*": AUDIT})
    head = f"GET /audit/stream HTTP/1.1\r\nHost: veil\r\nAuthorization: Bearer {token}\r\n\r\n"
    await loop.sock_sendall(raw, head.encode())
    while log.position.seq == 10:
        await asyncio.sleep(0.01)
    for _ in range(20):  # no writer waits for it
        await write(log, 50, "x" * 20_000)
    await asyncio.sleep(1.5)
    received = b""
    async with asyncio.timeout(10):
        while block := await loop.sock_recv(raw, 1 << 20):
            received += block
    raw.close()
    last = received.rpartition(b"event: ")[2]
    assert last.startswith(b"dropped\ndata: "), last[:80]
    after = json.loads(last.splitlines()[1].removeprefix(b"data: "))["after"]
    assert 11 <= after < 1011
    async with Reader(door, token, last=str(after)) as reader:
        await reader.until(lambda events: bool(reader.numbers()))
        assert reader.numbers() == [after + 1]
