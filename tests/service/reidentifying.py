"""A project with an identity drawer, three officers, a stranger, and what they say: here, or over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from proxy.deid.types import Original, Report
from proxy.dicomweb.auth import Access
from proxy.dicomweb.middleware import errors
from proxy.dicomweb.reidentify import Reidentification
from proxy.errors import AuditUnavailable
from proxy.service.callers import StoredToken, Verb
from proxy.service.identifying import Drawer, Identifying
from proxy.service.ports import AuditEvent, AuditTrail
from proxy.service.rate import Rates
from proxy.service.reidentify import Reidentify
from proxy.service.reidentify_subjects import MANY
from proxy.service.reidentify_words import (
    APPROVE,
    APPROVE_EXPORT,
    EXPORT,
    EXPORTS,
    REQUEST,
    REVEAL,
    Message,
    Refused,
    digest,
    sealed_for,
    written,
)
from proxy.service.static_tokens import StaticCallers, digest_of, new_token
from proxy.store.crosswalk import Key, bound
from proxy.store.database import Database
from proxy.store.identities import Identities, entry_of
from proxy.store.officers import opened, sign
from proxy.store.reidentifications import Reidentifications
from tests.security_officers import Person, person
from tests.service import trail

ANNA, BEN, CLEO, MALLORY = (person(name) for name in ("anna", "ben", "cleo", "mallory"))
P1 = "YNWP0844VBQ198DA8"
PLANTED = "ZQXIDENT1"


class Trail(trail.Trail):
    def told(self) -> list[tuple[str, str]]:
        return [(event.type.removeprefix("reidentification-"), event.reason) for event in self.events]


class Site:
    def __init__(
        self,
        database: Database,
        drawers: dict[str, Drawer] | None = None,
        audit: AuditTrail | None = None,
        keep_days: int | None = None,
    ) -> None:
        officers = {each.officer.name: each.officer for each in (ANNA, BEN, CLEO)}
        self.trail, self.now = Trail(), 1_000_000.0
        self.identities, self.requests = Identities(database), Reidentifications(database)
        drawers = drawers or {"research": Drawer(officers, per_day=3, most_hours=24)}
        often = Rates(1, 1000)  # the rate has a test of its own
        known, clock = (self.identities, self.requests, audit or self.trail, drawers), lambda: self.now
        self.service: Any = Reidentify(*known, clock, often, keep_days)
        self.identifying = Identifying(self.identities, drawers)
        self.nonce = 0

    async def fill(self) -> None:
        for n, pseudonym in enumerate((P1, "P2")):
            report = Report("1", "2", "CT", pseudonym, "3", "4", "5", "", "d", 1)
            original = Original("1", "2", "3", "4", "Hospital", f"{PLANTED}-{n}")
            await self.identifying.remember("research", report, original)

    def message(self, who: Person, action: str, key: Person | None = None, **members: Any) -> Message:
        common = {"project": "research", "by": who.officer.name, "at": int(self.now)}
        statement = written(action, **common | members)
        return Message(statement, sign((key or who).private, statement))

    def asking(self, who: Person = ANNA, **members: Any) -> Message:
        self.nonce += 1
        said = {"pseudonyms": [P1], "purpose": "safety", "ticket": "INC-17", "hours": 4, "nonce": f"{self.nonce:032x}"}
        return self.message(who, REQUEST, **said | members)

    async def take(self, step: str, message: Message) -> Any:
        return await self.service.take(step, message)

    def exporting(self, names: tuple[str, ...] = ("P2", P1), **members: Any) -> Message:
        """Anna asks for a list."""
        self.nonce += 1
        attached = "".join(f"{name}\n" for name in names)
        said = {"list": digest(attached), "patients": len(names), "purpose": "safety", "ticket": "INC-17", "hours": 4}
        message = self.message(ANNA, EXPORT, **said | {"nonce": f"{self.nonce:032x}"} | members)
        return replace(message, attached=attached)

    async def approving_export(self, request: str, who: Person = BEN, **members: Any) -> Message:
        found = await self.identities.get("research", "P2"), await self.identities.get("research", P1)
        entries = [entry for entry in found if entry is not None]
        shares = b""
        for entry in entries:
            x, sealed = entry.shares[who.officer.key_id]
            shares += bytes([x]) + opened(who.private, bytes.fromhex(sealed), bound(entry.key))
        attached = ANNA.officer.seal(shares, sealed_for(request, ANNA.officer.key_id)).hex()
        said = {"request": request, "entries": MANY.digest(entries, ANNA.officer.key_id), "shares": digest(attached)}
        return replace(self.message(who, APPROVE_EXPORT, **said | members), attached=attached)

    async def ask(self, who: Person = ANNA) -> str:
        return str(await self.take(REQUEST, self.asking(who)))

    async def approving(self, request: str, who: Person = BEN, to: Person = ANNA, **members: Any) -> Message:
        entry = await self.identities.get("research", P1)
        assert entry is not None
        x, sealed = entry.shares[who.officer.key_id]
        share = opened(who.private, bytes.fromhex(sealed), bound(entry.key))
        anew = to.officer.seal(share, sealed_for(request, to.officer.key_id)).hex()
        said = {"request": request, "entry": entry.digest, "share": [x, anew]}
        return self.message(who, APPROVE, **said | members)

    async def approve(self, request: str, who: Person = BEN) -> None:
        await self.take(APPROVE, await self.approving(request, who))

    async def reveal(self, request: str, who: Person = ANNA) -> tuple[str, str]:
        told = await self.take(REVEAL, self.message(who, REVEAL, request=request))
        return value(told, request, who)

    async def refused(self, act: Any, reason: str) -> AuditEvent:
        """``act`` is refused for ``reason``, and just that is recorded."""
        before = len(self.trail.events)
        with pytest.raises(Refused) as error:
            await act
        assert error.value.reason == reason
        (event,) = self.trail.events[before:]
        assert (event.type, event.outcome, event.reason) == ("reidentification-refused", "failure", reason)
        return event


def value(told: dict[str, Any], request: str, who: Person) -> tuple[str, str]:
    """What the requester's machine makes of the answer."""
    key = Key("research", told["entry"]["key_epoch"], "patient", P1)
    entry = entry_of(key, told["entry"])
    mine, sealed = entry.shares[who.officer.key_id]
    theirs, anew = told["share"]
    return entry.opened(
        {
            mine: opened(who.private, bytes.fromhex(sealed), bound(key)),
            theirs: opened(who.private, bytes.fromhex(anew), sealed_for(request, who.officer.key_id)),
        }
    )


