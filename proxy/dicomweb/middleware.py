"""What every request passes through: counting (so that a stop can wait), errors to answers, fixed headers.

The only broad `except` of this room is here: what nobody foresaw becomes a 500 with an id, and a log line with that id,
the kind of exception and where it was raised. Never its text: that may hold a value.
"""

from __future__ import annotations

import asyncio
import secrets
import traceback
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import web

from proxy.dicomweb.status import RETRY_AFTER, Refused, refusal
from proxy.logs import get_logger

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class InFlight:
    """Counts requests; once `draining`, new ones are told to come back later."""

    def __init__(self) -> None:
        self._count = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.draining = False

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Outermost: nothing runs uncounted."""
        if self.draining:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "stopping", RETRY_AFTER | {"Connection": "close"})
        self._count += 1
        self._idle.clear()
        try:
            return await handler(request)
        finally:
            self._count -= 1
            if not self._count:
                self._idle.set()

    async def drained(self, grace: float) -> bool:
        """Wait until nothing is under way; False when ``grace`` seconds were not enough."""
        self.draining = True
        try:
            async with asyncio.timeout(grace):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True


class Deadline:
    """Ends what takes longer than ``seconds``: a 503, or, where the answer has begun, a broken connection."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """For the whole request, body and answer."""
        try:
            async with asyncio.timeout(self._seconds) as whole:
                return await handler(request)
        except TimeoutError:
            if not whole.expired():
                raise
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "the request took too long", RETRY_AFTER) from None


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every exception becomes an answer, or, where the answer has begun, a broken connection."""
    try:
        return await handler(request)
    except web.HTTPException as error:  # the router's 404 and 405
        allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        return answer(HTTPStatus(error.status), HTTPStatus(error.status).phrase.lower(), allow)
    except ConnectionError:  # the client has gone; there is nobody to answer
        raise
    except Exception as error:  # noqa: BLE001 - the one place where the unforeseen becomes an outcome
        known = refusal(error)
        response = answer(known.status, known.detail, known.headers) if known else _unforeseen(error)
        if request.writer.output_size > 0:  # too late for a status: the transport is broken off by who wrote
            raise ConnectionAbortedError from None
        return response


def _unforeseen(error: Exception) -> web.Response:
    number = secrets.token_hex(8)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    get_logger("dicomweb").error("unforeseen-error", code=number, error=error, where=f"{frame.name}:{frame.lineno}")
    return answer(HTTPStatus.INTERNAL_SERVER_ERROR, f"internal error {number}")


def answer(status: int, detail: str, headers: dict[str, str] | None = None) -> web.Response:
    """A small JSON body that says what went wrong."""
    return web.json_response({"status": int(status), "error": detail}, status=int(status), headers=headers or {})


async def fixed_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Hooked into every answer of the application."""
    fix_headers(response)


def fix_headers(response: web.StreamResponse) -> None:
    """On every answer: no product version, no caching of pseudonymous data outside the client (PS3.18 8.4)."""
    response.headers["Server"] = "Veil"
    response.headers.setdefault("Cache-Control", "private, no-store")
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers.setdefault("Vary", "Accept, Accept-Encoding, Authorization")
