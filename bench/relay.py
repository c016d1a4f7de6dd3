"""A plain TCP relay in its own process: what any proxy costs at least. Bytes in, the same bytes out, nothing read.

``python -m bench.relay HOST PORT`` listens on a free loopback port, prints it, and relays each connection to HOST:PORT.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys


class Half(asyncio.Protocol):
    """One side of a relayed connection. A side that cannot keep up pauses the other."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.other: Half | None = None
        self.early: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the transport; small writes leave at once."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        """Pass on, or keep until the other side is connected."""
        if self.other is not None and self.other.transport is not None:
            self.other.transport.write(data)
        else:
            self.early.append(data)

    def eof_received(self) -> bool:
        """Half close: the other direction stays open."""
        if self.other is not None and self.other.transport is not None and self.other.transport.can_write_eof():
            self.other.transport.write_eof()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """One side gone ends the other, after what is still to be written."""
        if self.other is not None and self.other.transport is not None:
            self.other.transport.close()

    def pause_writing(self) -> None:
        """Our peer is slow: read no more from the other side."""
        if self.other is not None and self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        """Our peer caught up."""
        if self.other is not None and self.other.transport is not None:
            self.other.transport.resume_reading()


class Inbound(Half):
    """The side that was accepted; it dials the target and joins the two."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__()
        self._target = (host, port)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As `Half`, and dial."""
        super().connection_made(transport)
        self._dialling = asyncio.get_running_loop().create_task(self._dial())

    async def _dial(self) -> None:
        outbound = Half()
        outbound.other = self
        try:
            await asyncio.get_running_loop().create_connection(lambda: outbound, *self._target)
        except OSError:
            if self.transport is not None:
                self.transport.abort()
            return
        self.other = outbound
        if outbound.transport is not None and self.early:
            outbound.transport.write(b"".join(self.early))


async def start(host: str, port: int) -> asyncio.Server:
    """Listen on a free loopback port and relay to ``host``:``port``."""
    return await asyncio.get_running_loop().create_server(lambda: Inbound(host, port), "127.0.0.1", 0)


async def main(host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = await start(host, port)
    print(server.sockets[0].getsockname()[1], flush=True)
    with contextlib.closing(server):
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
