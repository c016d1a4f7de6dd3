"""What a PACS that speaks only DIMSE is asked, and what becomes of answers that fail, never end or never come."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pynetdicom import AE, StoragePresentationContexts, evt

from proxy.deid.types import Claimed
from proxy.dimse import finding, levels, pool
from proxy.dimse.acceptor import Bounds, Routes
from proxy.dimse.deadline import Patience
from proxy.dimse.finding import STUDY_ROOT_FIND
from proxy.dimse.getting import STUDY_ROOT_GET, ladder
from proxy.dimse.levels import Level, TooBroad, descend, identifier
from proxy.dimse.message import Message
from proxy.dimse.moving import STUDY_ROOT_MOVE, Arrival, Arrivals, Reception
from proxy.dimse.requestor import Destination
from proxy.dimse.server import DimseServer
from proxy.dimse.services import Service
from proxy.dimse.sink import Sink
from proxy.dimse.upstream import DimseUpstream, MoveTo
from proxy.service.ports import Peer
from proxy.service.upstream import Question, Reference, UpstreamError
from proxy.wire.command import C_CANCEL_RQ, C_FIND_RQ, C_GET_RQ
from proxy.wire.dicom_json import Json, first_value
from proxy.workers.arena import Arena
from tests.dimse.overlapping import overlapping

CT = "1.2.840.10008.5.1.4.1.1.2"
REFERENCE = Reference("1.2.1", "1.2.2", "1.2.3", CT)


def match(number: int) -> Dataset:
    ds = Dataset()
    ds.QueryRetrieveLevel, ds.RetrieveAETitle = "STUDY", "PACS"
    ds.StudyInstanceUID, ds.PatientName = f"1.2.{number}", "Quastenflosser"
    return ds


def stored(uid: str = "1.2.3", size: int = 64) -> Dataset:
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID, ds.StudyInstanceUID = CT, uid, "1.2.1"
    ds.add_new(0x7FE00010, "OW", bytes(size))
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    return ds


@dataclass
class Pacs:
    """Answers what the test says, and counts."""

    find: Callable[[evt.Event], Iterator[Any]] = lambda event: iter(())
    get: Callable[[evt.Event], Iterator[Any]] = lambda event: iter((0,))
    asked: list[Dataset] = field(default_factory=list)
    associations: int = 0
    ended: int = 0
    port: int = 0

    def on_find(self, event: evt.Event) -> Iterator[Any]:
        self.asked.append(event.identifier)
        yield from self.find(event)

    def on_get(self, event: evt.Event) -> Iterator[Any]:
        yield from self.get(event)

    def begun(self, event: evt.Event) -> None:
        self.associations += 1

    def over(self, event: evt.Event) -> None:
        self.ended += 1


@pytest.fixture
def pacs() -> Iterator[Pacs]:
    pacs, ae = Pacs(), AE("PACS")
    ae.require_called_aet = True
    for uid in (STUDY_ROOT_FIND, STUDY_ROOT_GET, STUDY_ROOT_MOVE):
        ae.add_supported_context(uid)
    for context in StoragePresentationContexts:
        ae.add_supported_context(context.abstract_syntax, scu_role=True, scp_role=True)
    handlers = [
        (evt.EVT_C_FIND, pacs.on_find), (evt.EVT_C_GET, pacs.on_get), (evt.EVT_ESTABLISHED, pacs.begun),
        (evt.EVT_CONN_CLOSE, pacs.over),
    ]  # fmt: skip
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    pacs.port = server.server_address[1]
    yield pacs
    server.shutdown()
    server.server_close()


def upstream_of(port: int, called: str = "PACS", seconds: float = 1.0, to: MoveTo | None = None) -> DimseUpstream:
    return DimseUpstream("old", Destination("127.0.0.1", port, called, "VEIL", seconds), seconds, 2, to)


@pytest.fixture
async def old(pacs: Pacs) -> AsyncIterator[DimseUpstream]:
    upstream = upstream_of(pacs.port)
    yield upstream
    await upstream.close()


def endless(heeds: bool) -> Callable[[evt.Event], Iterator[Any]]:
    def find(event: evt.Event) -> Iterator[Any]:
        for number in range(1 << 30):
            if heeds and event.is_cancelled:
                yield 0xFE00, None
                return
            if heeds and number > 2:
                time.sleep(0.01)  # pynetdicom looks for a C-CANCEL when it has nothing to send
            yield 0xFF00, match(number)

    return find


async def test_a_limit_cancels_the_search_and_the_association_stays(old: DimseUpstream, pacs: Pacs) -> None:
    pacs.find = endless(heeds=True)
    for _ in range(3):
        found = await old.search(Question("study", {}, limit=2, offset=1))
        assert [first_value(each, "0020000D") for each in found] == ["1.2.1", "1.2.2"]
        assert "00080054" not in found[0]
    assert pacs.associations == 1


async def test_a_pacs_that_does_not_heed_a_cancel_is_left(
    old: DimseUpstream, pacs: Pacs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "_AFTER_CANCEL", 20)
    pacs.find = endless(heeds=False)
    with pytest.raises(UpstreamError, match="too-many"):
        await old.search(Question("study", {}, limit=2))
    pacs.find = lambda event: iter([(0xFF00, match(1))])
    assert len(await old.search(Question("study", {}))) == 1
    assert pacs.associations == 2


async def test_failures_are_told_by_their_code(old: DimseUpstream, pacs: Pacs) -> None:
    pacs.find = lambda event: iter([(0xFF00, match(1)), (0xA700, None)])
    with pytest.raises(UpstreamError) as caught:
        await old.search(Question("study", {}))
    assert str(caught.value) == "upstream old: A700"
    pacs.find = lambda event: iter([(0xFF00, match(1))])  # it has it
    pacs.get = lambda event: iter([1, (0xA702, None)])
    with Arena(1 << 20) as arena, pytest.raises(UpstreamError, match="A702"):
        await old.fetch(REFERENCE, arena)


async def test_silence_is_late_and_an_abort_is_not(old: DimseUpstream, pacs: Pacs) -> None:
    done = threading.Event()

    def silent(event: evt.Event) -> Iterator[Any]:
        done.wait(4)
        yield 0xFF00, match(1)

    pacs.find = silent
    with pytest.raises(UpstreamError) as caught:
        await old.search(Question("study", {}))
    assert caught.value.late
    done.set()

    def abort(event: evt.Event) -> Iterator[Any]:
        event.assoc.abort()
        yield 0xFF00, match(1)

    pacs.find = abort
    with pytest.raises(UpstreamError) as caught:
        await old.search(Question("study", {}))
    assert not caught.value.late


async def test_nobody_there_and_nobody_of_that_name(pacs: Pacs) -> None:
    for port, called, code in ((1, "PACS", "no-association"), (pacs.port, "OTHER", "A-ASSOCIATE-RJ 1/1/7")):
        upstream = upstream_of(port, called)
        with pytest.raises(UpstreamError) as caught:
            await upstream.search(Question("study", {}))
        assert caught.value.code == code
        await upstream.close()


async def test_an_association_that_the_pacs_ended_meanwhile_costs_nothing(old: DimseUpstream, pacs: Pacs) -> None:
    def once(event: evt.Event) -> Iterator[Any]:
        yield 0xFF00, match(1)
        threading.Timer(0.05, event.assoc.abort).start()

    pacs.find = once
    for _ in range(2):
        assert len(await old.search(Question("study", {}))) == 1
        await asyncio.sleep(0.3)
    assert pacs.associations == 2


async def test_idle_associations_are_released(old: DimseUpstream, pacs: Pacs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "IDLE_SECONDS", 0.1)
    await old.search(Question("study", {}))
    until = time.monotonic() + 3
    while not pacs.ended and time.monotonic() < until:
        await asyncio.sleep(0.02)
    assert pacs.ended == 1


async def test_an_instance_comes_into_the_arena(old: DimseUpstream, pacs: Pacs) -> None:
    pacs.get = lambda event: iter([1, (0xFF00, stored())])
    with Arena(1 << 20) as arena:
        assert await old.fetch(REFERENCE, arena)
        assert bytes(arena.view()[128:132]) == b"DICM"
        assert bytes(arena.view()).endswith(bytes(64))
    pacs.get = lambda event: iter([0])
    with Arena(1 << 20) as arena:
        assert not await old.fetch(REFERENCE, arena)
    pacs.get = lambda event: iter([1, (0xC000, None)])  # some fail where they have nothing
    with Arena(1 << 20) as arena:
        assert not await old.fetch(REFERENCE, arena)


async def test_another_instance_and_one_that_is_too_large(old: DimseUpstream, pacs: Pacs) -> None:
    pacs.find = lambda event: iter([(0xFF00, match(1))])  # it has it
    pacs.get = lambda event: iter([1, (0xFF00, stored("1.2.9"))])
    with Arena(1 << 20) as arena:
        with pytest.raises(UpstreamError):
            await old.fetch(REFERENCE, arena)
        assert arena.size == 0
    pacs.get = lambda event: iter([1, (0xFF00, stored(size=1 << 20))])
    with Arena(1 << 18) as arena, pytest.raises(UpstreamError, match="too-large"):
        await old.fetch(REFERENCE, arena)


async def test_a_task_that_is_cancelled_ends_its_association_at_once(pacs: Pacs) -> None:
    upstream, done = upstream_of(pacs.port, seconds=30.0), threading.Event()

    def silent(event: evt.Event) -> Iterator[Any]:
        done.wait(10)
        yield 0

    pacs.get = silent
    with Arena(1 << 20) as arena:
        task = asyncio.ensure_future(upstream.fetch(REFERENCE, arena))
        await asyncio.sleep(0.3)
        task.cancel()
        begun = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            await task
    await upstream.close()
    assert time.monotonic() - begun < 5
    done.set()


class Strange(Service):
    """Takes C-FIND alone, and answers with what a test says."""

    def __init__(self, *answers: tuple[int, bytes | None]) -> None:
        self.answers = answers

    def syntaxes(self, abstract: str) -> Collection[str] | None:
        return ("1.2.840.10008.1.2",) if abstract == STUDY_ROOT_FIND else None

    async def serve(self, message: Message) -> None:
        for status, data in self.answers:
            await message.respond(status, data)


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ([(0xFF00, b"\x08\x00\x40\x11\xff\xff\xff\xff\xfe\xff\x00\xe0\x10\0\0\0"), (0, None)], "unreadable"),
        ([(0xFF00, b"\x20\x00\x0d\x00\x04\x00\x00\x001.2\0"), (0xFE00, None)], ""),
        ([(0xC001, None)], "C001"),
    ],
)
async def test_answers_that_are_none(answers: list[tuple[int, bytes | None]], code: str) -> None:
    server = DimseServer(
        "127.0.0.1", 0, Bounds(16384, Patience(5.0), 5, 5), Routes({"PACS": "x"}), lambda project: (Strange(*answers),)
    )
    await server.start()
    upstream = upstream_of(server.port)
    if code:
        with pytest.raises(UpstreamError, match=f"upstream old: {code}"):
            await upstream.search(Question("study", {}))
    else:
        assert len(await upstream.search(Question("study", {}))) == 1
    with pytest.raises(UpstreamError, match="no-context"):
        await fetch(upstream)
    await upstream.close()
    await server.stop(0)


async def test_what_nobody_waits_for_any_more_is_cancelled_before_it_is_aborted() -> None:
    async with overlapping(None, together=100) as there:
        upstream = upstream_of(there.port, seconds=30.0)
        for ask, field_ in ((upstream.instances("1.2.1"), C_FIND_RQ), (fetch(upstream), C_GET_RQ)):
            there.heard = []
            task = asyncio.ensure_future(ask)
            while not there.heard:
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.sleep(0.05)
            assert there.heard == [field_, C_CANCEL_RQ]
        await upstream.close()
        assert there.associations == 2


async def fetch(upstream: DimseUpstream) -> Any:
    with Arena(1 << 20) as arena:
        return await upstream.fetch(REFERENCE, arena)


class Ingest:
    """Remembers for which project it was called."""

    def __init__(self) -> None:
        self.projects: list[str] = []

    async def receive(self, project: str, arena: Arena, claimed: Claimed, peer: Peer) -> Any:
        self.projects.append(project)
        return Arrival(True)


async def test_arrivals_take_what_is_awaited_and_nothing_else() -> None:
    arrivals, ingest, peer = Arrivals(), Ingest(), Peer("dimse")
    reception = Reception(ingest, arrivals)

    async def comes(destination: str, uid: str) -> bool:
        with Arena(100) as coming:
            coming.write(b"DICM" * 5)
            return (await reception.receive(destination, coming, Claimed(CT, uid), peer)).stored

    assert not await comes("upstream:old", "1.2.3")
    with Arena(100) as arena:
        async with arrivals.expect("upstream:old", Sink("old", "1.2.3", arena)):
            assert not await comes("upstream:old", "1.2.4")
            assert not await comes("upstream:new", "1.2.3")
            assert await comes("upstream:old", "1.2.3")
            assert not await comes("upstream:old", "1.2.3")
        assert bytes(arena.view()) == b"DICM" * 5
    assert not await comes("upstream:old", "1.2.3")
    assert await comes("research", "1.2.3")
    assert ingest.projects == ["research"]


async def test_two_who_wait_for_the_same_instance_wait_one_after_the_other() -> None:
    arrivals, order = Arrivals(), []

    async def wait(name: str) -> None:
        with Arena(100) as arena:
            async with arrivals.expect("upstream:old", Sink(name, "1.2.3", arena)):
                order.append(name)
                await asyncio.sleep(0.01)
                order.append(name)

    await asyncio.gather(wait("a"), wait("b"))
    assert order == ["a", "a", "b", "b"]


async def asked(question: Question, answers: dict[str, list[Json]]) -> tuple[list[Json], list[Level]]:
    levels: list[Level] = []

    async def ask(level: Level, most: int) -> list[Json]:
        levels.append(level)
        return answers.get(level.name, [])

    return await descend(question, ask), levels


def json(tag: str, *uids: str) -> list[Json]:
    return [{tag: {"vr": "UI", "Value": [uid]}} for uid in uids]


async def test_levels_whose_uid_is_given_are_not_asked_for() -> None:
    found, levels = await asked(
        Question("instance", {"StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.3"}),
        {"instance": json("00080018", "1.4", "1.5")},
    )
    assert [level.name for level in levels] == ["instance"]
    assert levels[0].keys == {"StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.3"}
    assert [first_value(each, tag) for each in found[:1] for tag in ("0020000D", "0020000E")] == ["1.2", "1.3"]


async def test_a_question_across_levels_goes_down_and_stops_when_there_is_enough() -> None:
    answers = {"study": json("0020000D", "1.1", "1.2", "1.3"), "series": json("0020000E", "1.4", "1.5")}
    found, levels = await asked(Question("series", {"PatientID": "7", "Modality": "CT"}, limit=3), answers)
    assert [level.name for level in levels] == ["study", "series", "series"]
    assert levels[0].keys == {"PatientID": "7"}
    assert levels[1].keys == {"StudyInstanceUID": "1.1", "Modality": "CT"}
    assert [first_value(each, "0020000D") for each in found] == ["1.1", "1.1", "1.2"]


async def test_a_question_that_takes_too_many_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(levels, "_MOST_FINDS", 2)
    with pytest.raises(TooBroad):
        await asked(Question("series", {}), {"study": json("0020000D", "1.1", "1.2", "1.3")})


def test_identifiers() -> None:
    keys = {
        "StudyDate": "20200101-20200131", "PatientName": "Mü*", "Rows": "many", "SeriesNumber": "x", "Unheard": "1",
        "RequestAttributesSequence.RequestedProcedureID": "P1",
    }  # fmt: skip
    dataset = identifier(Level("series", keys, ("Modality", "RequestAttributesSequence")))
    assert dataset.QueryRetrieveLevel == "SERIES"
    assert dataset.SpecificCharacterSet == "ISO_IR 192"
    assert (dataset.StudyDate, dataset.PatientName) == ("20200101-20200131", "Mü*")
    assert not dataset.Modality
    assert (dataset.Rows, dataset.SeriesNumber) == (None, None)
    item = dataset.RequestAttributesSequence[0]
    assert item.RequestedProcedureID == "P1"
    assert not item.ScheduledProcedureStepID


@pytest.mark.parametrize("sop_class", [CT, ""])
def test_proposals_fit_an_association(sop_class: str) -> None:
    for proposal in ladder(sop_class):
        assert len(proposal.contexts) <= 128
        storage = {uid for uid, _ in proposal.contexts} - {STUDY_ROOT_FIND, STUDY_ROOT_GET}
        assert proposal.roles == dict.fromkeys(storage, (False, True))
    assert len({proposal.kind for proposal in ladder(sop_class)}) == len(ladder(sop_class))
