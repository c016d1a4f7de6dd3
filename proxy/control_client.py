"""The client half of the operator's socket: how verbs reach a running proxy. See `proxy.control`.

Light on purpose: a verb that only asks a running proxy must not wait for the engine to be imported.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
from multidict import MultiMapping

from proxy.errors import Unavailable
from proxy.service.reidentify_words import Message

NAME = "control.sock"


def short_path(folder: Path) -> tuple[int, str]:
    """A descriptor of ``folder``, to be closed, and a path of the socket through it."""
    # sun_path holds 108 bytes; a descriptor of the folder makes any path short
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    return descriptor, f"/proc/self/fd/{descriptor}/{NAME}"


class ControlClient:
    """A running proxy seen from a verb; the methods are those of `Operator`."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def status(self) -> Any:
        """Queue and destinations."""
        return await self._call("GET", "/status")

    async def entries(self) -> Any:
        """See `Operator.entries`."""
        return await self._call("GET", "/quarantine")

    async def replay(self, entry_id: str) -> Any:
        """See `Operator.replay`."""
        return await self._call("POST", f"/quarantine/{entry_id}/replay")

    async def purge(self, entry_id: str) -> Any:
        """See `Operator.purge`."""
        return await self._call("POST", f"/quarantine/{entry_id}/purge")

    async def retry(self, destination: str) -> Any:
        """See `Operator.retry`."""
        return await self._call("POST", f"/destinations/{destination}/retry")

    async def pause(self, destination: str, why: str, ticket: str) -> Any:
        """See `Operator.pause`."""
        return await self._call("POST", f"/destinations/{destination}/pause", {"why": why, "ticket": ticket})

    async def resume(self, destination: str, why: str, ticket: str) -> Any:
        """See `Operator.resume`."""
        return await self._call("POST", f"/destinations/{destination}/resume", {"why": why, "ticket": ticket})

    async def reload(self) -> Any:
        """See `Operator.reload`."""
        return await self._call("POST", "/rules/reload")

    async def reidentifications(self) -> Any:
        """See `Operator.reidentifications`."""
        return await self._call("GET", "/reidentify")

    async def reidentification(self, request: str) -> Any:
        """See `Operator.reidentification`."""
        return await self._call("GET", f"/reidentify/{quote(request, safe='')}")

    async def reidentify(self, step: str, message: Message) -> Any:
        """See `Operator.reidentify`."""
        form = {"statement": message.statement, "signature": message.signature, "attached": message.attached}
        return await self._call("POST", f"/reidentify/{step}", form)

    @asynccontextmanager
    async def export(self, query: MultiMapping[str], form: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """A bundle of audit records, as it comes; ``query`` as of ``GET /audit/events``."""
        forever = aiohttp.ClientTimeout(total=None)
        async with self._session.post(
            "http://veil/audit/export", params=[*query.items(), ("format", form)], timeout=forever
        ) as answer:
            if answer.status != 200:
                raise Unavailable(str((await answer.json()).get("error", answer.status)))
            yield answer.content.iter_any()

    async def _call(self, verb: str, path: str, form: dict[str, str] | None = None) -> Any:
        async with self._session.request(verb, "http://veil" + path, data=form) as answer:
            body = await answer.json()
            if answer.status == 404:
                raise KeyError(path)
            if answer.status != 200:
                raise Unavailable(str(body.get("error", answer.status)))
            return body


@asynccontextmanager
async def connect(folder: Path) -> AsyncIterator[ControlClient | None]:
    """A client of the proxy that runs on ``folder``; None when none runs."""
    if not (folder / NAME).exists():
        yield None
        return
    descriptor, path = short_path(folder)
    try:
        async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(path)) as session:
            client = ControlClient(session)
            alive = False
            with contextlib.suppress(aiohttp.ClientConnectionError):
                await client.status()
                alive = True
            yield client if alive else None
    finally:
        os.close(descriptor)
