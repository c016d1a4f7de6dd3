"""Storage commitment with pynetdicom as the modality: asked by N-ACTION, told by N-EVENT-REPORT, here or there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pynetdicom import AE, build_role, evt

from proxy.dimse import reporting
from proxy.dimse.acceptor import Anybody, Routes
from proxy.dimse.commitment import StorageCommitment
from proxy.dimse.reporting import SOP_CLASS, SOP_INSTANCE, Requesters
from proxy.dimse.requestor import Destination
from proxy.dimse.server import Bounds, DimseServer, Patience
from proxy.dimse.services import Verification
from proxy.errors import AuditUnavailable
from proxy.service.callers import Caller, Verb
from proxy.service.commitment import UNKNOWN, Commitment
from proxy.service.commitment_reports import Reports
from proxy.service.ports import AuditEvent
from proxy.store.commitment_reports import GIVEN_UP, REPORTED, CommitmentReports
from proxy.store.commitments import Commitments
from proxy.store.database import Database

CT = "1.2.840.10008.5.1.4.1.1.2"
TRANSACTION = "1.2.826.4711"


@dataclass
class Modality:
    """Where reports come; by which way, from whom, in which role."""

    reports: list[tuple[str, int, Dataset]] = field(default_factory=list)
    callers: list[str] = field(default_factory=list)
    roles: list[tuple[bool, bool]] = field(default_factory=list)
    status: int = 0x0000
    port: int = 0

    def heard(self, way: str) -> Callable[[Any], tuple[int, None]]:
        def handler(event: Any) -> tuple[int, None]:
            self.reports.append((way, event.event_type, event.event_information))
            self.callers.append(event.assoc.requestor.ae_title)
            self.roles += [(r.scu_role, r.scp_role) for r in event.assoc.requestor.role_selection.values()]
            return self.status, None

        return handler


@pytest.fixture(scope="module")
def listening() -> Iterator[Modality]:
    """One for all tests: a server of pynetdicom takes half a second to stop."""
    modality, ae = Modality(), AE("CT1")
    ae.require_called_aet = True
    ae.add_supported_context(SOP_CLASS, scu_role=False, scp_role=True)
    server = ae.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, modality.heard("there"))]
    )
    modality.port = server.server_address[1]
    yield modality
    server.shutdown()
    server.server_close()


@pytest.fixture
def modality(listening: Modality) -> Modality:
    listening.reports, listening.callers, listening.roles, listening.status = [], [], [], 0x0000
    return listening


class Site:
    """Queue, audit and chance of a proxy that answers requests for commitment, and that proxy itself."""

    def __init__(self, database: Database, addresses: Mapping[str, Destination]) -> None:
        self.states: dict[str, frozenset[str]] = {"1.2.1": frozenset({"delivered"})}
        self.events: list[AuditEvent] = []
        self.broken = False
        self.who: Any = Routes({"VEIL": "research", "OTHER": "other"})
        requests = Commitments(database, bytes(32))
        self.kept = CommitmentReports(database, requests)
        policy: Any = SimpleNamespace(options=("rtn_uids",))
        self.commitment = Commitment(requests, self, self, lambda _: policy)
        self.requesters = Requesters(addresses)
        chance: Any = SimpleNamespace(uniform=lambda low, high: 0.02)
        self.reports = Reports(self.kept, self.commitment, self, self.requesters, rng=chance)

    async def standing(self, project: str, uids: Sequence[str]) -> Mapping[str, tuple[str, frozenset[str]]]:
        return {uid: (CT, self.states[uid]) for uid in uids if uid in self.states}

    async def record(self, *events: AuditEvent) -> None:
        if self.broken:
            raise AuditUnavailable("no sink")
        self.events += events

    async def start(self) -> None:
        await self.reports.start()
        promises = StorageCommitment(self.commitment, self, self.requesters, self.reports.wake)
        of = {"research": (Verification(), promises), "other": (Verification(),)}
        bounds = Bounds(131072, Patience(20, 10), 50, 50)
        self.server = DimseServer("127.0.0.1", 0, bounds, self.who, lambda project: of[project])
        await self.server.start()

    async def stop(self) -> None:
        await self.server.stop(0)
        await self.reports.stop()

    async def until(self, state: str) -> None:
        async with asyncio.timeout(10):
            while await self.kept.counts() != {state: 1}:
                await asyncio.sleep(0.01)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(tmp_path / "veil.db")
    yield opened
    await opened.close()


def address(port: int) -> dict[str, Destination]:
    return {"CT1": Destination("127.0.0.1", port, "CT1", "", 5.0)}


@pytest.fixture
async def site(database: Database, modality: Modality) -> AsyncIterator[Site]:
    made = Site(database, address(modality.port))
    await made.start()
    yield made
    await made.stop()


def request(*uids: str) -> Dataset:
    dataset = Dataset()
    dataset.TransactionUID = TRANSACTION
    dataset.ReferencedSOPSequence = Items(named(uid) for uid in uids)
    return dataset


def named(uid: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CT, uid
    return item


def associate(site: Site, modality: Modality, called: str = "VEIL") -> Any:
    ae = AE("CT1")
    ae.acse_timeout = ae.dimse_timeout = 10
    ae.add_requested_context(SOP_CLASS)
    ae.add_requested_context("1.2.840.10008.1.1")
    handlers = [(evt.EVT_N_EVENT_REPORT, modality.heard("here"))]
    return ae.associate("127.0.0.1", site.server.port, ae_title=called, evt_handlers=handlers)


async def ask(site: Site, modality: Modality, *uids: str, wait: bool = False) -> int:
    """The status of an N-ACTION; the association is released at once, or when a report was answered.

    When it has come is too soon: whose answer is lost by the release is sent the report again, and rightly.
    """
    association = await asyncio.to_thread(associate, site, modality)
    status, _ = await asyncio.to_thread(association.send_n_action, request(*uids), 1, SOP_CLASS, SOP_INSTANCE)
    if wait:
        await site.until(REPORTED)
    await asyncio.to_thread(association.release)
    return int(status.Status)


async def ask_and_leave(site: Site, modality: Modality) -> None:
    """The result is there when the association is gone: as long as it is not, it would go there."""
    site.states["1.2.1"] = frozenset({"waiting"})
    assert await ask(site, modality, "1.2.1") == 0
    await site.until("waiting")
    site.states["1.2.1"] = frozenset({"delivered"})
    site.reports.wake()


async def test_the_result_comes_on_the_association_that_asked(site: Site, modality: Modality) -> None:
    assert await ask(site, modality, "1.2.1", wait=True) == 0
    await site.until(REPORTED)
    ((way, kind, report),) = modality.reports
    assert (way, kind, report.TransactionUID) == ("here", 1, TRANSACTION)
    assert [item.ReferencedSOPInstanceUID for item in report.ReferencedSOPSequence] == ["1.2.1"]
    assert "FailedSOPSequence" not in report
    assert [event.type for event in site.events] == ["commitment-asked", "commitment", "commitment-reported"]
    assert site.events[0].peer["address"] == "127.0.0.1"
    assert TRANSACTION not in str(site.events)


async def test_what_was_never_here_has_failed(site: Site, modality: Modality) -> None:
    assert await ask(site, modality, "1.2.1", "1.2.9", wait=True) == 0
    _, kind, report = modality.reports[0]
    assert kind == 2
    (failed,) = report.FailedSOPSequence
    assert (failed.ReferencedSOPInstanceUID, failed.FailureReason) == ("1.2.9", UNKNOWN)
    assert len(report.ReferencedSOPSequence) == 1


async def test_later_it_comes_on_an_association_of_ours(site: Site, modality: Modality) -> None:
    await ask_and_leave(site, modality)
    await site.until(REPORTED)
    ((way, kind, _),) = modality.reports
    assert (way, kind, modality.callers) == ("there", 1, ["VEIL"]), "as whom it was asked"
    assert modality.roles == [(False, True)], "we are the SCP there, too"


async def test_who_says_that_we_may_not_be_the_scp_is_sent_nothing(database: Database, modality: Modality) -> None:
    ae = AE("CT1")
    ae.add_supported_context(SOP_CLASS, scu_role=True, scp_role=False)
    server = ae.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, modality.heard("there"))]
    )
    site = Site(database, address(server.server_address[1]))
    await site.start()
    await ask_and_leave(site, modality)
    await site.until("owed")
    await site.stop()
    server.shutdown()
    server.server_close()
    assert modality.reports == []


async def test_a_result_that_is_no_longer_young_goes_where_it_is_expected(
    site: Site, modality: Modality, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporting, "_YOUNG", -1.0)
    assert await ask(site, modality, "1.2.1", wait=True) == 0
    assert [way for way, *_ in modality.reports] == ["there"]


async def test_a_restart_loses_no_result(database: Database, modality: Modality) -> None:
    before = Site(database, {})
    before.states["1.2.1"] = frozenset({"in_flight"})
    await before.start()
    assert await ask(before, modality, "1.2.1") == 0
    await before.stop()
    after = Site(database, address(modality.port))
    await after.start()
    await after.until(REPORTED)
    await after.stop()
    assert [(way, kind) for way, kind, _ in modality.reports] == [("there", 1)]


async def test_a_requester_that_is_away_is_told_later(database: Database, modality: Modality) -> None:
    site = Site(database, address(9))
    await site.start()
    await ask_and_leave(site, modality)
    await site.until("owed")
    async with asyncio.timeout(10):
        while (await site.reports.status())["away"] != ["CT1"]:
            await asyncio.sleep(0.01)
    site.requesters._addresses = address(modality.port)
    await site.until(REPORTED)
    await site.stop()
    assert len(modality.reports) == 1


async def test_a_report_that_is_refused_is_given_up(site: Site, modality: Modality) -> None:
    modality.status = 0x0112
    assert await ask(site, modality, "1.2.1") == 0
    await site.until(GIVEN_UP)
    assert len(modality.reports) == 3
    assert (site.events[-1].type, site.events[-1].reason) == ("commitment-given-up", "0112")


@pytest.mark.parametrize(
    ("data", "action", "sop_class", "instance", "status"),
    [
        (request("1.2.1"), 2, SOP_CLASS, SOP_INSTANCE, 0x0123),
        (request("1.2.1"), 1, SOP_CLASS, "1.2.3", 0x0112),
        (request(), 1, SOP_CLASS, SOP_INSTANCE, 0x0114),
        (None, 1, SOP_CLASS, SOP_INSTANCE, 0x0114),
    ],
)
async def test_what_is_no_request_is_told_why(
    site: Site, modality: Modality, data: Any, action: int, sop_class: str, instance: str, status: int
) -> None:
    def work() -> int:
        association = associate(site, modality)
        answer, _ = association.send_n_action(data, action, sop_class, instance)
        association.release()
        return int(answer.Status)

    assert await asyncio.to_thread(work) == status
    assert (site.events, await site.kept.counts()) == ([], {})


async def test_a_transaction_is_asked_for_once(site: Site, modality: Modality) -> None:
    assert await ask(site, modality, "1.2.1", wait=True) == 0
    assert await ask(site, modality, "1.2.1") == 0x0131
    await site.until(REPORTED)
    assert len(modality.reports) == 1


async def test_no_record_no_promise(site: Site, modality: Modality) -> None:
    site.broken = True
    assert await ask(site, modality, "1.2.1") == 0x0213
    assert await site.kept.counts() == {}
    site.broken = False
    assert await ask(site, modality, "1.2.1") == 0, "it may ask again"


async def test_a_project_without_it_does_not_negotiate_it(site: Site, modality: Modality) -> None:
    association = await asyncio.to_thread(associate, site, modality, "OTHER")
    assert [context.abstract_syntax for context in association.accepted_contexts] == ["1.2.840.10008.1.1"]
    await asyncio.to_thread(association.release)


async def test_who_may_not_store_is_refused(database: Database, modality: Modality) -> None:
    class Readers:
        async def admit(self, *_: Any) -> Anybody:
            return Anybody("research", Caller("workstation", {"research": frozenset({Verb.SEARCH})}))

    site = Site(database, {})
    site.who = Readers()
    await site.start()
    assert await ask(site, modality, "1.2.1") == 0x0124
    assert [event.type for event in site.events] == ["denied"]
    await site.stop()


async def test_the_role_of_a_requester_is_answered(site: Site) -> None:
    """Who proposes to be both is told that we are the SCP here."""
    ae = AE("CT1")
    ae.add_requested_context(SOP_CLASS)
    role = build_role(SOP_CLASS, scu_role=True, scp_role=True)

    def work() -> tuple[bool, bool]:
        association = ae.associate("127.0.0.1", site.server.port, ae_title="VEIL", ext_neg=[role])
        (context,) = association.accepted_contexts
        association.release()
        return context.as_scu, context.as_scp

    assert await asyncio.to_thread(work) == (True, False)
