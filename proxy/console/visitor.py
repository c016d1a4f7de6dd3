"""What a request tells of who is there: address, the public URL that it came by, cookies, and forms of its own.

A form counts only with a token that is bound to its cookie and with an Origin that is ours. Tokens and cookies are not
logged, recorded or put into a URL.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal
from urllib.parse import urlsplit

from aiohttp import BodyPartReader, web

from proxy.console.refusal import Refusal
from proxy.service.ports import Peer

PLACE = "/console"
_ID = re.compile(r"[A-Za-z0-9_-]{43}")
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Visits:
    """How requests are read: ``address`` of the client, ``root``: the URL above all of ours, as clients see it."""

    address: Callable[[web.Request], str]
    root: Callable[[web.Request], str]

    def peer(self, request: web.Request) -> Peer:
        """For the audit trail."""
        return Peer("console", self.address(request))

    def at(self, request: web.Request) -> str:
        """The path of the console in public URLs, without a slash at the end."""
        return urlsplit(self.root(request)).path.rstrip("/") + PLACE

    def encrypted(self, request: web.Request) -> bool:
        """Whether the browser speaks TLS, to us or to a reverse proxy of ours."""
        return self.root(request).startswith("https:")

    def same_origin(self, request: web.Request) -> bool:
        """Whether a page of ours asks. A browser says so with every form (Origin, RFC 6454 7.3)."""
        said = request.headers.getall("Origin", [])
        return len(said) == 1 and _origin(said[0]) == _origin(self.root(request)) is not None


class Cookie:
    """A cookie of 256 random bits that scripts cannot read and other sites' requests do not carry.

    ``crossing`` ``Lax``: they do where they lead the browser here, with GET (RFC 6265bis 8.8.2).
    """

    def __init__(self, name: str, visits: Visits, crossing: Literal["Strict", "Lax"] = "Strict") -> None:
        self._name, self._visits, self._crossing = name, visits, crossing

    def read(self, request: web.Request) -> str:
        """Its value; "" where there is none, or none of ours."""
        value = request.cookies.get(self._full_name(request), "")
        return value if _ID.fullmatch(value) else ""

    def set(self, request: web.Request, response: web.StreamResponse, value: str) -> None:
        """Until the browser ends. Over TLS the name makes sure that no other host has set it (RFC 6265bis __Host-)."""
        secure = self._visits.encrypted(request)
        response.set_cookie(
            self._full_name(request), value, path="/", httponly=True, samesite=self._crossing, secure=secure or None
        )

    def drop(self, request: web.Request, response: web.StreamResponse) -> None:
        """Have the browser forget it."""
        secure = self._visits.encrypted(request)
        response.del_cookie(
            self._full_name(request), path="/", httponly=True, samesite=self._crossing, secure=secure or None
        )

    def _full_name(self, request: web.Request) -> str:
        return ("__Host-" if self._visits.encrypted(request) else "") + self._name


class Forms:
    """Makes the tokens of forms and asks for them. The key lives as long as the process."""

    def __init__(self, visits: Visits) -> None:
        self._visits, self._key = visits, secrets.token_bytes(32)

    def token(self, cookie: str) -> str:
        """For forms of a page that is shown to the holder of ``cookie``."""
        return hmac.new(self._key, cookie.encode(), hashlib.sha256).hexdigest()

    async def read(
        self, request: web.Request, cookie: str, most: int, files: bool = False
    ) -> tuple[dict[str, str], dict[str, bytes]]:
        """Fields and files of a form of up to ``most`` bytes. `Refusal` (403): token or origin is not ours.

        Files are kept in memory: they may be somebody's images.
        """
        if not self._visits.same_origin(request):
            raise Refusal(HTTPStatus.FORBIDDEN, "foreign-origin", "This form was not sent by a page of this console.")
        if request.content_type != ("multipart/form-data" if files else "application/x-www-form-urlencoded"):
            raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "no-form", "This is no form.")
        try:
            fields, brought = await self._uploaded(request, most) if files else (await self._sent(request, most), {})
        except (ValueError, LookupError):  # not UTF-8, a charset that nobody has, or no parts
            raise Refusal(HTTPStatus.BAD_REQUEST, "no-form", "The form cannot be read.") from None
        said = fields.pop("token", "").encode("utf-8", "surrogatepass")
        if not cookie or not hmac.compare_digest(said, self.token(cookie).encode()):
            raise Refusal(
                HTTPStatus.FORBIDDEN, "form-token", "The form is too old. Go back, reload the page, try again."
            )
        return fields, brought

    async def _sent(self, request: web.Request, most: int) -> dict[str, str]:
        form = await request.clone(client_max_size=most).post()
        return {name: value for name, value in form.items() if isinstance(value, str)}

    async def _uploaded(self, request: web.Request, most: int) -> tuple[dict[str, str], dict[str, bytes]]:
        fields: dict[str, str] = {}
        files: dict[str, bytes] = {}
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader) or not part.name:
                raise ValueError("a part that no form of ours has")
            value = bytearray()
            while chunk := await part.read_chunk(1 << 16):
                most -= len(chunk)
                if most < 0:
                    raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "", "The file is too large.")
                value += chunk
            if part.filename is None:
                fields[part.name] = value.decode()
            else:
                files[part.name] = bytes(value)
        return fields, files


def new_cookie() -> str:
    """A value that nobody has."""
    return secrets.token_urlsafe(32)


def _origin(url: str) -> tuple[str, str, int] | None:
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        return None
    return (parts.scheme, parts.hostname, port) if parts.hostname and port else None
