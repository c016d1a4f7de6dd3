from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pytest

from proxy.console.destinations import DestinationsPage, Traffic, age
from proxy.service.destinations import Destinations, Pause
from proxy.service.flow import DELIVERED, Key, Window
from proxy.service.people import Account, Role
from proxy.service.ports import Peer

PROJECTS = {"research": ["archive", "shared"], "other": ["pacs", "shared"]}
STATUS = {
    "ready": True, "checks": {},
    "queue": {"archive": {"waiting": 41, "in_flight": 2, "delivered": 1314, "failed": 15}},
    "destinations": {
        "archive": {"state": "down", "last_code": "A700", "probe_at": 1031.0},
        "pacs": {"state": "refusing", "last_code": '<script>"&', "probe_at": 1200.0},
        "shared": {"state": "up", "last_code": "", "probe_at": 0.0},
    },
}  # fmt: skip


class Lanes:
    """Takes everything."""

    def pause(self, destination: str) -> None: ...

    def resume(self, destination: str) -> None: ...

    def notify(self, destinations: Iterable[str]) -> None: ...


class Rows:
    async def all(self) -> list[Pause]:
        return []

    async def keep(self, pause: Pause) -> None: ...

    async def forget(self, destination: str) -> None: ...


class Here:
    """The page of a place."""

    def __init__(self, place: Any) -> None:
        self.again: list[str] = []
        self.operate = Destinations(
            {"archive", "pacs", "shared"}, Lanes(), Rows(), place, self._requeue, lambda: 1_763_700_000.0
        )
        place.parts.append(
            DestinationsPage(Traffic(self._status, self._oldest, self._flow, self.operate, PROJECTS), lambda: 1000.0)
        )

    async def _requeue(self, name: str) -> int:
        self.again.append(name)
        return 15

    async def _status(self) -> dict[str, Any]:
        return STATUS

    async def _oldest(self, now: float) -> dict[str, float]:
        return {"archive": 7300.0}

    def _flow(self, minutes: int, steps: int) -> Window:
        now = datetime.now(UTC)
        counts = {Key(DELIVERED, "research", "archive"): (600, 13), Key(DELIVERED, "other", "shared"): (999, 0)}
        return Window(now, minutes, counts, steps, now)


@pytest.fixture
def here(place: Any) -> Here:
    return Here(place)


def said(text: str) -> str:
    """What stands there, without elements."""
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


async def test_an_operator_sees_how_it_stands_and_has_buttons(place: Any, here: Here) -> None:
    async with place.open() as person:
        await person.sign_in("operator")
        status, text, _ = await person.get("/destinations")
    assert status == 200
    for words in ("archive not reached", "next in 31 s", "Waiting 41 On the way 2 Delivered 1314 Failed 15",
                  "Oldest waiting 2 h", "Delivered in 10 min 613", "A700: out of resources", "Pause archive",
                  "Send the 15 failed again", "none since the start"):  # fmt: skip
        assert words in said(text), words
    assert "pacs" not in text
    assert "other" not in text.replace("and projects that you do not see", "")
    assert "Pause shared" not in text
    assert "only who may operate in all of them" in text


async def test_an_officer_and_a_viewer_have_no_buttons_and_a_forged_form_is_refused_on_record(
    place: Any, here: Here
) -> None:
    for name, seen, foreign in (("officer", "archive", "pacs"), ("viewer", "pacs", "archive")):
        async with place.open() as person:
            await person.sign_in(name)
            _, text, _ = await person.get("/destinations")
            assert seen in text
            assert foreign not in text
            assert "operate" not in text
            assert "&lt;script&gt;&#34;&amp;" in text or name == "officer"
            status, _, _ = await person.post(f"/destinations/{seen}/pause", why="test")
            assert status == 403
        assert place.said()[-2:] == [("login", f"user:{name}", ""), ("denied", f"user:{name}", "role")]
    assert here.operate.paused == {}


async def test_pause_and_resume_name_the_person_and_the_ticket(place: Any, here: Here) -> None:
    async with place.open() as person:
        await person.sign_in("operator")
        await person.get("/destinations")
        status, _, headers = await person.post("/destinations/archive/pause", why="maintenance", ticket=" CHG-4711 ")
        assert (status, headers["Location"]) == (303, "/console/destinations")
        _, text, _ = await person.get("/destinations")
        assert "by user:operator: Maintenance (CHG-4711)." in said(text)
        assert "2025-11-21 04:40 UTC" in text
        assert "Resume archive" in text
        assert "Pause archive" not in text
        await person.post("/destinations/archive/pause", why="maintenance")  # somebody else was faster
        await person.post("/destinations/archive/resume", why="finished")
        await person.post("/destinations/archive/again")
    assert place.said()[-3:] == [
        ("destination-paused", "user:operator", "maintenance"), ("destination-resumed", "user:operator", "finished"),
        ("requeued", "user:operator", ""),
    ]  # fmt: skip
    assert here.again == ["archive"]


@pytest.mark.parametrize("form", [{"why": "Mr Miller"}, {}, {"why": "test", "ticket": "Mr Miller"}])
async def test_free_text_is_no_reason(place: Any, here: Here, form: dict[str, str]) -> None:
    async with place.open() as person:
        await person.sign_in("operator")
        await person.get("/destinations")
        status, text, _ = await person.post("/destinations/archive/pause", **form)
    assert status == 400
    assert "Nothing was changed" in text
    assert "Miller" not in text
    assert here.operate.paused == {}


async def test_what_serves_another_project_too_needs_both(place: Any, here: Here) -> None:
    place.accounts.append(
        Account("both", {name: frozenset({Role.OPERATOR}) for name in PROJECTS}, place.accounts[0].password)
    )
    for name, status in (("operator", 403), ("both", 303)):
        async with place.open() as person:
            await person.sign_in(name)
            await person.get("/destinations")
            assert (await person.post("/destinations/shared/pause", why="test"))[0] == status
            assert (name in here.operate.paused.get("shared", Pause("", 0, "", "", "")).by) == (status == 303)
            assert (await person.post("/destinations/nowhere/pause", why="test"))[0] == 404
            foreign = await person.post("/destinations/pacs/pause", why="test")
            assert foreign[0] == (404 if name == "operator" else 303)


async def test_no_record_no_pause(place: Any, here: Here) -> None:
    async with place.open() as person:
        await person.sign_in("operator")
        await person.get("/destinations")
        place.full = True
        status, _, _ = await person.post("/destinations/archive/pause", why="test")
    assert status == 503
    assert here.operate.paused == {}


async def test_what_veil_is_told_elsewhere_is_seen(place: Any, here: Here) -> None:
    await here.operate.pause("archive", "trouble", "", Peer("cli"))
    async with place.open() as person:
        await person.sign_in("officer")
        _, text, _ = await person.get("/destinations")
    assert "by cli: Trouble at the destination." in said(text)


@pytest.mark.parametrize(("seconds", "words"), [(0.4, "0 s"), (119, "119 s"), (120, "2 min"), (9e5, "10 d")])
def test_age(seconds: float, words: str) -> None:
    assert age(seconds) == words
