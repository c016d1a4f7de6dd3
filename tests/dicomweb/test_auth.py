from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from proxy.dicomweb.auth import OPEN
from proxy.dicomweb.resources import RESOURCES, VERBS
from proxy.service.callers import Verb
from proxy.service.static_tokens import new_token
from tests.dicomweb.door import ALL, PROJECTS, Door

SAMPLES = {
    "study": "2.25.1", "series": "2.25.2", "instance": "2.25.3", "transaction": "2.25.9", "frames": "1",
    "where": "00091010",
}  # fmt: skip


@pytest.fixture
async def door(site: Any) -> AsyncIterator[Door]:
    await site.keep(site.instance())
    async with Door(site).open() as opened:
        yield opened


def path_of(row: Any, project: str = "research") -> str:
    return f"/dicomweb/{project}" + row.path.format(**SAMPLES)


async def test_every_resource_wants_its_verb(door: Door) -> None:
    for row in RESOURCES:
        verb = VERBS[row.operation]
        without = door.grant({"research": frozenset(Verb) - {verb}})
        status, body, headers = await door.ask(row.method, path_of(row), without)
        if verb is None:
            assert status == 200
            continue
        assert (status, body) == (403, b'{"status": 403, "error": "forbidden"}')
        expected = f'Bearer realm="veil", error="insufficient_scope", scope="veil:research:{verb}"'
        assert headers["WWW-Authenticate"] == expected
        refused = door.events[-1]
        assert (refused.type, refused.outcome, refused.reason) == ("denied", "failure", "insufficient-scope")
        assert (refused.project, refused.object) == ("research", {"kind": "request", "verb": verb})
        assert refused.peer["caller"] == f"token:{door.tokens[-1].name}"
        status, _, _ = await door.ask(row.method, path_of(row), door.grant({"research": frozenset({verb})}))
        assert status not in (401, 403, 429)
        if row.method == "GET":
            assert (await door.ask("HEAD", path_of(row), without))[0] == 403


async def test_nothing_is_there_without_a_token(door: Door) -> None:
    for row in RESOURCES:
        for method in (row.method, "OPTIONS"):
            status, body, headers = await door.ask(method, path_of(row))
            assert (status, body) == (401, b'{"status": 401, "error": "unauthorized"}')
            assert headers["WWW-Authenticate"] == 'Bearer realm="veil"'


def test_every_operation_has_a_verb_and_every_verb_an_operation() -> None:
    assert set(VERBS) == {row.operation for row in RESOURCES}
    assert {row.operation for row in RESOURCES if row.verb is None} == {"openapi"}


async def test_only_what_holds_no_data_is_open(door: Door) -> None:
    for path in ("/livez", "/readyz"):
        assert (await door.ask("GET", path))[0] == 200
    assert (await door.ask("GET", "/viewer/app-config.js"))[
        0
    ] == 404  # there is none here; nobody was asked for a token
    for path in ("/", "/nothing", "/dicomweb", "/dicomweb/research", "/dicomweb/research/nothing", "/livez/x"):
        assert (await door.ask("GET", path))[0] == 401
    assert sorted(OPEN) == ["/livez", "/readyz", "/viewer", "/viewer/{path}"]


async def test_a_caller_gets_in_and_is_named_in_the_record(door: Door) -> None:
    token = door.grant({"research": frozenset({Verb.SEARCH, Verb.RETRIEVE})}, "ohif")
    assert (await door.ask("GET", "/dicomweb/research/studies", token))[0] == 200
    assert door.events[-1].peer == {"transport": "dicomweb", "address": "127.0.0.1", "caller": "token:ohif"}
    assert (await door.ask("GET", "/dicomweb/research/studies/2.25.1/metadata", token))[0] == 200
    assert (door.events[-1].type, door.events[-1].peer["caller"]) == ("retrieved", "token:ohif")


async def test_who_stores_is_named_to_ingest(door: Door) -> None:
    token = door.grant({"research": frozenset({Verb.STORE})}, "scanner")
    body = door.site.multipart(door.site.instance())
    kind = ("Content-Type", 'multipart/related; type="application/dicom"; boundary=b0')
    assert (await door.ask("POST", "/dicomweb/research/studies", token, [kind], data=body))[0] == 200
    assert door.site.ingest.received[-1][3].name == "token:scanner"


