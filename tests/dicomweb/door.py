"""A server that asks who calls, over the archive of a test's site."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from proxy.dicomweb.auth import Access
from proxy.dicomweb.forwarded import Hops
from proxy.dicomweb.server import DicomwebServer
from proxy.service.callers import StoredToken, Verb
from proxy.service.rate import Rates
from proxy.service.retrieve import Retrieve
from proxy.service.search import Search
from proxy.service.static_tokens import StaticCallers, digest_of, new_token

PROJECTS = {"research": "research", "other": "other"}
ALL = {"research": frozenset(Verb)}


class Door:
    """A server that asks who calls, over the archive of ``site``."""

    def __init__(self, site: Any) -> None:
        self.site = site
        self.tokens: list[StoredToken] = []
        self.now = 1000.0
        self.events = site.audit.events

    def grant(self, grants: dict[str, frozenset[Verb]], name: str = "", expires: float | None = None) -> str:
        token = new_token()
        self.tokens.append(StoredToken(name or f"n{len(self.tokens)}", digest_of(token), grants, expires))
        return token

    def read(self) -> list[StoredToken]:
        return self.tokens

    @asynccontextmanager
    async def open(self, rates: Rates | None = None, hops: Hops | None = None, **more: Any) -> AsyncIterator[Door]:
        site = self.site

        async def ready() -> dict[str, Any]:
            return {"ready": True}

        access = Access([StaticCallers(lambda: self.read(), site.audit, lambda: self.now)], site.audit, PROJECTS, rates)
        server = DicomwebServer(
            "127.0.0.1", 0, None, PROJECTS, site.ingest, Search(site.archive, site.audit),
            Retrieve(site.archive, site.audit), site.audit, ready, 1 << 20, 1 << 24, access=access, hops=hops, **more,
        )  # fmt: skip
        await server.start()
        self.server = server
        self.root = f"http://127.0.0.1:{server.port}"
        yield self
        await server.stop(1.0)

    async def ask(
        self, method: str, path: str, token: str = "", headers: Any = (), **more: Any
    ) -> tuple[int, bytes, Any]:
        bearer = [("Authorization", f"Bearer {token}")] if token else []
        async with self.site.http.request(method, self.root + path, headers=[*bearer, *headers], **more) as response:
            return response.status, await response.read(), response.headers