def officer_in(event: AuditEvent) -> str:
    """Whose signature was good."""
    named = event.behalf.get("caller", "") or event.peer.get("caller", "")
    return named.removeprefix("officer:") if named.startswith("officer:") else ""


class Remote:
    """`Reidentify` as who has a token sees it."""

    def __init__(self, root: str, token: str, http: aiohttp.ClientSession) -> None:
        self.root, self.token, self.http = root, token, http

    async def ask(self, method: str, path: str, **more: Any) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self.http.request(method, self.root + path, headers=headers, **more) as response:
            return response.status, await response.json()

    async def take(self, step: str, message: Message) -> Any:
        said = {"statement": message.statement, "signature": message.signature}
        said |= {"attached": message.attached} if step in EXPORTS else {}
        status, told = await self.ask("POST", f"/reidentify/{step}", json=said)
        if status == 503:
            raise AuditUnavailable(told["error"])
        if status >= 400:
            raise Refused(told["error"])
        return told

    async def requests(self) -> Any:
        return (await self.ask("GET", "/reidentify"))[1]

    async def find(self, request: str) -> Any:
        return (await self.ask("GET", f"/reidentify/{request}"))[1]


@asynccontextmanager
async def over_http(site: Site, grants: dict[str, frozenset[Verb]] | None = None) -> AsyncIterator[Remote]:
    """A server with nothing but `Reidentification` before ``site``, and a caller with ``grants``."""
    token, granted = new_token(), {"research": frozenset({Verb.REIDENTIFY})} if grants is None else grants
    stored = [StoredToken("tool", digest_of(token), granted)]
    access = Access([StaticCallers(lambda: stored, site.trail)], site.trail, {"research": "research"})
    app = web.Application(middlewares=[errors, access.middleware])
    Reidentification(site.service, access).add_to(app)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with aiohttp.ClientSession() as http:
            remote = Remote(f"http://127.0.0.1:{runner.addresses[0][1]}", token, http)
            await remote.requests()  # with the first token there is a record of the tokens
            site.trail.events.clear()
            yield remote
    finally:
        await runner.cleanup()


@asynccontextmanager
async def both_ways(database: Database, way: str) -> AsyncIterator[Site]:
    """A filled site whose officers speak ``here`` or ``over HTTP``."""
    made = Site(database)
    await made.fill()
    if way == "here":
        yield made
        return
    async with over_http(made) as made.service:
        yield made
