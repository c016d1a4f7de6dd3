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
        self.ended = False  # our peer sends no more
        self._early: list[bytes] = []  # read before the other side was there

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the transport; small writes leave at once."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        """Pass on, or keep until the other side is connected."""
        if (there := self._there()) is not None:
            there.write(data)
        else:
            self._early.append(data)

    def eof_received(self) -> bool:
        """Half close: the other direction stays open until it ends too."""
        self.ended = True
        self._pass_end()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """One side gone ends the other, after what is still to be written."""
        self.transport = None
        if (there := self._there()) is not None:
            there.close()

    def pause_writing(self) -> None:
        """Our peer is slow: read no more from the other side."""
        if (there := self._there()) is not None:
            there.pause_reading()

    def resume_writing(self) -> None:
        """Our peer caught up."""
        if (there := self._there()) is not None:
            there.resume_reading()

    def join(self, other: Half) -> None:
        """Tie two connected sides together and pass on what came early."""
        self.other, other.other = other, self
        for half in (self, other):
            if (there := half._there()) is not None and half._early:
                there.write(b"".join(half._early))
                half._early.clear()
            if half.ended:
                half._pass_end()

    def _there(self) -> asyncio.Transport | None:
        return self.other.transport if self.other is not None else None

    def _pass_end(self) -> None:
        there = self._there()
        if there is None or self.other is None:
            return
        there.write_eof()
        if self.other.ended:
            there.close()
            if self.transport is not None:
                self.transport.close()


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
        try:
            _, outbound = await asyncio.get_running_loop().create_connection(Half, *self._target)
        except OSError:
            if self.transport is not None:
                self.transport.abort()
            return
        self.join(outbound)
        if self.transport is None and outbound.transport is not None:
            outbound.transport.close()


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
