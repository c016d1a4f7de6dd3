"""Connections on which nothing is asked: so many may stand, then who has been silent for longest is hung up on.

With TLS each costs 300 KiB, also one whose owner never asked for anything and is nobody. A client that keeps one open
opens another when it needs it. Connections with a request under way are not touched.
"""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from proxy.dicomweb.middleware import Handler

MOST = 256


class Idle:
    """Knows which connections of a server have asked, and when last."""

    def __init__(self) -> None:
        self._asking: set[RequestHandler] = set()
        self._asked: dict[RequestHandler, None] = {}  # in the order of their last answers

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Notes when a request begins and when it has ended."""
        connection = request.protocol
        self._asking.add(connection)
        self._asked.pop(connection, None)
        try:
            return await handler(request)
        finally:
            self._asking.discard(connection)
            self._asked[connection] = None

    def make_room(self, connections: Sequence[RequestHandler]) -> None:
        """Of all ``connections``, oldest first, let at most `MOST` be idle; those that never asked go first."""
        if len(connections) <= MOST:
            return
        open_now = set(connections)
        self._asked = {each: None for each in self._asked if each in open_now}
        never = [each for each in connections if each not in self._asking and each not in self._asked]
        idle = [*never, *self._asked]
        for connection in idle[: max(0, len(idle) - MOST)]:
            if connection.transport is not None:
                connection.transport.abort()
