"""What every HTTP client of ours has in common: where it may go, as whom, and how its session is made.

Redirects are never followed and no proxy is taken from the environment: requests go where the configuration says, or
nowhere. No cookies.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path

import aiohttp

from proxy.errors import ConfigError

#: What our clients set themselves.
_OURS = frozenset(
    {"content-type", "content-length", "transfer-encoding", "host", "accept", "accept-encoding", "expect"}
)


def checked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """``headers`` of the configuration; `ConfigError` where they are not headers, or are not for it to set."""
    for name, value in headers.items():
        if not name.isascii() or any(c in "\r\n\0" for c in name + value) or name.lower() in _OURS:
            raise ConfigError("headers", "a header has a line break, or a name that may not be set", name[:40])
    return dict(headers)


def open_session(connections: int, tls: ssl.SSLContext | None = None) -> aiohttp.ClientSession:
    """A session with so many connections, kept open between requests. To be made on the event loop.

    ``tls``: whom to trust, and as whom, instead of the authorities that the system trusts and as nobody.
    """
    connector = aiohttp.TCPConnector(limit=connections, ssl=tls if tls is not None else True)
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)


def trusting(authorities: Path) -> ssl.SSLContext:
    """TLS with servers that the certificates in ``authorities`` (PEM) vouch for; `ConfigError` where it has none."""
    try:
        return ssl.create_default_context(cafile=authorities)
    except (OSError, ssl.SSLError):
        raise ConfigError(str(authorities), "no certificates in PEM can be read from it") from None
