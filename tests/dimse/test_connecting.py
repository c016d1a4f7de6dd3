"""An association of ours with one of ours, and with pynetdicom: both roles of the same code."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind as FIND  # type: ignore[attr-defined]

from proxy.dimse.connecting import AssociationRejected, ConnectionFailed, connect
from proxy.dimse.exchange import AssociationLost
from proxy.dimse.requestor import Destination
from proxy.wire.command import C_ECHO_RQ, C_FIND_RQ, C_STORE_RQ, Command
from proxy.wire.negotiation import ProposedContext
from tests.dimse.servers import Serve

VERIFICATION = "1.2.840.10008.1.1"
ECHO = ProposedContext(1, VERIFICATION, ("1.2.840.10008.1.2",))
SLOW = 7
CT = ProposedContext(3, CTImageStorage, (ExplicitVRLittleEndian,))


def to(port: int, called: str = "VEIL", seconds: float = 5.0) -> Destination:
    return Destination("127.0.0.1", port, called, "MODALITY", seconds)


def store_rq(number: int) -> Command:
    return Command(
        C_STORE_RQ, MessageID=number, Priority=0, AffectedSOPClassUID=CTImageStorage, AffectedSOPInstanceUID="1.2.3"
    )


async def test_echo_store_and_release(serve: Serve, ingest: Any) -> None:
    server = await serve()
    association = await connect(to(server.port), [ECHO, CT])
    assert {c.abstract for c in association.contexts.values()} == {VERIFICATION, CTImageStorage}
    echo = Command(C_ECHO_RQ, MessageID=association.next_id(), AffectedSOPClassUID=VERIFICATION)
    assert (await association.ask(association.contexts[1], echo)).command.status == 0
    data = bytes(range(256)) * 3000
    answer = await association.ask(association.contexts[3], store_rq(association.next_id()), data)
    assert answer.command.status == 0
    assert ingest.received[0][1].endswith(data)
    await association.release()
    assert association.how == "released"
    assert not association.established


async def test_requests_in_flight_together_find_their_responses(serve: Serve, ingest: Any) -> None:
    server = await serve()
    association = await connect(to(server.port), [CT])
    context = association.contexts[3]
    asked = [association.ask(context, store_rq(association.next_id()), bytes([n]) * 100_000) for n in range(20)]
    answers = await asyncio.gather(*asked)
    assert [a.command.responding_to for a in answers] == list(range(1, 21))
    assert [data[-1] for _, data, _, _ in ingest.received] == list(range(20))
    await association.release()


async def test_errors_by_name(serve: Serve, unused_tcp_port: int) -> None:
    server = await serve()
    with pytest.raises(AssociationRejected, match="1/1/7"):
        await connect(to(server.port, "STRANGER"), [ECHO])
    with pytest.raises(ConnectionFailed, match="ECONNREFUSED"):
        await connect(to(unused_tcp_port), [ECHO])
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(ConnectionFailed, match="timeout"):
        await connect(to(silent.getsockname()[1], seconds=0.2), [ECHO])


async def test_no_response_in_time_ends_the_association(serve: Serve, ingest: Any) -> None:
    ingest.gate = asyncio.Event()
    association = await connect(to((await serve()).port, seconds=0.3), [CT])
    with pytest.raises(AssociationLost, match="timeout"):
        await association.ask(association.contexts[3], store_rq(1), b"x" * 100)
    assert not association.established
    ingest.gate.set()


async def test_who_waits_is_told_when_the_peer_goes(serve: Serve, ingest: Any) -> None:
    server = await serve()
    ingest.gate = asyncio.Event()
    association = await connect(to(server.port), [CT])
    asked = asyncio.create_task(association.ask(association.contexts[3], store_rq(1), b"x" * 100))
    await asyncio.sleep(0.1)
    await server.stop(0)
    with pytest.raises(AssociationLost):
        await asked


@pytest.fixture
def finder() -> Iterator[Any]:
    """pynetdicom as a PACS that has a thousand studies and notices a C-CANCEL."""
    said: list[str] = []

    def handle(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        for n in range(1000):
            if event.is_cancelled:
                said.append("cancelled")
                yield 0xFE00, None
                return
            time.sleep(0.02 if event.request.MessageID == SLOW else 0)
            match = Dataset()
            match.StudyInstanceUID = f"1.2.{n}"
            yield 0xFF00, match

    ae = AE("PACS")
    ae.add_supported_context(FIND)
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_FIND, handle)])
    yield server.server_address[1], said
    server.shutdown()


@pytest.fixture
async def found(finder: Any, request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    association = await connect(to(finder[0], "PACS"), [ProposedContext(1, FIND, ("1.2.840.10008.1.2",))])
    number = getattr(request, "param", 1)
    command = Command(C_FIND_RQ, MessageID=number, Priority=0, AffectedSOPClassUID=FIND)
    query = b"\x08\x00\x52\x00\x06\x00\x00\x00STUDY "
    yield association, association.asks(association.contexts[1], command, query), finder[1]
    await association.release()


async def test_pending_responses_and_the_last(found: Any) -> None:
    _, responses, said = found
    answers = [response async for response in responses]
    assert [a.command.status for a in answers] == [0xFF00] * 1000 + [0]
    assert answers[7].data.endswith(b"1.2.7\0")
    assert said == []


@pytest.mark.parametrize("found", [SLOW], indirect=True)
async def test_who_has_heard_enough_cancels(found: Any) -> None:
    association, responses, said = found
    async for _ in responses:
        break
    await responses.aclose()
    for _ in range(100):
        if said:
            break
        await asyncio.sleep(0.05)
    assert said == ["cancelled"]
    assert association.established
