"""A connection without a network: bytes are handed to a `Stream` as asyncio would, and what it says is counted."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from proxy.dimse.acceptor import Acceptor
from proxy.dimse.stream import Stream


class Descriptor:
    """Stands in for the socket."""

    def setsockopt(self, *_: object) -> None:
        return None


class Wire(asyncio.Transport):
    """The transport of one `Stream`. Does what asyncio's does, with its conditions."""

    def __init__(self, stream: Stream) -> None:
        super().__init__()
        self.stream, self.said = stream, bytearray()
        self.open, self.listening, self._finished = True, True, False
        stream.connection_made(self)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": ("192.0.2.1", 104), "socket": Descriptor()}.get(name, default)

    def write(self, data: Any) -> None:
        if self._finished:
            raise RuntimeError("Cannot call write() after write_eof()")
        self.said += data

    def writelines(self, parts: Iterable[Any]) -> None:
        self.write(b"".join(parts))

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self._finished = True

    def is_closing(self) -> bool:
        return not self.open

    def pause_reading(self) -> None:
        self.listening = False

    def resume_reading(self) -> None:
        self.listening = True

    def close(self) -> None:
        if self.open:
            self.open = False
            asyncio.get_running_loop().call_soon(self.stream.connection_lost, None)

    abort = close

    async def bring(self, *pieces: Iterable[bytes]) -> None:
        """Let each of ``pieces`` come in as fast as it is taken, with time to answer it, and at last the end."""
        for parts in pieces:
            await self._bring(parts)
            await turns()
        self.close()

    async def _bring(self, parts: Iterable[bytes]) -> None:
        for part in parts:
            left = memoryview(part)
            while left and self.open:
                while self.open and not self.listening:
                    await asyncio.sleep(0)
                if self.open:
                    room = self.stream.get_buffer(-1)
                    count = min(len(room), len(left))
                    assert count > 0
                    room[:count] = left[:count]
                    self.stream.buffer_updated(count)
                    left = left[count:]
            await asyncio.sleep(0)


async def turns(count: int = 5) -> None:
    """Let everything else run."""
    for _ in range(count):
        await asyncio.sleep(0)


class Nobody:
    """Keeps the list of connections: there is one."""

    def arrived(self, association: Acceptor) -> None: ...
    def grown(self, association: Acceptor) -> None: ...
    def known(self, association: Acceptor) -> None: ...
    def left(self, association: Acceptor) -> None: ...
