"""A port with TLS that costs little until a peer has agreed on it: asyncio's own takes 300 KiB from the first moment.

Who connects and is silent is a socket and a timer. From its first byte on it has a handshake, of which there are so
many at once. When there is no room the oldest gives way: a peer that is well takes milliseconds. Knows no protocol.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import cast

Factory = Callable[[], asyncio.BaseProtocol]
#: At once; beyond, whoever began first is hung up on.
HANDSHAKES = 64
SILENT = 4096


class Listening:
    """A port; as `asyncio.Server` to those who close it and ask for its number."""

    def __init__(self, factory: Factory, tls: ssl.SSLContext, seconds: float) -> None:
        """``factory``: makes the protocol of a connection that has agreed on TLS within ``seconds``."""
        self._factory, self._tls, self._seconds = factory, tls, seconds
        self._loop = asyncio.get_running_loop()
        self._server: asyncio.Server | None = None
        self._silent: dict[socket.socket, asyncio.TimerHandle] = {}  # oldest first
        self._shaking: dict[asyncio.Task[None], None] = {}  # oldest first

    async def start(self, host: str, port: int, backlog: int) -> None:
        """Listen. OSError when the address cannot be had."""
        self._server = await self._loop.create_server(lambda: _Arrival(self), host, port, backlog=backlog)

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        """As of `asyncio.Server`."""
        return self._server.sockets if self._server is not None else ()

    def close(self) -> None:
        """Listen no more, and hang up on whoever has not agreed on TLS yet."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._silent):
            self._drop(connection)
        for task in self._shaking:
            task.cancel()

    def arrived(self, connection: socket.socket) -> None:
        """Somebody has connected: wait for the first byte."""
        if len(self._silent) >= SILENT:
            self._drop(next(iter(self._silent)))
        self._silent[connection] = self._loop.call_later(self._seconds, self._drop, connection)
        self._loop.add_reader(connection, self._spoken, connection)

    def _drop(self, connection: socket.socket) -> None:
        self._forget(connection)
        connection.close()

    def _forget(self, connection: socket.socket) -> None:
        self._silent.pop(connection).cancel()
        self._loop.remove_reader(connection)

    def _spoken(self, connection: socket.socket) -> None:
        try:
            said = connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        if not said:
            self._drop(connection)
            return
        self._forget(connection)
        if len(self._shaking) >= HANDSHAKES:
            oldest = next(iter(self._shaking))
            del self._shaking[oldest]
            oldest.cancel()
        task = self._loop.create_task(self._shake(connection))
        self._shaking[task] = None
        task.add_done_callback(lambda done: self._shaking.pop(done, None))

    async def _shake(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(
                self._factory, connection, ssl=self._tls, ssl_handshake_timeout=self._seconds
            )
        except OSError:  # no TLS, no certificate, or not in time: asyncio has closed the connection
            connection.close()
        except BaseException:
            connection.close()
            raise


class _Arrival(asyncio.Protocol):
    """Takes over the socket of a connection before asyncio reads from it."""

    def __init__(self, listening: Listening) -> None:
        self._listening = listening

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A second descriptor of the connection goes on; the transport ends with the first."""
        arrival = cast(asyncio.Transport, transport)
        arrival.pause_reading()
        with contextlib.suppress(OSError):  # no descriptor is left
            self._listening.arrived(arrival.get_extra_info("socket").dup())
        arrival.abort()


async def listen(
    factory: Factory, host: str, port: int, tls: ssl.SSLContext, *, seconds: float, backlog: int = 100
) -> Listening:
    """A port on which TLS is spoken. OSError when the address cannot be had."""
    listening = Listening(factory, tls, seconds)
    await listening.start(host, port, backlog)
    return listening
