"""Connections that nobody uses make room for those that somebody does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from proxy.dicomweb import idle

_GET = b"GET /livez HTTP/1.1\r\nHost: veil\r\n\r\n"


class Connection:
    """One, by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self) -> bool:
        """Whether it is still answered."""
        try:
            self.writer.write(_GET)
            head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 5)
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            await self.reader.readexactly(length)
        except (OSError, asyncio.IncompleteReadError):
            return False
        return head.startswith(b"HTTP/1.1 200")

    async def gone(self) -> bool:
        try:
            return not await asyncio.wait_for(self.reader.read(1), 0.2)
        except TimeoutError:
            return False
        except OSError:
            return True


Open = Callable[[], Awaitable[Connection]]


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idle, "MOST", 4)


@pytest.fixture
async def connect(site: Any) -> AsyncIterator[Open]:
    made: list[Connection] = []

    async def one() -> Connection:
        made.append(Connection(*await asyncio.open_connection("127.0.0.1", site.server.port)))
        await asyncio.sleep(0.01)  # the server has taken it
        return made[-1]

    yield one
    for each in made:
        each.writer.close()
        with contextlib.suppress(OSError):
            await each.writer.wait_closed()


async def test_who_never_asked_goes_first(connect: Open) -> None:
    users = [await connect() for _ in range(3)]
    for user in users:
        assert await user.ask()
    silent = [await connect() for _ in range(6)]
    assert [await each.gone() for each in silent] == [True] * 4 + [False] * 2  # one of four, and the newest
    assert [await user.ask() for user in users] == [True] * 3


async def test_then_who_was_answered_longest_ago(connect: Open) -> None:
    users = [await connect() for _ in range(4)]
    for user in (users[1], users[0], users[2], users[3]):
        assert await user.ask()
    for _ in range(2):
        assert await (await connect()).ask()
    assert [await user.gone() for user in users] == [False, True, False, False]


async def test_a_request_under_way_is_not_touched(site: Any, connect: Open) -> None:
    body = site.multipart(site.instance())
    uploading = await connect()
    head = (
        "POST /dicomweb/research/studies HTTP/1.1\r\nHost: veil\r\nAccept: application/dicom+json\r\n"
        'Content-Type: multipart/related; type="application/dicom"; boundary=b0\r\n'
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    uploading.writer.write(head.encode() + body[:100])
    for _ in range(12):
        await connect()
    uploading.writer.write(body[100:])
    assert await asyncio.wait_for(uploading.reader.readuntil(b"\r\n"), 5) == b"HTTP/1.1 200 OK\r\n"
    assert len(site.ingest.received) == 1
