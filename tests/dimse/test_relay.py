"""Worklists and performed procedure steps between pynetdicom as the modality and pynetdicom as the clinical system."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt

from proxy.dimse.acceptor import Anybody, Routes
from proxy.dimse.relay import MPPS, WORKLIST, Relay, System
from proxy.dimse.requestor import Destination
from proxy.dimse.server import Bounds, DimseServer, Patience
from proxy.dimse.services import Verification
from proxy.service.callers import Caller, Verb
from tests.service.fakes import Audit

NAME = "Quastenflosser^Émile"
STEP = "1.2.826.4711.1"


def step() -> Dataset:
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.PatientName = NAME
    dataset.PerformedProcedureStepStatus = "IN PROGRESS"
    block = dataset.private_block(0x0009, "ODD MAKER", create=True)
    block.add_new(0x01, "LO", "ODD")
    return dataset


@dataclass
class Ris:
    """Answers what the test says, and keeps the bytes that it was sent."""

    create: Callable[[Any], tuple[int, Dataset | None]] = lambda event: (0x0000, None)
    find: Callable[[Any], Iterator[tuple[int, Dataset | None]]] = lambda event: iter(())
    sent: list[bytes] = field(default_factory=list)
    commands: list[Any] = field(default_factory=list)
    callers: list[str] = field(default_factory=list)
    port: int = 0

    def on_create(self, event: Any) -> tuple[int, Dataset | None]:
        self._keep(event, event.request.AttributeList)
        return self.create(event)

    def on_set(self, event: Any) -> tuple[int, Dataset | None]:
        self._keep(event, event.request.ModificationList)
        return self.create(event)

    def on_find(self, event: Any) -> Iterator[tuple[int, Dataset | None]]:
        self._keep(event, event.request.Identifier)
        yield from self.find(event)

    def _keep(self, event: Any, data: Any) -> None:
        self.callers.append(event.assoc.requestor.ae_title)
        self.commands.append(event.request)
        self.sent.append(data.getvalue())


@pytest.fixture(scope="module")
def listening() -> Iterator[Ris]:
    """One for all tests: a server of pynetdicom takes half a second to stop."""
    ris, ae = Ris(), AE("RIS")
    ae.require_called_aet = True
    for uid in (MPPS, WORKLIST):
        ae.add_supported_context(uid)
    handlers = [(evt.EVT_N_CREATE, ris.on_create), (evt.EVT_N_SET, ris.on_set), (evt.EVT_C_FIND, ris.on_find)]
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    ris.port = server.server_address[1]
    yield ris
    server.shutdown()
    server.server_close()


@pytest.fixture
def ris(listening: Ris) -> Ris:
    fresh = Ris(port=listening.port)
    listening.__dict__.update(fresh.__dict__)
    return listening


def said(audit: Audit) -> list[tuple[str, str, str]]:
    return [(event.type, event.outcome, str(event.object.get("status", event.reason))) for event in audit.events]


@pytest.fixture
def audit() -> Audit:
    return Audit()


Start = Callable[..., Any]


@pytest.fixture
async def start(audit: Audit) -> AsyncIterator[Start]:
    """``await start(port, calling, sop_classes)``: a server in front of a clinical system at that port."""
    servers: list[DimseServer] = []

    async def begin(port: int, calling: str = "", only: tuple[str, ...] = (MPPS, WORKLIST), who: Any = None) -> int:
        system = System(Destination("127.0.0.1", port, "RIS", calling, 5.0), frozenset(only))
        of = {"research": (Verification(), Relay(system, audit)), "other": (Verification(),)}
        gate = who or Routes({"VEIL": "research", "OTHER": "other"})
        server = DimseServer(
            "127.0.0.1", 0, Bounds(131072, Patience(20, 10), 50, 50), gate, lambda project: of[project]
        )
        await server.start()
        servers.append(server)
        return server.port

    yield begin
    for server in servers:
        await server.stop(0)


def modality(port: int, called: str = "VEIL") -> Any:
    ae = AE("CT1")
    ae.acse_timeout = ae.dimse_timeout = 10
    for uid in (MPPS, WORKLIST, "1.2.840.10008.1.1"):
        ae.add_requested_context(uid)
    return ae.associate("127.0.0.1", port, ae_title=called)


async def over(port: int, work: Callable[[Any], Any]) -> Any:
    """``work`` on an association of a modality, in a thread."""

    def run() -> Any:
        association = modality(port)
        assert association.is_established
        try:
            return work(association)
        finally:
            association.release()

    return await asyncio.to_thread(run)


def created(association: Any) -> Any:
    return association.send_n_create(step(), MPPS, STEP)


async def test_a_step_reaches_the_ris_as_it_is_and_its_answer_comes_back(start: Start, ris: Ris, audit: Audit) -> None:
    def answer(event: Any) -> tuple[int, Dataset]:
        told = Dataset()
        told.PatientName, told.SpecificCharacterSet = NAME, "ISO_IR 100"
        return 0x0000, told

    ris.create = answer
    port = await start(ris.port)
    status, told = await over(port, created)
    assert (status.Status, told.PatientName) == (0, NAME)
    assert ris.sent == [_implicit(step())]
    assert (ris.commands[0].AffectedSOPClassUID, ris.commands[0].AffectedSOPInstanceUID) == (MPPS, STEP)
    assert ris.callers == ["CT1"], "the RIS sees who it is"
    changed, _ = await over(port, lambda association: association.send_n_set(step(), MPPS, STEP))
    assert changed.Status == 0
    assert ris.commands[1].RequestedSOPInstanceUID == STEP
    assert [what for what, *_ in said(audit)] == ["relaying", "relayed"] * 2
    assert STEP not in str(audit.events)
    assert "Quasten" not in str(audit.events)


def _implicit(dataset: Dataset) -> bytes:
    from pynetdicom.dsutils import encode

    data = encode(dataset, True, True)
    assert data is not None
    return data


@pytest.mark.parametrize("status", [0x0111, 0x0110, 0x0106, 0x0116])
async def test_what_the_ris_refuses_is_refused(start: Start, ris: Ris, audit: Audit, status: int) -> None:
    def refuse(event: Any) -> tuple[Any, None]:
        told = Dataset()
        told.Status, told.ErrorComment, told.ErrorID = status, "no longer updated", 0xA710
        return told, None

    ris.create = refuse
    answer, _ = await over(await start(ris.port, calling="VEIL-MPPS"), created)
    assert (answer.Status, answer.ErrorComment, answer.ErrorID) == (status, "no longer updated", 0xA710)
    assert said(audit)[-1] == ("relayed", "success", f"{status:04X}")
    assert ris.callers == ["VEIL-MPPS"]


async def test_without_an_answer_of_the_ris_nothing_succeeds(start: Start, ris: Ris, audit: Audit) -> None:
    def leave(event: Any) -> tuple[int, None]:
        event.assoc.abort()
        return 0x0000, None

    ris.create = leave
    answer, _ = await over(await start(ris.port), created)
    assert answer.Status == 0x0110
    assert said(audit)[-1][:2] == ("relayed", "failure")
    nobody = await start(9)
    answer, _ = await over(nobody, created)
    assert answer.Status == 0x0110
    found = await over(nobody, lambda association: list(association.send_c_find(scheduled(0), WORKLIST)))
    assert [status.Status for status, _ in found] == [0xA700]


async def test_a_ris_without_the_sop_class_is_a_failure(start: Start, audit: Audit) -> None:
    ae = AE("RIS")
    ae.add_supported_context("1.2.840.10008.1.1")
    server = ae.start_server(("127.0.0.1", 0), block=False)
    answer, _ = await over(await start(server.server_address[1]), created)
    server.shutdown()
    server.server_close()
    assert answer.Status == 0x0110
    assert said(audit)[-1][:2] == ("relayed", "failure")


def scheduled(number: int) -> Dataset:
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.PatientName, dataset.AccessionNumber = NAME, str(number)
    return dataset


async def test_a_worklist_comes_as_it_is(start: Start, ris: Ris, audit: Audit) -> None:
    ris.find = lambda event: iter([(0xFF01, scheduled(1)), (0xFF00, scheduled(2))])
    question = scheduled(0)
    found = await over(await start(ris.port), lambda association: list(association.send_c_find(question, WORKLIST)))
    assert [status.Status for status, _ in found] == [0xFF01, 0xFF00, 0x0000]
    assert [(match.PatientName, match.AccessionNumber) for _, match in found[:2]] == [(NAME, "1"), (NAME, "2")]
    assert ris.sent == [_implicit(question)]
    assert audit.events[-1].object["matches"] == 2
    assert "Quasten" not in str(audit.events)


async def test_a_cancel_is_passed_on(start: Start, ris: Ris, audit: Audit) -> None:
    cancelled = threading.Event()

    def endless(event: Any) -> Iterator[tuple[int, Dataset | None]]:
        for number in range(100_000):
            if event.is_cancelled:
                cancelled.set()
                yield 0xFE00, None
                return
            yield 0xFF00, scheduled(number)

    def ask(association: Any) -> list[int]:
        statuses = []
        for status, _ in association.send_c_find(scheduled(0), WORKLIST, msg_id=7):
            statuses.append(status.Status)
            if len(statuses) == 3:
                association.send_c_cancel(7, query_model=WORKLIST)
        return statuses

    ris.find = endless
    statuses = await over(await start(ris.port), ask)
    assert statuses[-1] == 0xFE00
    assert await asyncio.to_thread(cancelled.wait, 10)
    assert said(audit)[-1] == ("relayed", "success", "FE00")


async def test_what_is_not_configured_is_not_negotiated(start: Start, ris: Ris) -> None:
    def accepted(called: str) -> set[str]:
        association = modality(port, called)
        uids = {context.abstract_syntax for context in association.accepted_contexts}
        association.release()
        return uids - {"1.2.840.10008.1.1"}

    port = await start(ris.port, only=(MPPS,))
    assert await asyncio.to_thread(accepted, "VEIL") == {MPPS}
    assert await asyncio.to_thread(accepted, "OTHER") == set()


async def test_no_record_no_relay(start: Start, ris: Ris, audit: Audit) -> None:
    audit.broken = True
    answer, _ = await over(await start(ris.port), created)
    assert (answer.Status, ris.sent) == (0x0110, [])


async def test_who_may_not_store_sees_no_worklist(start: Start, ris: Ris, audit: Audit) -> None:
    class Readers:
        async def admit(self, *_: Any) -> Anybody:
            return Anybody("research", Caller("workstation", {"research": frozenset({Verb.SEARCH, Verb.RETRIEVE})}))

    port = await start(ris.port, who=Readers())
    found = await over(port, lambda association: list(association.send_c_find(scheduled(0), WORKLIST)))
    assert [status.Status for status, _ in found] == [0x0124]
    assert (ris.sent, audit.events[-1].type) == ([], "denied")


async def test_other_operations_of_these_classes_are_not_recognised(start: Start, ris: Ris) -> None:
    status, _ = await over(await start(ris.port), lambda association: association.send_n_action(None, 1, MPPS, STEP))
    assert status.Status == 0x0211
