"""Whatever bytes a peer sends, no exception escapes, and once it has gone nothing of it is left: no task, no timer, no
byte of the budget, no descriptor, no place; and the state machine has come to its end.

Sessions that are changed at random, in both roles, without a network, and a few of them over real connections.
``VEIL_PDUS=200000`` for the long run.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import socket
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from proxy.dimse.acceptor import Acceptor, Bounds, Routes
from proxy.dimse.connecting import AssociationRejected, ConnectionFailed, Requestor
from proxy.dimse.deadline import Patience
from proxy.dimse.exchange import AssociationLost
from proxy.dimse.message import Message
from proxy.dimse.receiving import Budget
from proxy.dimse.requestor import Destination
from proxy.dimse.services import Service, Verification
from proxy.dimse.storage import Storage
from proxy.wire.command import C_ECHO_RQ, C_FIND_RQ, C_STORE_RQ, Command
from proxy.wire.upper_layer_table import State
from tests.dimse.arenas import arenas
from tests.dimse.fault_site import Taken, read_pdu
from tests.dimse.pdu_sessions import CT, FIND, IMPLICIT, REQUEST, VERIFICATION, answering, asking, mutated, reads
from tests.dimse.pdu_wire import Nobody, Wire
from tests.dimse.servers import Serve
from tests.dimse.test_connections import echo, quiet

COUNT = int(os.environ.get("VEIL_PDUS", "5000"))
SEED = 20261121
MEMORY = 1 << 20


class Finding(Service):
    """A C-FIND with two matches, whatever is asked for."""

    def syntaxes(self, abstract: str) -> tuple[str, ...] | None:
        return (IMPLICIT,) if abstract == FIND else None

    def extended(self, abstract: str, proposed: bytes) -> bytes | None:
        return proposed

    async def serve(self, message: Message) -> None:
        for _ in range(2):
            await message.respond(0xFF00, message.data)
            await asyncio.sleep(0)
        await message.respond(0xFE00 if message.cancelled.is_set() else 0)


class Left:
    """What must not be there any more."""

    def __init__(self) -> None:
        self.errors: list[dict[str, Any]] = []
        self.loop = asyncio.get_running_loop()
        self.loop.set_exception_handler(lambda loop, context: self.errors.append(context))

    def check(self, number: int) -> None:
        timers = [timer for timer in self.loop._scheduled if not timer.cancelled()]  # type: ignore[attr-defined]
        assert not self.errors, (self.errors, number)
        assert len(asyncio.all_tasks()) == 1, number
        assert not timers, number


@contextlib.contextmanager
def descriptors() -> Iterator[None]:
    before = len(os.listdir("/proc/self/fd"))
    yield
    assert len(os.listdir("/proc/self/fd")) == before
    assert arenas() == 0


@pytest.mark.timeout(120 + COUNT // 50)
async def test_an_acceptor_survives_any_requestor() -> None:
    chance, sessions, budget, tally = random.Random(SEED), asking(), Budget(MEMORY), Counter[str]()
    storage = Storage(Taken(), Taken(), budget, 40_000)  # type: ignore[arg-type]  # a stand-in
    services = (Verification(), storage, Finding())
    bounds = Bounds(16384, Patience(30.0), 2, 2)
    left = Left()
    with descriptors():
        for number in range(COUNT):
            first, *others = mutated(chance, sessions)
            data = first + b"".join(others)
            association = Acceptor(bounds, Routes({"VEIL": "research"}), lambda project: services, Nobody())
            wire = Wire(association.stream)
            if chance.random() < 0.05:
                await wire.bring(reads(chance, data))  # without waiting for anything
            else:
                await wire.bring([first], reads(chance, b"".join(others)))
            await association.gone.wait()
            await _settled()
            storage.drop_stock()
            tally[association.how + (" established" if association.acceptance else "")] += 1
            assert association.stream._machine.state is State.IDLE, number
            assert budget._free == MEMORY, number
            assert not bounds._admitted, number
            left.check(number)
    print(dict(tally))
    assert tally["released established"] > COUNT // 15  # otherwise not much is tried
    assert tally["aborted"] > COUNT // 50


@pytest.mark.timeout(120 + COUNT // 50)
async def test_a_requestor_survives_any_acceptor() -> None:
    chance, sessions, tally, left = random.Random(SEED), answering(), Counter[str](), Left()
    with descriptors():
        for number in range(COUNT // 2):
            pdus = mutated(chance, sessions)
            association = Requestor(Destination("192.0.2.1", 104, "VEIL", "US", 30.0), REQUEST, (Finding(),))
            wire = Wire(association.stream)
            talking = asyncio.create_task(_talk(association))
            await asyncio.sleep(0)
            await wire.bring(*(reads(chance, pdu) for pdu in pdus))
            tally[await talking] += 1
            await association.gone.wait()
            await _settled()
            assert association.stream._machine.state is State.IDLE, number
            left.check(number)
    print(dict(tally))
    assert tally["released"] > COUNT // 100
    assert len(tally) > 5


async def _settled() -> None:
    """What was under way has come to its end."""
    for _ in range(20):
        if len(asyncio.all_tasks()) == 1:
            return
        await asyncio.sleep(0)


async def _talk(association: Requestor) -> str:
    """Ask for everything; a word for how far it came."""
    what = {"AffectedSOPClassUID": CT, "AffectedSOPInstanceUID": "1.2.3.4", "Priority": 0}
    try:
        await association.answered
        contexts = {abstract: association.context_for(abstract) for abstract in (VERIFICATION, CT, FIND)}
        if (context := contexts[VERIFICATION]) is not None:
            await association.ask(context, Command(C_ECHO_RQ, MessageID=1, AffectedSOPClassUID=VERIFICATION))
        if (context := contexts[CT]) is not None:
            await association.ask(context, Command(C_STORE_RQ, MessageID=2, **what), bytes(50_000))
        if (context := contexts[FIND]) is not None:
            command = Command(C_FIND_RQ, MessageID=3, Priority=0, AffectedSOPClassUID=FIND)
            async for _ in association.asks(context, command, b""):
                pass
        await association.release()
    except AssociationRejected:
        return "rejected"
    except (AssociationLost, ConnectionFailed) as error:
        return f"{type(error).__name__} {error}"
    return association.how


async def test_and_over_real_connections(serve: Serve, capfd: pytest.CaptureFixture[str]) -> None:
    server = await serve(max_pdu=16384, instance_limit=40_000)
    chance, sessions = random.Random(SEED), asking()

    def send() -> None:
        for _ in range(min(COUNT // 50, 2000)):
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", server.port), timeout=0.05) as peer,
            ):
                first, *others = mutated(chance, sessions)
                peer.sendall(first)
                if first and read_pdu(peer)[0] == 0:
                    continue
                for part in reads(chance, b"".join(others)):
                    peer.sendall(part)
                if chance.random() < 0.5:
                    peer.shutdown(socket.SHUT_WR)
                    while peer.recv(1 << 16):
                        pass

    await asyncio.to_thread(send)
    await asyncio.to_thread(echo, server)
    await quiet(server)
    assert "".join(capfd.readouterr()) == ""
