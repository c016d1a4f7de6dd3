"""A Storage SCP that takes several C-STOREs before it answers any, and answers in an order of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from proxy.wire import dimse_pdu as wire
from proxy.wire.associate_read import read_request
from proxy.wire.associate_write import write_acceptance
from proxy.wire.command import Command
from proxy.wire.messages import Assembler, Sink, split
from proxy.wire.negotiation import Acceptance, Request


@dataclass
class Overlapping:
    """``window``: what it answers to ours; ``together``: so many are taken, then answered, the last one first."""

    window: tuple[int, int] | None
    together: int
    refused: str = ""  # the instance that it refuses
    deaf: bool = False  # reads nothing once it has accepted
    port: int = 0
    associations: int = 0
    stored: list[str] = field(default_factory=list)
    most: int = 0
    more: bool = False  # something came while it had all that it takes at once
    heard: list[int] = field(default_factory=list)  # (0000,0100) of what waits for an answer
    requests: list[Request] = field(default_factory=list)
    tasks: set[Any] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One association."""
        self.associations += 1
        self.tasks.add(asyncio.current_task())
        waiting = _Waiting()
        assembler = Assembler(waiting)
        try:
            while True:
                head = await reader.readexactly(6)
                body = memoryview(await reader.readexactly(int.from_bytes(head[2:], "big")))
                if head[0] == 1:
                    writer.write(self._accept(read_request(body)))
                    if self.deaf:
                        await asyncio.sleep(2)
                elif head[0] == 4:
                    for fragment in wire.fragments(body):
                        assembler.feed(*fragment)
                    await self._answer(waiting, reader, writer)
                elif head[0] == 5:
                    writer.write(wire.RELEASE_RP)
                    break
                else:
                    break
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()

    def _accept(self, request: Request) -> bytes:
        self.requests.append(request)
        results = {context.id: (0, context.syntaxes[0]) for context in request.contexts}
        return write_acceptance(request, Acceptance(results, 16384, window=self.window))

    async def _answer(self, waiting: _Waiting, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.most = max(self.most, len(waiting.whole))
        self.heard = [command.field for _, command in waiting.whole]
        if len(waiting.whole) < self.together:
            return
        await asyncio.sleep(0.02)  # whoever sends more than was agreed on has the time to
        self.more |= bool(reader._buffer)  # type: ignore[attr-defined]  # nothing else tells without waiting
        while waiting.whole:
            context, command = waiting.whole.pop()
            uid = command.text("AffectedSOPInstanceUID")
            self.stored.append(uid)
            response = command.response(0xC000 if uid == self.refused else 0).encode(False)
            writer.writelines(split(context, True, memoryview(response), 16384))


class _Waiting:
    """Requests that are whole."""

    def __init__(self) -> None:
        self.whole: list[tuple[int, Command]] = []
        self._coming: tuple[int, Command] | None = None

    def begin(self, context: int, command: Command) -> Sink | None:
        self._coming = (context, command)
        return self if command.has_data else None

    def write(self, data: memoryview) -> None:
        pass

    def end(self) -> None:
        assert self._coming is not None
        self.whole.append(self._coming)


@asynccontextmanager
async def overlapping(window: tuple[int, int] | None, together: int = 1, **more: Any) -> AsyncIterator[Overlapping]:
    """A running one."""
    peer = Overlapping(window, together, **more)
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    peer.port = server.sockets[0].getsockname()[1]
    yield peer
    server.close()
    for task in peer.tasks:
        task.cancel()
    await asyncio.gather(*peer.tasks, return_exceptions=True)
    await asyncio.sleep(0)  # the transports are closed in the next turn of the loop
