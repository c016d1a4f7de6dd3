"""Responses that come faster than anybody takes them: the peer waits, not our memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import aclosing

import pytest

from proxy.dimse import exchange
from proxy.dimse.acceptor import Bounds, Routes
from proxy.dimse.association import Association
from proxy.dimse.connecting import connect
from proxy.dimse.deadline import Patience
from proxy.dimse.message import Message
from proxy.dimse.requestor import Destination
from proxy.dimse.server import DimseServer
from proxy.dimse.services import Service
from proxy.wire.command import C_ECHO_RQ, C_FIND_RQ, Command
from proxy.wire.negotiation import ProposedContext

FIND, IMPLICIT = "1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.1.2"
MATCHES = 2000


class Generous(Service):
    """Has two thousand matches for whatever is asked, and answers a C-ECHO in between."""

    def syntaxes(self, abstract: str) -> Collection[str] | None:
        return (IMPLICIT,)

    async def serve(self, message: Message) -> None:
        if message.command.field == C_FIND_RQ:
            for number in range(MATCHES):
                await message.respond(0xFF00, number.to_bytes(4, "little") * 100)
        await message.respond(0)


@pytest.fixture
async def association() -> AsyncIterator[Association]:
    bounds = Bounds(16384, Patience(20.0), 5, 5)
    server = DimseServer("127.0.0.1", 0, bounds, Routes({"PACS": "x"}), lambda project: (Generous(),))
    await server.start()
    to = Destination("127.0.0.1", server.port, "PACS", "VEIL", 5.0)
    made = await connect(to, [ProposedContext(1, FIND, (IMPLICIT,))])
    yield made
    await made.release()
    await server.stop(0)


def command(association: Association, field: int = C_FIND_RQ) -> Command:
    return Command(field, MessageID=association.next_id(), Priority=0, AffectedSOPClassUID=FIND)


async def test_who_is_slow_holds_up_the_peer_and_has_every_answer(association: Association) -> None:
    most, taken = 0, list[int]()
    async with aclosing(association.asks(association.contexts[1], command(association), b"\0\0")) as answers:
        async for answer in answers:
            (queue,) = association._waiting.values()
            most = max(most, queue.qsize())
            if len(taken) < 50:
                await asyncio.sleep(0.002)
            taken.append(int.from_bytes(answer.data[:4], "little"))
    assert taken == [*range(MATCHES), 0]
    assert exchange._MOST_AHEAD // 2 < most <= exchange._MOST_AHEAD


async def test_who_stops_listening_holds_up_nobody_else(association: Association) -> None:
    async with aclosing(association.asks(association.contexts[1], command(association), b"\0\0")) as answers:
        async for _ in answers:
            await asyncio.sleep(0.05)
            break
    echo = await association.ask(association.contexts[1], command(association, C_ECHO_RQ))
    assert echo.command.status == 0
