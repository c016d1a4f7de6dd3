"""Cross-origin requests (Fetch standard, CORS) from configured origins; from nobody by default.

A preflight is an OPTIONS with Origin and Access-Control-Request-Method; every other OPTIONS asks for capabilities and
passes. An origin that is not configured gets the same answers without the headers, so that its browser refuses them.
"""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web

from proxy.dicomweb.middleware import Handler

_METHODS = "GET, HEAD, POST, OPTIONS"
#: What a page may send beyond the safelisted headers, and what it may read.
_SENT = "Accept, Accept-Encoding, Authorization, Content-Type, If-None-Match, If-Range, Range"
_READ = "Allow, Content-Encoding, Content-Length, Content-Location, Content-Range, ETag, Retry-After, Warning"
_MAX_AGE = "600"


class Cors:
    """Knows the origins. ``middleware`` answers preflights, ``mark`` puts headers on every answer."""

    def __init__(self, origins: Iterable[str]) -> None:
        self._origins = frozenset(origin.lower() for origin in origins)

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Preflights of configured origins end here."""
        preflight = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        if not (preflight and self._knows(request)):
            return await handler(request)
        allow = {"Access-Control-Allow-Methods": _METHODS, "Access-Control-Allow-Headers": _SENT}
        return web.Response(status=204, headers=allow | {"Access-Control-Max-Age": _MAX_AGE})

    async def mark(self, request: web.Request, response: web.StreamResponse) -> None:
        """Hooked into every answer of the application, after the fixed headers."""
        if not self._origins:
            return
        response.headers["Vary"] = f"{response.headers.get('Vary', 'Accept')}, Origin"
        if self._knows(request):
            response.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
            response.headers["Access-Control-Expose-Headers"] = _READ

    def _knows(self, request: web.Request) -> bool:
        return request.headers.get("Origin", "").lower() in self._origins
