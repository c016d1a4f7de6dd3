"""The operator's socket of a running proxy: ``data_dir/control.sock``, 0600, HTTP over a Unix socket.

Who may open the file may operate the proxy; there is no other door. It carries quarantine entries without PHI,
never the instances. The client half is `proxy.control_client`.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from aiohttp import web

from proxy.control_client import NAME, short_path
from proxy.errors import VeilError
from proxy.operating import Operator
from proxy.service.reidentify_words import Message


class ControlServer:
    """Serves an `Operator` on the socket below ``folder``."""

    def __init__(self, folder: Path, operator: Operator, more: Sequence[web.RouteDef] = ()) -> None:
        self._folder, self._operator, self._more = folder, operator, more
        self._runner: web.AppRunner | None = None
        self._dir = -1

    async def start(self) -> None:
        """Take the socket; one left by a dead process is replaced (the data lock is held, so it is dead)."""
        app = web.Application(middlewares=[_errors])
        app.add_routes(
            [
                web.get("/status", self._get_status),
                web.get("/quarantine", self._get_entries),
                web.post("/quarantine/{id}/replay", self._post_replay),
                web.post("/quarantine/{id}/purge", self._post_purge),
                web.post("/destinations/{name}/retry", self._post_retry),
                web.post("/destinations/{name}/pause", self._post_pause),
                web.post("/destinations/{name}/resume", self._post_resume),
                web.post("/rules/reload", self._post_reload),
                web.get("/reidentify", self._get_reidentifications),
                web.get("/reidentify/{request}", self._get_reidentification),
                web.post("/reidentify/{step}", self._post_reidentify),
                *self._more,
            ]
        )
        (self._folder / NAME).unlink(missing_ok=True)
        self._dir, path = short_path(self._folder)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        before = os.umask(0o177)
        try:
            await web.UnixSite(self._runner, path).start()
        finally:
            os.umask(before)

    async def stop(self) -> None:
        """Close and remove the socket."""
        if self._runner is not None:
            await self._runner.cleanup()
            (self._folder / NAME).unlink(missing_ok=True)
            os.close(self._dir)
            self._runner = None

    async def _get_status(self, request: web.Request) -> web.Response:
        return web.json_response(await self._operator.status())

    async def _get_entries(self, request: web.Request) -> web.Response:
        return web.json_response(await self._operator.entries())

    async def _post_replay(self, request: web.Request) -> web.Response:
        return web.json_response(await self._operator.replay(request.match_info["id"]))

    async def _post_purge(self, request: web.Request) -> web.Response:
        return web.json_response(await self._operator.purge(request.match_info["id"]))

    async def _post_retry(self, request: web.Request) -> web.Response:
        return web.json_response(await self._operator.retry(request.match_info["name"]))

    async def _post_pause(self, request: web.Request) -> web.Response:
        return web.json_response(await self._operator.pause(request.match_info["name"], *await _said(request)))

    async def _post_resume(self, request: web.Request) -> web.Response:
        return web.json_response(await self._operator.resume(request.match_info["name"], *await _said(request)))

    async def _get_reidentifications(self, request: web.Request) -> web.Response:
        return web.json_response(await self._operator.reidentifications())

    async def _get_reidentification(self, request: web.Request) -> web.Response:
        return web.json_response(await self._operator.reidentification(request.match_info["request"]))

    async def _post_reidentify(self, request: web.Request) -> web.Response:
        form = await request.post()
        message = Message(*(str(form.get(name, "")) for name in ("statement", "signature", "attached")))
        return web.json_response(await self._operator.reidentify(request.match_info["step"], message))

    async def _post_reload(self, request: web.Request) -> web.Response:
        return web.json_response(await self._operator.reload())


async def _said(request: web.Request) -> tuple[str, str]:
    form = await request.post()
    return str(form.get("why", "")), str(form.get("ticket", ""))


@web.middleware
async def _errors(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> Any:
    try:
        return await handler(request)
    except KeyError:
        return web.json_response({"error": "no such entry"}, status=404)
    except VeilError as error:
        return web.json_response({"error": str(error)}, status=503)
