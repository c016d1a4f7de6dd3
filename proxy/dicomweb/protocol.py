"""Answers to what is not even HTTP: aiohttp's own would show the bytes it could not read, its version, and log both."""

from __future__ import annotations

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from proxy.dicomweb.middleware import answer, fix_headers


class QuietProtocol(RequestHandler):
    """One connection. No state of its own, so that a connection made by aiohttp can become one."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """A status and no more. What the middleware has answered never comes here."""
        if request.writer.output_size > 0:  # too late for another answer: the connection is broken off
            raise ConnectionError
        response = answer(status, "the request cannot be read" if status < 500 else "internal error")
        fix_headers(response)
        response.force_close()
        return response
