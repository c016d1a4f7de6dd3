"""A port with TLS under those who never agree on it: what they cost, when they are hung up on, who still gets in."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
import tracemalloc
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from proxy import handshakes
from proxy.config_tls import ClientTls, DimseTls
from proxy.handshakes import Listening, listen
from proxy.tls import tls_of
from tests.authorities import keep, leaf, trust

MIB = 1 << 20


class Echo(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


class Port:
    def __init__(self, listening: Listening, client: ssl.SSLContext) -> None:
        self.listening, self.client = listening, client
        self.address = listening.sockets[0].getsockname()
        self.open: list[socket.socket] = []

    async def silent(self, count: int, said: bytes = b"") -> None:
        loop = asyncio.get_running_loop()
        for _ in range(count):
            connection = socket.socket()
            connection.setblocking(False)
            self.open.append(connection)
            await loop.sock_connect(connection, self.address)
            if said:
                await loop.sock_sendall(connection, said)
        await asyncio.sleep(0.05)

    async def echo(self) -> None:
        async with asyncio.timeout(5):
            reader, writer = await asyncio.open_connection(*self.address, ssl=self.client)
            writer.write(b"ping")
            assert await reader.readexactly(4) == b"ping"
            writer.close()
            await writer.wait_closed()

    async def gone(self, connection: socket.socket) -> bool:
        """Whether we have hung up, in time."""
        try:
            async with asyncio.timeout(10):
                while await asyncio.get_running_loop().sock_recv(connection, 1000):
                    pass
        except TimeoutError:
            return False
        except ConnectionError:
            pass
        return True


@pytest.fixture
async def port(tmp_path: Path) -> AsyncIterator[Port]:
    server = tls_of(DimseTls(**keep(tmp_path, "server", leaf("veil")), ca_file=trust(tmp_path, 0)))
    client = tls_of(ClientTls(**keep(tmp_path, "client", leaf("ct", ("ct",))), ca_file=trust(tmp_path, 0)))
    made = Port(await listen(Echo, "127.0.0.1", 0, server, seconds=1.5), client)
    yield made
    made.listening.close()
    for connection in made.open:
        connection.close()
    await asyncio.sleep(0.01)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0.01)


def hello(client: ssl.SSLContext) -> bytes:
    """The first flight of a client."""
    out = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        client.wrap_bio(ssl.MemoryBIO(), out, server_hostname="127.0.0.1").do_handshake()
    return out.read()


async def test_who_is_silent_costs_next_to_nothing_and_ends(port: Port) -> None:
    await port.echo()
    gc.collect()
    tracemalloc.start()
    try:
        await port.silent(300)
        await port.echo()
        assert tracemalloc.get_traced_memory()[0] < 2 * MIB
    finally:
        tracemalloc.stop()
    assert await port.gone(port.open[0])
    assert await port.gone(port.open[-1])
    await until(lambda: not port.listening._silent)


async def test_who_begins_and_goes_silent_gives_way(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshakes, "HANDSHAKES", 8)
    await port.silent(30, hello(port.client))
    await until(lambda: len(port.listening._shaking) == 8)
    assert await port.gone(port.open[0])
    await port.echo()
    for connection in port.open:
        assert await port.gone(connection)  # all of them in the end
    await until(lambda: not port.listening._shaking)


async def test_who_speaks_no_tls_is_hung_up_on(port: Port) -> None:
    for said in (b"\x01\x00\x00\x00\x00\x04HIHI", b"GET / HTTP/1.1\r\n\r\n", b"\x16"):
        await port.silent(1, said)
        assert await port.gone(port.open[-1])
    await port.echo()
    await until(lambda: not port.listening._shaking)


async def test_the_longest_silence_gives_way(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshakes, "SILENT", 4)
    await port.silent(6)
    await until(lambda: len(port.listening._silent) == 4)
    started = asyncio.get_running_loop().time()
    assert await port.gone(port.open[0])
    assert asyncio.get_running_loop().time() - started < 1  # not by its time
    await port.echo()


async def test_who_leaves_at_once_leaves_nothing(port: Port) -> None:
    await port.silent(3)
    for connection in port.open:
        connection.close()
    await until(lambda: not port.listening._silent)


async def test_closing_hangs_up(port: Port) -> None:
    await port.silent(2)
    await port.silent(2, hello(port.client))
    port.listening.close()
    for connection in port.open:
        assert await port.gone(connection)
    with pytest.raises(OSError):  # refused, by whatever word the system has for it
        await asyncio.open_connection(*port.address)


async def test_an_address_that_is_taken(port: Port, tmp_path: Path) -> None:
    with pytest.raises(OSError):
        await listen(Echo, *port.address, port.client, seconds=1)
