"""The relay that Veil is compared with passes every byte, both ways, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random

from bench.relay import start


async def reverse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A peer that answers with what it read, backwards, once the sender has finished."""
    writer.write((await reader.read())[::-1])
    await writer.drain()
    writer.close()


async def closed(writer: asyncio.StreamWriter) -> None:
    """Close, and let the relay's sides close too."""
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    await asyncio.sleep(0.1)


async def test_bytes_arrive_and_answers_come_back_after_a_half_close() -> None:
    peer = await asyncio.start_server(reverse, "127.0.0.1", 0)
    relay = await start(*peer.sockets[0].getsockname())
    sent = random.Random(1).randbytes(5 << 20)
    async with peer, relay:
        reader, writer = await asyncio.open_connection(*relay.sockets[0].getsockname())
        writer.write(sent)
        writer.write_eof()
        answer = await asyncio.wait_for(reader.read(), 20)
        await closed(writer)
    assert hashlib.sha256(answer).digest() == hashlib.sha256(sent[::-1]).digest()


async def test_a_slow_peer_slows_the_sender_instead_of_filling_memory() -> None:
    read_on, got = asyncio.Event(), asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_on.wait()
        while await reader.read(1 << 20):
            pass
        got.set()
        writer.close()

    peer = await asyncio.start_server(slow, "127.0.0.1", 0, limit=1 << 16)
    relay = await start(*peer.sockets[0].getsockname())
    async with peer, relay:
        _, writer = await asyncio.open_connection(*relay.sockets[0].getsockname())
        writer.write(bytes(64 << 20))
        await asyncio.sleep(0.5)
        waiting = writer.transport.get_write_buffer_size()
        read_on.set()
        writer.write_eof()
        await asyncio.wait_for(got.wait(), 20)
        await closed(writer)
    assert waiting > 32 << 20


async def test_a_target_that_refuses_ends_the_connection(free_port) -> None:
    relay = await start("127.0.0.1", free_port())
    async with relay:
        reader, writer = await asyncio.open_connection(*relay.sockets[0].getsockname())
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(), 20) == b""
        await closed(writer)
