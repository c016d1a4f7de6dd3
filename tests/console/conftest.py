"""A console with four accounts, mounted in a server that asks callers for tokens."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from argon2 import PasswordHasher

from proxy.audit.trail import AuditLog
from proxy.console.application import Console
from proxy.console.door import Door
from proxy.console.frame import Part
from proxy.console.overview import Overview, Running
from proxy.console.visitor import Visits
from proxy.dicomweb.forwarded import Hops, address
from proxy.dicomweb.middleware import errors, fixed_headers
from proxy.dicomweb.projects import Projects
from proxy.errors import AuditUnavailable, Reason
from proxy.service.flow import Key, Window
from proxy.service.passwords import Passwords
from proxy.service.people import Account, Role
from proxy.service.ports import AuditEvent, HeldInstance
from proxy.service.sessions import Sessions
from proxy.service.sign_in import Desk
from proxy.service.verification import Verified

SECRET = "correct horse battery"
START = datetime(2026, 11, 21, tzinfo=UTC)
CHEAP = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
STATUS = {
    "ready": True, "checks": {"audit": True, "workers": True},
    "queue": {"archive": {"waiting": 3, "delivered": 14}, "pacs": {"failed": 15}},
    "destinations": {"archive": {"state": "open", "last_code": ""}, "pacs": {"state": "paused", "last_code": "A700"}},
    "audit_sinks": {"siem": {"state": "sending", "lag_records": 92}},
}  # fmt: skip


def held(project: str, reason: Reason = Reason.BURNED_IN) -> HeldInstance:
    return HeldInstance("id", project, reason, "", datetime.now(UTC), 1, "dimse", "00")


class Place:
    """The console, its accounts, and what it recorded."""

    def __init__(self) -> None:
        self.now, self.full, self.public_url = 0.0, False, None
        self.events: list[AuditEvent] = []
        hashed = Passwords(CHEAP).hashed(SECRET)
        roles = {"viewer": "other", "operator": "research", "officer": "research", "administrator": "*"}
        self.accounts = [Account(role, {where: frozenset({Role(role)})}, hashed) for role, where in roles.items()]
        self.held = [held("research"), held("research"), held("other", Reason.FACE), held("")]
        self.counted = 0
        self.verified: Verified | None = None
        self.counted_in_log = [Key("received", "research", ""), Key("held", "other", "")]
        self.counted_in_log += [Key("delivered", "research", "archive"), Key("delivered", "other", "archive")]
        self.parts: list[Part] = []
        self.door: Callable[[Desk], Door] | None = None
        self.local = True
        self.hops = Hops()

    async def record(self, *events: AuditEvent) -> None:
        if self.full:
            raise AuditUnavailable("full")
        self.events.extend(events)

    async def status(self) -> dict[str, Any]:
        self.counted += 1
        return STATUS

    def flow(self, minutes: int, steps: int) -> Window:
        return Window(START, minutes, {key: (0, *[3] * (steps - 1)) for key in self.counted_in_log}, steps, START)

    async def entries(self) -> list[HeldInstance]:
        return self.held

    def said(self) -> list[tuple[str, str, str]]:
        return [(e.type, e.peer.get("caller", ""), e.reason) for e in self.events if e.type != "user-changed"]

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Person]:
        desk = Desk(lambda: self.accounts, Sessions(60, 600, lambda: self.now), Passwords(CHEAP), self)
        projects = {"research": ["archive"], "other": ["pacs"]}
        running = Running(
            self.status, self.entries, lambda: (653, "ab" * 32), projects, self.flow, lambda: self.verified
        )
        app = web.Application(middlewares=[errors, self.hops.middleware])
        app.on_response_prepare.append(fixed_headers)
        visits = Visits(address, Projects({}, self.public_url).root)
        door = self.door(desk) if self.door else None
        console = Console(desk, visits, [Overview(running), *self.parts], door, self.local)
        app.add_subapp("/console", console.application)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        root = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
                yield Person(root, http)
        finally:
            await runner.cleanup()


class Person:
    """A browser without a screen."""

    def __init__(self, root: str, http: aiohttp.ClientSession) -> None:
        self.root, self.http, self.token = root, http, ""
        self.headers: dict[str, str] = {}

    async def get(self, path: str = "", follow: bool = True) -> tuple[int, str, Any]:
        url = f"{self.root}/console{path}"
        async with self.http.get(url, allow_redirects=follow, headers=self.headers) as response:
            text = await response.text()
            if found := re.search(r'name="token" value="([0-9a-f]{64})"', text):
                self.token = found.group(1)
                text = text.replace(self.token, "token")  # 64 random digits hold any number that a test looks for
            return response.status, text, response.headers

    async def post(self, path: str, origin: str | None = "", **fields: str) -> tuple[int, str, Any]:
        headers = self.headers | ({} if origin is None else {"Origin": origin or self.root})
        data = {"token": self.token} | fields
        url = f"{self.root}/console{path}"
        async with self.http.post(url, data=data, headers=headers, allow_redirects=False) as response:
            return response.status, await response.text(), response.headers

    async def sign_in(self, name: str, password: str = SECRET) -> int:
        await self.get("/sign-in")
        status, _, _ = await self.post("/sign-in", name=name, password=password)
        return status

    def cookies(self) -> dict[str, str]:
        return {cookie.key: cookie.value for cookie in self.http.cookie_jar}


@pytest.fixture
def place() -> Place:
    return Place()


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[AuditLog]:
    """A real one, in ``tmp_path / "log"``."""
    log = AuditLog(tmp_path / "log", "veil")
    await log.open()
    yield log
    await log.close()
