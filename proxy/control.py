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
from proxy.service.destinations import Destinations
from proxy.service.ports import HeldInstance, Peer, Quarantine
from proxy.service.reidentify import Reidentify
from proxy.service.reidentify_words import Message
from proxy.service.replay import Replay

#: who may open the socket
OPERATOR = Peer("cli")


def plain(entry: HeldInstance) -> dict[str, Any]:
    """A quarantine entry as JSON."""
    return {
        "id": entry.id,
        "project": entry.project,
        "reason": str(entry.reason),
        "detail": entry.detail,
        "received": entry.received.isoformat(),
        "size": entry.size,
        "transport": entry.transport,
    }


Status = Callable[[], Awaitable[dict[str, Any]]]


class Operator:
    """What an operator can do with what is held; the same in a running proxy and without one."""

    def __init__(
        self,
        replay: Replay,
        quarantine: Quarantine,
        status: Status,
        destinations: Destinations,
        reload: Callable[[], Awaitable[dict[str, str]]],
        reidentify: Reidentify,
    ) -> None:
        self._replay, self._quarantine, self._status = replay, quarantine, status
        self._destinations, self._reload, self._reidentify = destinations, reload, reidentify

    async def reload(self) -> dict[str, str]:
        """Take the rules and profiles as they are on disk now; project → policy digest."""
        return await self._reload()

    async def reidentifications(self) -> list[dict[str, Any]]:
        """Requests of officers, and how they stand."""
        return await self._reidentify.requests()

    async def reidentification(self, request: str) -> dict[str, Any]:
        """One of them, with all that an approver needs; KeyError for one that there is not."""
        found = await self._reidentify.find(request)
        if found is None:
            raise KeyError(request)
        return found

    async def reidentify(self, step: str, message: Message) -> Any:
        """A signed request, approval or call for the value; KeyError for another step."""
        return await self._reidentify.take(step, message)

    async def status(self) -> dict[str, Any]:
        """Queue and destinations."""
        return await self._status()

    async def retry(self, destination: str) -> dict[str, Any]:
        """Send again what a destination rejected for good."""
        return {"destination": destination, "again": await self._destinations.send_again(destination, OPERATOR)}

    async def pause(self, destination: str, why: str, ticket: str) -> dict[str, Any]:
        """Send nothing more there; ``changed``: it was not paused before. `NotSaid`."""
        changed = await self._destinations.pause(destination, why, ticket, OPERATOR)
        return {"destination": destination, "changed": changed}

    async def resume(self, destination: str, why: str, ticket: str) -> dict[str, Any]:
        """Go on; ``changed``: it was paused. `NotSaid`."""
        changed = await self._destinations.resume(destination, why, ticket, OPERATOR)
        return {"destination": destination, "changed": changed}

    async def entries(self) -> list[dict[str, Any]]:
        """All entries, oldest first."""
        found = await self._quarantine.list()
        return [plain(e) for e in sorted(found, key=lambda e: (e.received, e.id))]

    async def replay(self, entry_id: str) -> dict[str, Any]:
        """Judge an entry again: released and on its way, or still held."""
        outcome = await self._replay.replay(entry_id)
        return {"id": entry_id, "released": outcome.stored, "reason": str(outcome.reason or "")}

    async def purge(self, entry_id: str) -> dict[str, Any]:
        """Destroy a held original for good."""
        return plain(await self._replay.purge(entry_id))


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
