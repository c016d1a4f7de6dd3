"""Re-identification in the console: statements count from their officer's own account, and pages hold pseudonyms only.

What the browser does with keys is in tests/peers/test_console_reidentify.py.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from proxy.console.reidentify import ReidentifyPages
from proxy.service.people import Account, Role
from proxy.service.reidentify_words import APPROVE, EXPORT, REQUEST, REVEAL, Message, digest
from proxy.store.database import Database
from tests.service.reidentifying import ANNA, BEN, P1, PLANTED, Site, value


@pytest.fixture
async def made(place: Any, tmp_path: Path) -> AsyncIterator[Site]:
    database = await Database.open(tmp_path / "veil.db")
    made = Site(database, audit=place)
    await made.fill()
    place.parts.append(ReidentifyPages(made.service))
    password = place.accounts[0].password
    for name, where in (("anna", "research"), ("ben", "research"), ("mia", "other")):
        place.accounts.append(Account(name, {where: frozenset({Role.OFFICER})}, password))
    yield made
    await database.close()


async def say(person: Any, step: str, message: Message) -> tuple[int, Any]:
    said = {"statement": message.statement, "signature": message.signature}
    status, text, headers = await person.post(f"/reidentify/{step}", **said)
    return status, json.loads(text) if headers["Content-Type"].startswith("application/json") else text


async def test_two_officers_each_from_an_account_of_their_own(place: Any, made: Site) -> None:
    async with place.open() as anna, place.open() as ben:
        assert (await anna.sign_in("anna"), await ben.sign_in("ben")) == (303, 303)
        _, text, _ = await anna.get("/reidentify")
        assert "Nobody has asked" in text
        status, request = await say(anna, REQUEST, made.asking())
        assert status == 200
        _, own, _ = await anna.get(f"/reidentify/{request}")
        assert "Nobody approves a request of his own" in own
        assert "data-step" not in own
        _, text, _ = await ben.get(f"/reidentify/{request}")
        asked = json.loads(html.unescape(re.findall(r'data-asked="([^"]*)"', text)[0]))
        assert ANNA.officer.signed(asked["statement"], asked["signature"])
        assert (await say(ben, APPROVE, await made.approving(request)))[0] == 200
        _, text, _ = await anna.get(f"/reidentify/{request}")
        assert "Sign and show it, once" in text
        status, told = await say(anna, REVEAL, made.message(ANNA, REVEAL, request=request))
        assert (status, value(told, request, ANNA)) == (200, ("Hospital", f"{PLANTED}-0"))
        _, text, _ = await anna.get("/reidentify")
        assert f"<code>{P1}</code>" in text
        assert PLANTED not in text
    events = [event for event in place.events if event.type.startswith("reident")]
    assert [(e.peer["caller"], e.behalf["caller"]) for e in events] == [
        ("user:anna", "officer:anna"), ("user:ben", "officer:ben"), ("user:anna", "officer:anna"),
    ]  # fmt: skip
    assert PLANTED not in repr(place.events)


async def test_nobody_brings_what_another_officer_signed(place: Any, made: Site) -> None:
    async with place.open() as ben:
        await ben.sign_in("ben")
        await ben.get("/reidentify")
        assert await say(ben, REQUEST, made.asking()) == (403, {"reason": "another-account"})
    last = place.events[-1]
    assert (last.type, last.reason) == ("reidentification-refused", "another-account")
    assert (last.peer["caller"], last.behalf["caller"]) == ("user:ben", "officer:anna")
    assert await made.service.requests() == []


async def test_refusals_are_told_with_their_reason(place: Any, made: Site) -> None:
    request = await made.ask()
    async with place.open() as anna:
        await anna.sign_in("anna")
        await anna.get("/reidentify")
        own = await made.approving(request, ANNA)
        assert await say(anna, APPROVE, own) == (403, {"reason": "self-approval"})
        assert await say(anna, REQUEST, made.asking(pseudonyms=[P1, "P2"])) == (400, {"reason": "bulk"})
        assert await say(anna, REVEAL, Message("", "")) == (400, {"reason": "malformed"})
        anna.token = "0" * 64
        assert (await say(anna, REVEAL, made.message(ANNA, REVEAL, request=request)))[0] == 403
    reasons = [event.reason for event in place.events if event.outcome == "failure"]
    assert reasons == ["self-approval", "bulk", "malformed", "form-token"]


async def test_an_account_that_is_no_officer_of_the_project_has_nothing_to_sign(place: Any, made: Site) -> None:
    request = await made.ask()
    async with place.open() as person:
        await person.sign_in("officer")
        _, text, _ = await person.get("/reidentify")
        assert request[:8] in text
        assert "<strong>officer</strong> is none" in text
        _, text, _ = await person.get(f"/reidentify/{request}")
        assert "officer is no officer of this project" in text
        assert "<script" not in text


async def test_a_list_of_patients_is_seen_here_and_not_more(place: Any, made: Site) -> None:
    message = made.exporting()
    request = await made.take(EXPORT, message)
    async with place.open() as ben:
        await ben.sign_in("ben")
        assert "<code>2 patients</code>" in (await ben.get("/reidentify"))[1]
        _, text, _ = await ben.get(f"/reidentify/{request}")
        assert digest(message.attached) in text
        assert "never here" in text
        assert "data-step" not in text
        assert P1 not in text
        status, told = await say(ben, APPROVE, await made.approving(request))
        assert (status, told) == (400, {"reason": "bulk"})
        status, _, _ = await ben.post("/reidentify/collect", statement="", signature="")
        assert status in (404, 405)


@pytest.mark.parametrize("name", ["viewer", "operator", "administrator", "mia"])
async def test_who_may_not_is_refused_and_that_is_a_record(place: Any, made: Site, name: str) -> None:
    request = await made.ask()
    async with place.open() as person:
        await person.sign_in(name)
        _, text, _ = await person.get()
        assert "Re-identification" not in text
        assert (await person.get("/reidentify"))[0] == 403
        assert (await person.get(f"/reidentify/{request}"))[0] == 403
        assert place.said()[-2:] == [("denied", f"user:{name}", "role")] * 2


async def test_a_request_that_there_is_not(place: Any, made: Site) -> None:
    async with place.open() as person:
        await person.sign_in("anna")
        assert (await person.get(f"/reidentify/{'0' * 32}"))[0] == 404
        assert (await person.get("/reidentify/other"))[0] == 404
        assert BEN.officer.name in made.service.drawers["research"].officers
