"""Live records: those that are meant and may be seen, in words, from where the page ends; over when the session is."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from proxy.audit.live import LiveStream
from proxy.audit.lookup import Lookup
from proxy.audit.trail import AuditLog
from proxy.console.audit_live import AuditLive
from proxy.console.audit_log import AuditPages
from proxy.service.audit_reading import AuditReading
from proxy.service.audit_showing import Showing
from proxy.service.people import Account
from proxy.service.ports import AuditEvent
from tests.console.conftest import Person, Place

PROJECTS = ["research", "other"]


@pytest.fixture
async def watched(place: Place, log: AuditLog, tmp_path: Path) -> AsyncIterator[Watched]:
    stream = LiveStream(tmp_path / "log", lambda: log.position.seq)
    reading = AuditReading(Lookup(tmp_path / "log", lambda: log.position.seq), stream, log)
    showing = Showing(reading, heartbeat=0.3, most=2)
    place.parts = [AuditPages(reading, PROJECTS), AuditLive(showing, PROJECTS)]
    yield Watched(place, log, showing)
    stream.close()


class Watched:
    def __init__(self, place: Place, log: AuditLog, showing: Showing) -> None:
        self.place, self.log, self.showing = place, log, showing

    async def write(self, *kinds: str, project: str = "research") -> None:
        await self.log.record(*(AuditEvent(kind, project=project) for kind in kinds))


class Reader:
    """What arrives on one stream; events of one line each."""

    def __init__(self, response: Any) -> None:
        self.response = response
        self.events: list[dict[str, str]] = []

    async def until(self, enough: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not enough():
                block = (await self.response.content.readuntil(b"\n\n")).decode()
                pairs = [line.split(": ", 1) for line in block.splitlines() if line]
                self.events.append({name or "beat": value for name, value in pairs})

    async def beats(self) -> None:
        """One more sign of life than there were."""
        before = len(self.events)
        await self.until(lambda: any("beat" in event for event in self.events[before:]))

    async def over(self) -> dict[str, Any]:
        await self.until(lambda: bool(self.events) and "event" in self.events[-1])
        found: dict[str, Any] = json.loads(self.events[-1]["data"])
        return found

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(event["data"]) for event in self.events if "data" in event and "event" not in event]


@asynccontextmanager
async def reader(person: Person, path: str, last: str = "") -> AsyncIterator[Reader]:
    headers = {"Last-Event-ID": last} if last else {}
    async with person.http.get(f"{person.root}/console{path}", headers=headers, allow_redirects=False) as response:
        yield Reader(response)
        response.close()


async def stream_of(person: Person, page: str) -> str:
    _, text, _ = await person.get(page)
    found = re.search(r'data-stream="[^"]*/console(/audit/stream\?[^"]*)"', text)
    return unescape(found[1]) if found else ""


async def test_what_comes_after_the_page_in_words_and_again_after_a_break(watched: Watched) -> None:
    async with watched.place.open() as person:
        await person.sign_in("officer")
        await watched.write("received", "held")
        path = await stream_of(person, "/audit?type=held&type=released&since=2020-01-01T00:00")
        await watched.write("released", "received")  # before anybody follows
        await watched.write("held", project="other")
        async with reader(person, path) as first:
            assert first.response.headers["Content-Type"] == "text/event-stream"
            await watched.write("held")
            await first.until(lambda: len(first.records()) == 2)
            assert [record["what"] for record in first.records()] == [
                "De-identified copy released",
                "Held in quarantine",
            ]
            assert [record["project"] for record in first.records()] == ["research"] * 2
            assert json.loads(first.records()[0]["raw"])["type"] == "released"
            seq = first.records()[0]["seq"]
        async with reader(person, path, last=str(seq)) as again:
            await again.until(lambda: len(again.records()) == 1)
            assert again.records() == first.records()[1:]


async def test_a_page_of_the_past_is_not_live(watched: Watched) -> None:
    await watched.write(*["received"] * 250)
    async with watched.place.open() as person:
        await person.sign_in("officer")
        assert await stream_of(person, "/audit?reason=x&object=y") != ""
        for page in ("/audit?before=200", "/audit?after=20&order=oldest", "/audit?until=2020-01-01", "/audit?since=x"):
            assert await stream_of(person, page) == "", page


async def test_who_is_let_in(watched: Watched) -> None:
    async with watched.place.open() as person:
        async with reader(person, "/audit/stream") as stranger:
            assert (stranger.response.status, stranger.response.headers["Location"]) == (303, "/console/sign-in")
        await person.sign_in("operator")
        async with reader(person, "/audit/stream") as operator:
            assert operator.response.status == 403
        assert watched.place.said()[-1] == ("denied", "user:operator", "role")
    async with watched.place.open() as person:
        await person.sign_in("officer")
        for bad in ("?before=5", "?after=x"):
            async with reader(person, f"/audit/stream{bad}") as refused:
                assert refused.response.status == 400
        three = [reader(person, "/audit/stream") for _ in range(3)]
        async with three[0], three[1], three[2] as third:
            assert (third.response.status, third.response.headers["Retry-After"]) == (503, "5")


async def test_a_page_that_is_left_open_keeps_nobody_signed_in(watched: Watched) -> None:
    async with watched.place.open() as person:
        await person.sign_in("officer")
        async with reader(person, "/audit/stream") as open_page:
            await open_page.beats()
            watched.place.now = 40.0  # of 60 idle seconds
            await open_page.beats()
            watched.place.now = 80.0
            assert (await open_page.over())["reason"] == "you are not signed in any more"
        assert watched.place.said()[-1] == ("logout", "user:officer", "idle")


async def test_another_role_ends_it(watched: Watched) -> None:
    async with watched.place.open() as person:
        await person.sign_in("administrator")
        async with reader(person, "/audit/stream") as open_page:
            await open_page.beats()
            officer = next(each for each in watched.place.accounts if each.name == "officer")
            watched.place.accounts = [
                Account(each.name, officer.roles if each.name == "administrator" else each.roles, each.password)
                for each in watched.place.accounts
            ]
            assert (await open_page.over())["reason"] == "your role is another one now"


async def test_a_stop_ends_it(watched: Watched) -> None:
    async with watched.place.open() as person:
        await person.sign_in("officer")
        async with reader(person, "/audit/stream") as open_page:
            await open_page.until(lambda: bool(open_page.events))
            watched.showing.close()
            assert (await open_page.over())["reason"] == "stopping"
        async with reader(person, "/audit/stream") as late:
            assert (await late.over())["reason"] == "stopping"
