"""``/reidentify``: statements of officers over HTTP, for callers who were granted `reidentify`.

Reads the request, writes the answer. What counts is the officer's signature, which is judged, with everything else, in
`proxy.service.reidentify`; the token only says who may come near. Bodies are never logged.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Protocol

from aiohttp import web

from proxy.dicomweb.auth import Access
from proxy.dicomweb.middleware import answer
from proxy.dicomweb.projects import peer
from proxy.dicomweb.reidentify_openapi import DOCUMENT
from proxy.dicomweb.status import Refused
from proxy.service.callers import Verb
from proxy.service.reidentify_events import Whence
from proxy.service.reidentify_words import EXPORTS, STATUS, STEPS, Message
from proxy.service.reidentify_words import Refused as Denied

#: Bytes of a body. A statement has 4096 characters at most; the list of an export a thousand lines of at most 64.
MOST = 262_144


class Officers(Protocol):
    """The use case."""

    async def take(self, step: str, message: Message, whence: Whence) -> Any:
        """`reidentify_words.Refused`, after the record of it."""
        ...

    async def requests(self, projects: frozenset[str] | None) -> list[dict[str, Any]]:
        """How they stand."""
        ...

    async def find(self, request: str, projects: frozenset[str] | None) -> dict[str, Any] | None:
        """One of them."""
        ...


class Reidentification:
    """Requests, approvals and looks."""

    def __init__(self, officers: Officers, access: Access) -> None:
        self._officers, self._access = officers, access

    def add_to(self, app: web.Application) -> None:
        """Add the routes."""
        app.router.add_get("/reidentify", self.requests)
        app.router.add_get("/reidentify/openapi.json", self.described)
        app.router.add_get("/reidentify/{request:[0-9a-f]{32}}", self.one)
        for step in (*STEPS, *EXPORTS):
            app.router.add_post(f"/reidentify/{step}", self._taking(step))

    async def described(self, request: web.Request) -> web.Response:
        """The OpenAPI document."""
        await self._access.where(request, Verb.REIDENTIFY)
        return web.json_response(DOCUMENT)

    async def requests(self, request: web.Request) -> web.Response:
        """How the newest ones stand."""
        visible = await self._access.where(request, Verb.REIDENTIFY)
        return web.json_response(await self._officers.requests(visible))

    async def one(self, request: web.Request) -> web.Response:
        """How one stands."""
        visible = await self._access.where(request, Verb.REIDENTIFY)
        found = await self._officers.find(request.match_info["request"], visible)
        if found is None:
            raise Refused(HTTPStatus.NOT_FOUND, "no-such-request")
        return web.json_response(found)

    def _taking(self, step: str) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def take(request: web.Request) -> web.Response:
            visible = await self._access.where(request, Verb.REIDENTIFY)
            message = await _message(request, ("attached",) if step in EXPORTS else ())
            try:
                return web.json_response(await self._officers.take(step, message, Whence(peer(request), visible)))
            except Denied as denied:
                return answer(STATUS.get(denied.reason, HTTPStatus.CONFLICT), denied.reason)

        return take


async def _message(request: web.Request, more: tuple[str, ...]) -> Message:
    """A body that is none is a statement that is none: the use case refuses and records it."""
    if request.content_type != "application/json":
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "a statement comes as application/json")
    try:
        said = json.loads(await request.clone(client_max_size=MOST).read())
    except (ValueError, RecursionError):
        return Message("", "")
    members = ("statement", "signature", *more)
    if not isinstance(said, dict) or said.keys() != set(members):
        return Message("", "")
    return Message(**said) if all(type(text) is str for text in said.values()) else Message("", "")
