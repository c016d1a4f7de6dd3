"""The public keys of an OpenID provider: fetched, kept for a while, asked for again when a token names another one.

What cannot be fetched lets nobody in. However many unknown keys are named, the provider is asked once in a while.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp

from proxy.dicomweb.outgoing import open_session
from proxy.logs import get_logger
from proxy.service.callers import CannotJudge, Unknown
from proxy.service.oidc import SigningKey, read_keys

#: At most one attempt in so many seconds.
_AGAIN = 30.0
_TIMEOUT = 5.0
_MOST_BYTES = 1 << 20
Fetch = Callable[[], Awaitable[bytes]]


class Jwks:
    """Keys that ``fetch`` gives, good for ``lifetime`` seconds; renewed from half of that on."""

    def __init__(self, fetch: Fetch, lifetime: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch, self._lifetime, self._clock = fetch, lifetime, clock
        self._keys: tuple[SigningKey, ...] = ()
        self._fetched = self._tried = -float("inf")
        self._failed = False
        self._lock = asyncio.Lock()

    async def key(self, kid: str | None) -> SigningKey:
        """See `proxy.service.oidc.Keys.key`."""
        found = self._find(kid)
        if found is not None and self._age < self._lifetime / 2:
            return found
        async with self._lock:
            if (self._find(kid) is None or self._age >= self._lifetime / 2) and self._clock() - self._tried >= _AGAIN:
                await self._refresh()
        found = self._find(kid)
        if self._age >= self._lifetime or (found is None and self._failed):
            raise CannotJudge("the keys of the OpenID provider cannot be had")
        if found is None:
            raise Unknown("unknown-key")
        return found

    @property
    def _age(self) -> float:
        return self._clock() - self._fetched

    def _find(self, kid: str | None) -> SigningKey | None:
        if kid is None:
            return self._keys[0] if len(self._keys) == 1 else None
        return next((key for key in self._keys if key.kid == kid), None)

    async def _refresh(self) -> None:
        self._tried = self._clock()
        try:
            self._keys = read_keys(await self._fetch())
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            self._failed = True
            get_logger("dicomweb").error("provider-keys-unavailable", error=error)
            return
        self._failed, self._fetched = False, self._clock()


def from_url(url: str, tls: ssl.SSLContext | None = None) -> Fetch:
    """Fetches ``url``: no redirects, bounded in time and size."""

    async def fetch() -> bytes:
        async with (
            asyncio.timeout(_TIMEOUT),
            open_session(1, tls) as session,
            session.get(url, allow_redirects=False, headers={"Accept": "application/json"}) as response,
        ):
            if response.status != 200:
                raise ValueError("another status than 200")
            return await bounded(response)

    return fetch


async def bounded(response: aiohttp.ClientResponse) -> bytes:
    """The body of ``response``; ValueError for more than a provider has to say."""
    body = b""
    async for chunk in response.content.iter_chunked(1 << 16):
        body += chunk
        if len(body) > _MOST_BYTES:
            raise ValueError("more than a provider has to say")
    return body


def from_file(path: Path) -> Fetch:
    """Reads ``path``, which the operator keeps up to date."""

    async def fetch() -> bytes:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES)

    return fetch
