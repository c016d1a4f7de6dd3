"""Statements of officers over HTTP: who may bring them, what is answered, and that what comes to nothing is on record.

The attacks themselves run over HTTP too, in tests/service/test_reidentify.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import validator_for
from schemathesis.openapi import from_dict

from proxy.dicomweb.reidentify import MOST
from proxy.dicomweb.reidentify_openapi import DOCUMENT
from proxy.service.callers import Verb
from proxy.service.rate import Rates
from proxy.service.reidentify import Reidentify
from proxy.service.reidentify_words import APPROVE, EXPORTS, REQUEST, REVEAL, STEPS, Message
from proxy.store.database import Database
from tests.dicomweb.door import Door
from tests.service.reidentifying import ANNA, BEN, PLANTED, Remote, Site, over_http, value


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Site]:
    database = await Database.open(tmp_path / "veil.db")
    made = Site(database)
    await made.fill()
    yield made
    await database.close()


@pytest.fixture
async def remote(made: Site) -> AsyncIterator[Remote]:
    async with over_http(made) as remote:
        yield remote


def said(message: Message) -> dict[str, str]:
    return {"statement": message.statement, "signature": message.signature}


async def test_two_officers_and_who_brought_what_they_signed(made: Site, remote: Remote) -> None:
    status, request = await remote.ask("POST", "/reidentify/request", json=said(made.asking()))
    assert status == 200
    _, shown = await remote.ask("GET", f"/reidentify/{request}")
    assert (shown["state"], "entry" in shown) == ("asked", True)
    message = await made.approving(request)
    assert await remote.ask("POST", "/reidentify/approve", json=said(message)) == (200, request)
    look = made.message(ANNA, REVEAL, request=request)
    status, told = await remote.ask("POST", "/reidentify/reveal", json=said(look))
    assert (status, value(told, request, ANNA)) == (200, ("Hospital", f"{PLANTED}-0"))
    for event, officer in zip(made.trail.events, ("anna", "ben", "anna"), strict=True):
        assert event.peer == {"transport": "dicomweb", "address": "127.0.0.1", "caller": "token:tool"}
        assert event.behalf == {"caller": f"officer:{officer}"}
    assert PLANTED not in repr(made.trail.events)


async def test_the_status_says_what_kind_of_refusal_it_is(made: Site, remote: Remote) -> None:
    request = await remote.take(REQUEST, made.asking())
    own = await made.approving(request, ANNA)
    cases = [
        (REQUEST, made.asking(pseudonyms=["P1", "P2"]), 400, "bulk"),
        (REQUEST, made.asking(pseudonyms=["nobody"]), 404, "no-such-patient"),
        (APPROVE, own, 403, "self-approval"),
        (REVEAL, made.message(ANNA, REVEAL, request=request), 409, "not-approved"),
        (REVEAL, made.message(ANNA, REVEAL, request="0" * 32), 404, "no-such-request"),
        (REVEAL, Message("{", "00"), 400, "malformed"),
    ]
    for step, message, status, reason in cases:
        before = len(made.trail.events)
        assert await remote.ask("POST", f"/reidentify/{step}", json=said(message)) == (
            status, {"status": status, "error": reason},
        )  # fmt: skip
        assert [(e.type, e.reason) for e in made.trail.events[before:]] == [("reidentification-refused", reason)]


@pytest.mark.parametrize("grants", [{}, {"research": frozenset(Verb) - {Verb.REIDENTIFY}}])
async def test_who_was_not_granted_it_comes_to_nothing(made: Site, grants: Any) -> None:
    async with over_http(made, grants) as remote:
        for method, path in (("GET", ""), ("POST", "/request"), ("GET", f"/{'0' * 32}"), ("GET", "/openapi.json")):
            assert (await remote.ask(method, f"/reidentify{path}", json=said(made.asking())))[0] == 403
            refused = made.trail.events[-1]
            assert (refused.type, refused.reason) == ("denied", "insufficient-scope")
        assert await made.requests.newest(None, 9) == []


async def test_what_is_of_another_project_is_not_there(made: Site) -> None:
    request = await made.ask()
    async with over_http(made, {"other": frozenset({Verb.REIDENTIFY})}) as remote:
        assert await remote.requests() == []
        assert (await remote.ask("GET", f"/reidentify/{request}"))[0] == 404
        message = await made.approving(request, BEN)
        status, told = await remote.ask("POST", "/reidentify/approve", json=said(message))
        assert (status, told["error"]) == (403, "unknown-officer")
        event = made.trail.events[-1]
        assert (event.type, event.project, event.reason) == ("reidentification-refused", "research", "unknown-officer")


@pytest.mark.parametrize("body", [b"", b"[]", b'{"statement":1,"signature":"00"}', b'{"statement":""}', b"[" * 20_000])
async def test_a_body_that_is_none_is_a_refused_statement(made: Site, remote: Remote, body: bytes) -> None:
    json_type = {"Authorization": f"Bearer {remote.token}", "Content-Type": "application/json"}
    async with remote.http.post(remote.root + "/reidentify/reveal", data=body, headers=json_type) as response:
        assert (response.status, (await response.json())["error"]) == (400, "malformed")
    assert made.trail.told() == [("refused", "malformed")]


async def test_what_is_not_taken_at_all(made: Site, remote: Remote) -> None:
    assert (await remote.ask("POST", "/reidentify/reveal", data={"statement": ""}))[0] == 415
    assert (await remote.ask("POST", "/reidentify/reveal", json={"statement": "x" * MOST}))[0] == 413
    assert (await remote.ask("POST", "/reidentify/other", json={}))[0] in (404, 405)
    assert (await remote.ask("DELETE", f"/reidentify/{'0' * 32}"))[0] == 405


async def test_who_tries_too_often_waits_and_that_is_recorded_once(made: Site) -> None:
    drawers = made.service._statements.drawers
    made.service = Reidentify(
        made.identities, made.requests, made.trail, drawers, lambda: made.now, Rates(0.001, 3)
    )  # fmt: skip
    async with over_http(made) as remote:
        statuses = [(await remote.ask("POST", "/reidentify/reveal", json={}))[0] for _ in range(6)]
    assert statuses == [400] * 3 + [429] * 3
    assert made.trail.told() == [("refused", "malformed")] * 3 + [("refused", "too-often")]


async def test_the_document_says_how_to_ask_and_what_is_answered(made: Site, remote: Remote) -> None:
    assert await remote.ask("GET", "/reidentify/openapi.json") == (200, DOCUMENT)
    posted = [each.ok() for each in from_dict(DOCUMENT).get_all_operations() if each.ok().method == "post"]
    assert {each.path.rpartition("/")[2] for each in posted} == {*STEPS, *EXPORTS}
    request = await remote.take(REQUEST, made.asking())
    assert good("/reidentify", "get", await remote.requests())
    await remote.take(APPROVE, await made.approving(request))
    told = await remote.take(REVEAL, made.message(ANNA, REVEAL, request=request))
    assert good("/reidentify/reveal", "post", told)
    assert good("/reidentify/{request}", "get", (await remote.ask("GET", f"/reidentify/{request}"))[1])
    assert not good("/reidentify/reveal", "post", told | {"value": PLANTED})


def good(path: str, method: str, told: Any) -> bool:
    schema = DOCUMENT["paths"][path][method]["responses"]["200"]["content"]["application/json"]["schema"]
    return bool(validator_for(schema).is_valid(told))


async def test_it_is_there_only_where_callers_are_asked_who_they_are(site: Any, made: Site) -> None:
    async with Door(site).open(officers=made.service) as door:
        assert (await door.ask("GET", "/reidentify"))[0] == 401
        token = door.grant({"research": frozenset({Verb.REIDENTIFY})})
        assert (await door.ask("GET", "/reidentify", token))[0] == 200
    async with site.http.get(f"http://127.0.0.1:{site.server.port}/reidentify") as response:
        assert response.status == 404
