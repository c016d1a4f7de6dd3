"""GET requests to a PACS: so many at once, each with a deadline, in blocks; whatever goes wrong is an `UpstreamError`.

An answer's words go nowhere: errors carry its status or the name of what happened. A request is sent again once, and
only where the connection was reset before any answer.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager

import aiohttp
from yarl import URL

from proxy.dicomweb.outgoing import checked_headers, open_session
from proxy.service.upstream import UpstreamError

_BLOCK = 256 * 1024
#: An answer that comes slower than this, over the whole of it, is given up.
_SLOWEST = 32 * 1024
#: What is asked at the same time is counted by kind: who reads metadata may fetch instances meanwhile.
KINDS = ("search", "metadata", "instance")
#: Nothing is there: unknown (404), deleted (410), no match (204).
NOTHING = frozenset({204, 404, 410})
_OK = 200

Pairs = Iterable[tuple[str, str]]


class Asking:
    """GETs below one base URL, over connections that stay open."""

    def __init__(
        self, name: str, url: str, headers: Mapping[str, str], connections: int, seconds: float,
        tls: ssl.SSLContext | None = None,
    ) -> None:  # fmt: skip
        """``connections`` of each kind; ``seconds`` is the longest silence. `ConfigError` for headers that are none."""
        self._name, self._url, self._seconds = name, url.rstrip("/"), seconds
        self._headers = checked_headers(headers)
        self._connections, self._tls = connections, tls
        self._turns = {kind: asyncio.Semaphore(connections) for kind in KINDS}
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def get(
        self, kind: str, path: str, query: Pairs, headers: Mapping[str, str], nothing: frozenset[int] = NOTHING
    ) -> AsyncIterator[aiohttp.ClientResponse | None]:
        """The response with its body still to come; None for a status that means ``nothing``.

        What the body of the ``with`` finds wrong with the answer (`ValueError`) is this upstream's error, too.
        """
        async with self._turns[kind]:
            try:
                async with await self._begin(path, query, headers) as response:
                    if response.status != _OK and response.status not in nothing:
                        raise UpstreamError(self._name, str(response.status))
                    yield response if response.status == _OK else None
            except TimeoutError:
                raise UpstreamError(self._name, "timeout", late=True) from None
            except (aiohttp.ClientError, ValueError, OSError) as error:
                raise UpstreamError(self._name, type(error).__name__) from None

    async def blocks(self, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        """The body as it comes; `TimeoutError` when it comes too slowly."""
        loop, received = asyncio.get_running_loop(), 0
        begun = loop.time()
        async for block in response.content.iter_chunked(_BLOCK):
            received += len(block)
            if loop.time() - begun > self._seconds + received / _SLOWEST:
                raise TimeoutError
            yield block

    async def close(self) -> None:
        """Close the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _begin(self, path: str, query: Pairs, headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        try:
            return await self._send(path, query, headers)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientConnectionResetError, ConnectionResetError):
            return await self._send(path, query, headers)

    async def _send(self, path: str, query: Pairs, headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        if self._session is None:
            self._session = open_session(len(KINDS) * self._connections, self._tls)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._seconds, sock_read=self._seconds)
        url = URL(self._url + path).update_query(list(query))
        return await self._session.get(
            url, headers={**self._headers, **headers}, timeout=timeout, allow_redirects=False
        )