async def test_strangers_are_told_nothing_more(door: Door) -> None:
    """Unknown, malformed and expired tokens are answered alike; the record says which."""
    old = door.grant(ALL, expires=999.0)
    cases = {
        new_token(): "unknown-token", "veil_short": "malformed-token", "a.b.c": "unknown-token", old: "expired-token",
        "x" * 8000: "unknown-token",
    }  # fmt: skip
    answers = set()
    for token, reason in cases.items():
        status, body, headers = await door.ask("GET", "/dicomweb/research/studies", token)
        answers.add((status, body, headers["WWW-Authenticate"]))
        event = door.events[-1]
        assert (event.type, event.outcome, event.reason, event.project) == ("denied", "failure", reason, "")
        assert event.peer == {"transport": "dicomweb", "address": "127.0.0.1"}
        assert token not in str(event)
    expected = 'Bearer realm="veil", error="invalid_token"'
    assert answers == {(401, b'{"status": 401, "error": "unauthorized"}', expected)}


async def test_a_token_is_good_until_it_expires_or_is_revoked(door: Door) -> None:
    token = door.grant(ALL, expires=1001.0)
    assert (await door.ask("GET", "/dicomweb/research/studies", token))[0] == 200
    door.now = 1001.0
    assert (await door.ask("GET", "/dicomweb/research/studies", token))[0] == 401
    token = door.grant(ALL)
    assert (await door.ask("GET", "/dicomweb/research/studies", token))[0] == 200
    door.tokens.clear()
    assert (await door.ask("GET", "/dicomweb/research/studies", token))[0] == 401


async def test_who_is_let_in_is_recorded_once_and_a_stranger_is_not(door: Door) -> None:
    reader, other = door.grant(ALL, "reader"), door.grant(ALL, "other")
    for token in (reader, reader, "", "veil_stranger", other, reader):
        await door.ask("GET", "/dicomweb/research/studies", token)
    admitted = [event for event in door.events if event.type == "admitted"]
    assert [event.peer["caller"] for event in admitted] == ["token:reader", "token:other"]
    assert admitted[0].peer["address"] == "127.0.0.1"
    assert reader not in str(door.events)


async def test_a_project_of_others_is_one_that_is_not_there(door: Door) -> None:
    """Byte for byte, headers too; and both are recorded, so that neither takes longer."""
    for row in RESOURCES:
        token = door.grant({"other": frozenset(Verb)})
        answers, records = [], []
        for project in ("research", "nowhere"):
            for method in (row.method, "OPTIONS"):
                status, body, headers = await door.ask(method, path_of(row, project), token)
                kept = {k: v for k, v in headers.items() if k != "Date"}
                answers.append((method, status, body, kept))
                records += [event.reason for event in door.events if event.type == "denied"]
                door.events.clear()
        assert answers[:2] == answers[2:]
        assert answers[0][1:3] == (404, b'{"status": 404, "error": "no such project"}')
        assert records == ["no-such-project"] * 4


async def test_the_openapi_document_says_which_verb(door: Door, site: Any) -> None:
    _, body, _ = await door.ask(
        "GET", "/dicomweb/research/openapi.json", door.grant({"research": frozenset({Verb.AUDIT})})
    )
    said = json.loads(body)
    assert said["components"]["securitySchemes"] == {"bearer": {"type": "http", "scheme": "bearer"}}
    assert said["paths"]["/studies"]["get"]["security"] == [{"bearer": ["search"]}]
    assert said["paths"]["/studies"]["post"]["security"] == [{"bearer": ["store"]}]
    assert said["paths"]["/openapi.json"]["get"]["security"] == [{"bearer": []}]
    async with site.http.get(f"{site.base}/openapi.json") as response:
        assert "security" not in await response.text()


async def test_a_star_is_every_project(door: Door) -> None:
    token = door.grant({"*": frozenset({Verb.SEARCH})})
    for project in PROJECTS:
        assert (await door.ask("GET", f"/dicomweb/{project}/studies", token))[0] in (200, 204)
        assert (await door.ask("GET", f"/dicomweb/{project}/studies/2.25.1", token))[0] == 403
    assert (await door.ask("GET", "/dicomweb/nowhere/studies", token))[0] == 404


async def test_a_preflight_needs_no_token_and_an_error_can_be_read(site: Any) -> None:
    async with Door(site).open(origins=["https://v.example"]) as door:
        origin = ("Origin", "https://v.example")
        asked = [origin, ("Access-Control-Request-Method", "GET"), ("Access-Control-Request-Headers", "authorization")]
        status, _, headers = await door.ask("OPTIONS", "/dicomweb/research/studies", headers=asked)
        assert (status, "Authorization" in headers["Access-Control-Allow-Headers"]) == (204, True)
        status, _, headers = await door.ask("GET", "/dicomweb/research/studies", headers=[origin])
        assert (status, headers["Access-Control-Allow-Origin"]) == (401, "https://v.example")
