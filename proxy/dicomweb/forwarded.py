"""What reverse proxies say of a request (X-Forwarded-For, -Proto, -Host, -Prefix), believed from trusted hops only.

From anybody else these headers are what a client typed, and are not read. Of several values the last counts: it is the
one that the nearest hop has written. What is no address, scheme, host or path is not believed from anybody. So with the
client certificate that a hop has verified, where one is configured to hand it on. Of a client that is no hop it is that
of its own connection, which TLS has verified.
"""

from __future__ import annotations

import base64
import hashlib
import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import unquote

from aiohttp import web

from proxy.dicomweb.middleware import Handler

Network = IPv4Network | IPv6Network
_HOST = re.compile(r"([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
#: Some proxies say the port of the client, too: 192.0.2.1:4711, [2001:db8::1]:4711
_PORT = re.compile(r"^(?:([0-9.]+)|\[([0-9A-Fa-f:.]+)\])(?::[0-9]{1,5})?$")
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)*/?")


@dataclass(frozen=True, slots=True)
class Forwarded:
    """What was believed; "" where nothing was said."""

    address: str
    scheme: str = ""
    host: str = ""
    prefix: str = ""
    certificate: str = ""  # SHA-256 of its DER, in hexadecimal


_KEY = web.RequestKey("_KEY", Forwarded)


class Hops:
    """Knows the networks of our reverse proxies; by default there are none."""

    def __init__(self, trusted: Sequence[Network] = (), certificate: str | None = None) -> None:
        """``certificate``: the header in which they hand on the client certificate that they have verified."""
        self._trusted, self._certificate = tuple(trusted), certificate

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Notes in the request what is believed of it."""
        request[_KEY] = self.read(request)
        return await handler(request)

    def read(self, request: web.Request) -> Forwarded:
        """The client behind the hops that are trusted, and what it called us."""
        nearest = request.remote or ""
        if not self._is_trusted(_parsed(nearest)):
            return Forwarded(nearest, certificate=_shown(request))
        scheme = _last(request, "X-Forwarded-Proto").lower()
        host, prefix = _last(request, "X-Forwarded-Host"), _last(request, "X-Forwarded-Prefix")
        return Forwarded(
            self._client(request, nearest),
            scheme if scheme in ("http", "https") else "",
            host if _HOST.fullmatch(host) else "",
            prefix.rstrip("/") if _PREFIX.fullmatch(prefix) else "",
            fingerprint(request.headers.getall(self._certificate, [])) if self._certificate else "",
        )

    def _client(self, request: web.Request, nearest: str) -> str:
        """From the nearest hop outwards: the first address that is none of ours, or the last that can be read."""
        found = nearest
        said = ",".join(request.headers.getall("X-Forwarded-For", []))
        for text in reversed(said.split(",")):
            parsed = _parsed(_PORT.sub(r"\1\2", text.strip()))
            if parsed is None:
                break
            found = str(parsed)
            if not self._is_trusted(parsed):
                break
        return found

    def _is_trusted(self, client: IPv4Address | IPv6Address | None) -> bool:
        return client is not None and any(client in network for network in self._trusted)


def forwarded(request: web.Request) -> Forwarded:
    """What was believed of ``request``."""
    return request.get(_KEY) or Forwarded(request.remote or "")


def address(request: web.Request) -> str:
    """The address of the client, as far as it is known."""
    return forwarded(request).address


def fingerprint(values: Sequence[str]) -> str:
    """SHA-256 of a certificate as hops hand it on: ``:base64 of the DER:`` (RFC 9440), or a PEM in percent-encoding.

    "" where it is neither, or where there are several: then one of them is a client's own.
    """
    if len(values) != 1:
        return ""
    try:
        if values[0].startswith(":"):
            der = base64.b64decode(values[0].strip(":"), validate=True)
        else:
            der = ssl.PEM_cert_to_DER_cert(unquote(values[0]))
    except ValueError:
        return ""
    return hashlib.sha256(der).hexdigest() if der else ""


def _shown(request: web.Request) -> str:
    connection = request.transport.get_extra_info("ssl_object") if request.transport is not None else None
    shown = connection.getpeercert(binary_form=True) if isinstance(connection, ssl.SSLObject) else None
    return hashlib.sha256(shown).hexdigest() if shown else ""


def _last(request: web.Request, name: str) -> str:
    return ",".join(request.headers.getall(name, [])).rpartition(",")[2].strip()


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(text if "%" not in text else "")
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return mapped or parsed
