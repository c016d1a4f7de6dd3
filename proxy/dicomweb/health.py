"""``/livez``: the event loop answers. ``/readyz``: new instances can be taken. Neither is audited."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

Readiness = Callable[[], Awaitable[dict[str, Any]]]


class Health:
    """Two routes for whoever starts, stops and balances. ``readiness`` answers with a ``ready`` key."""

    def __init__(self, readiness: Readiness) -> None:
        self._readiness = readiness

    def add_to(self, app: web.Application) -> None:
        """Add the routes."""
        app.router.add_get("/livez", self._live)
        app.router.add_get("/readyz", self._ready)

    async def _live(self, request: web.Request) -> web.Response:
        return web.json_response({"live": True})

    async def _ready(self, request: web.Request) -> web.Response:
        state = await self._readiness()
        return web.json_response(state, status=200 if state.get("ready") is True else 503)
