"""Server-Sent Events (HTML standard, 9.2) to one reader, who gets so many seconds to take what it was sent."""

from __future__ import annotations

import asyncio

from aiohttp import web

from proxy.service.audit_showing import TooSlow

MEDIA = "text/event-stream"
#: milliseconds after which a client that was cut off comes back
_RETRY = 3000


class Events:
    """An answer that goes on. Each method may raise `TooSlow`, but for `end`."""

    def __init__(self, request: web.Request, patience: float) -> None:
        """``patience``: seconds."""
        self._request, self._patience = request, patience
        # a reverse proxy that collects answers (nginx) would hold events back
        self.response = web.StreamResponse(headers={"Content-Type": MEDIA, "X-Accel-Buffering": "no"})

    async def begin(self, after: int) -> None:
        """Head, and where a reader that is cut off before the first event goes on."""
        await self.response.prepare(self._request)
        await self._write(b"retry: %d\nid: %d\n\n" % (_RETRY, after))

    async def send(self, number: int, line: bytes) -> None:
        """One event, of one line."""
        await self._write(b"id: %d\ndata: %s\n\n" % (number, line))

    async def beat(self, number: int) -> None:
        """A sign of life. The reader goes on behind ``number``, though it was shown nothing."""
        await self._write(b": still here\nid: %d\n\n" % number)

    async def end(self, name: str, line: bytes) -> None:
        """A last event of the given ``name``; who does not take that either is hung up on."""
        try:
            await self._write(b"event: %s\ndata: %s\n\n" % (name.encode("ascii"), line))
            async with asyncio.timeout(self._patience):
                await self.response.write_eof()
        except (TooSlow, TimeoutError):
            if self._request.transport is not None:
                self._request.transport.abort()
            raise ConnectionAbortedError from None

    async def _write(self, data: bytes) -> None:
        """What has timed out is with the transport already: bytes that follow do not tear it apart."""
        try:
            async with asyncio.timeout(self._patience):
                await self.response.write(data)
        except TimeoutError:
            raise TooSlow from None
