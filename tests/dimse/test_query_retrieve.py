"""C-GET and C-MOVE: sub-operations, their counts, cancel, failures; what a view gives and what not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset

from proxy.archive.archive import EmbeddedArchive
from proxy.dimse.association import AssociationLost
from proxy.dimse.connecting import AssociationRejected, ConnectionFailed
from proxy.dimse.query_get import Get
from proxy.dimse.query_move import Move
from proxy.service.callers import Caller, Verb
from proxy.service.retrieve import Retrieve
from proxy.service.search import Search
from proxy.service.upstream import UpstreamError
from proxy.wire.command import C_GET_RQ, C_MOVE_RQ
from proxy.wire.negotiation import CALLING_AE_UNKNOWN, ProposedContext
from proxy.wire.uri import Query
from proxy.wire.vr import EXPLICIT_LE, IMPLICIT_LE
from tests.dimse.conversation import CT, Conversation, keys, part10
from tests.service.fakes import Audit
from tests.service.test_view_search import SURFACE
from tests.service.viewing import PEER, ROOT, Site, pacs_of, small, viewing
from tests.system.planting import MARKERS

GET, MOVE = "1.2.840.10008.5.1.4.1.2.2.3", "1.2.840.10008.5.1.4.1.2.2.2"
PATIENT_GET = "1.2.840.10008.5.1.4.1.2.1.3"
STUDY, SERIES = f"{ROOT}1.100000001", f"{ROOT}2.100000001"
FILES = [small(1, SOPInstanceUID=f"{ROOT}3.{n}", InstanceNumber=n) for n in range(1, 6)]


class Place:
    """Somewhere to retrieve from: an archive, or a view."""

    def __init__(self, search: Any, retrieve: Any, audit: Any) -> None:
        self.search, self.retrieve, self.audit = search, retrieve, audit

    async def get(self, level: str = "STUDY", model: str = GET, peer: Conversation | None = None, **values: Any) -> Any:
        service = Get(self.search, self.retrieve, self.audit)
        peer = peer or Conversation().offer((CT, EXPLICIT_LE), scp=True)
        await service.serve(peer.message(service, C_GET_RQ, model, keys(level, **values)))
        return peer


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[Place]:
    """Five instances of one study, another of another patient."""
    kept, audit = EmbeddedArchive(tmp_path / "archive"), Audit()
    await kept.start()
    for number, data in enumerate([*FILES, small(2)]):
        await kept.store("research", part10(tmp_path, data, (str(number),)))
    yield Place(Search(kept, audit), Retrieve(kept, audit), audit)
    await kept.close()


async def test_get_on_the_same_association(archive: Place) -> None:
    peer = await archive.get(StudyInstanceUID=STUDY)
    assert peer.instances == [f"{ROOT}3.{n}" for n in range(1, 6)]
    assert {dataset.StudyInstanceUID for _, dataset in peer.stored} == {STUDY}
    assert not any("MoveOriginatorMessageID" in command for command, _ in peer.stored)
    assert peer.final.status == 0
    assert peer.final.elements == {
        "NumberOfCompletedSuboperations": 5,
        "NumberOfFailedSuboperations": 0,
        "NumberOfWarningSuboperations": 0,
    }
    assert peer.final.identifier is None
    (first, *_) = peer.responses
    assert (first.status, first.elements["NumberOfRemainingSuboperations"]) == (0xFF00, 4)


async def test_levels_and_lists(archive: Place) -> None:
    within = {"StudyInstanceUID": STUDY, "SeriesInstanceUID": SERIES}
    assert len((await archive.get("SERIES", **within)).stored) == 5
    some = [f"{ROOT}3.2", f"{ROOT}3.4", f"{ROOT}3.99"]
    peer = await archive.get("IMAGE", **within, SOPInstanceUID=some)
    assert (peer.instances, peer.final.status) == (some[:2], 0)
    both = [STUDY, f"{ROOT}1.100000002"]
    assert len((await archive.get(StudyInstanceUID=both)).stored) == 6
    nothing = await archive.get(StudyInstanceUID="1.2.3")
    assert (nothing.statuses, nothing.stored) == ([0], [])


async def test_a_patient_and_what_is_not_his(archive: Place) -> None:
    mine = (await archive.get("STUDY", StudyInstanceUID=STUDY)).stored[0][1].PatientID
    assert len((await archive.get("PATIENT", PATIENT_GET, PatientID=mine)).stored) == 5
    assert len((await archive.get("STUDY", PATIENT_GET, PatientID=mine, StudyInstanceUID=STUDY)).stored) == 5
    other = f"{ROOT}1.100000002"
    assert (await archive.get("STUDY", PATIENT_GET, PatientID=mine, StudyInstanceUID=other)).stored == []
    assert (await archive.get("STUDY", PATIENT_GET, StudyInstanceUID=STUDY)).statuses == [0xA900]


async def test_relational(archive: Place) -> None:
    for extended, number in ((b"\1", 1), (b"", 0)):
        peer = Conversation(extended=extended).offer((CT, EXPLICIT_LE), scp=True)
        await archive.get("IMAGE", peer=peer, SOPInstanceUID=f"{ROOT}3.2")
        assert len(peer.stored) == number


async def test_the_syntax_that_the_peer_takes(archive: Place) -> None:
    peer = await archive.get(peer=Conversation().offer((CT, IMPLICIT_LE), scp=True), StudyInstanceUID=STUDY)
    assert (len(peer.stored), peer.final.status) == (5, 0)


async def test_no_context_with_the_role_of_an_scp(archive: Place) -> None:
    peer = await archive.get(peer=Conversation().offer((CT, EXPLICIT_LE), scp=False), StudyInstanceUID=STUDY)
    assert (peer.stored, peer.final.status) == ([], 0xA702)
    assert peer.final.elements["NumberOfFailedSuboperations"] == 5
    assert len(peer.final.identifier.FailedSOPInstanceUIDList) == 5


async def test_failures_and_warnings(archive: Place) -> None:
    peer = Conversation(verdicts=[0xB000, 0xA700, OSError()]).offer((CT, EXPLICIT_LE), scp=True)
    await archive.get(peer=peer, StudyInstanceUID=STUDY)
    counts = [peer.final.elements[f"NumberOf{kind}Suboperations"] for kind in ("Completed", "Failed", "Warning")]
    assert (peer.final.status, counts) == (0xB000, [2, 2, 1])
    assert peer.final.identifier.FailedSOPInstanceUIDList == [f"{ROOT}3.2", f"{ROOT}3.3"]


async def test_a_file_that_has_gone(archive: Place, tmp_path: Path) -> None:
    next((tmp_path / "archive").rglob("*3.3.dcm")).unlink()
    peer = await archive.get(StudyInstanceUID=STUDY)
    assert (len(peer.stored), peer.final.status) == (4, 0xB000)
    assert peer.final.identifier.FailedSOPInstanceUIDList == f"{ROOT}3.3"


async def test_cancel(archive: Place) -> None:
    peer, service = Conversation(pause=asyncio.Event()), Get(archive.search, archive.retrieve, archive.audit)
    peer.offer((CT, EXPLICIT_LE), scp=True)
    message = peer.message(service, C_GET_RQ, GET, keys("STUDY", StudyInstanceUID=STUDY))
    serving = asyncio.ensure_future(service.serve(message))
    await asyncio.sleep(0.05)
    message.cancelled.set()
    assert peer.pause is not None
    peer.pause.set()  # the instance under way is not torn
    await serving
    assert (peer.final.status, len(peer.stored)) == (0xFE00, 1)
    assert peer.final.elements["NumberOfRemainingSuboperations"] == 4


async def test_who_may_not_retrieve(archive: Place) -> None:
    caller = Caller("ct1", {"research": frozenset({Verb.SEARCH})})
    peer = await archive.get(peer=Conversation(caller=caller), StudyInstanceUID=STUDY)
    assert peer.statuses == [0x0124]


class Third:
    """A destination of C-MOVE; each association that is opened is a conversation."""

    def __init__(self, *verdicts: int | Exception, error: Exception | None = None) -> None:
        self.verdicts, self.error = list(verdicts), error
        self.opened: list[tuple[str, list[ProposedContext]]] = []
        self.associations: list[Conversation] = []

    async def open(self, calling: str, contexts: Sequence[ProposedContext]) -> Any:
        if self.error is not None:
            raise self.error
        self.opened.append((calling, list(contexts)))
        peer = Conversation(verdicts=self.verdicts)
        self.associations.append(peer.offer(*((c.abstract, c.syntaxes[0]) for c in contexts)))
        return peer


async def move(place: Place, third: Third, to: str = "WS1", **values: Any) -> Conversation:
    table = {"research": {"WS1": third.open}, "other": {"WS2": third.open}}
    service, peer = Move(place.search, place.retrieve, place.audit, table), Conversation()
    identifier: Dataset = keys("STUDY", **values)
    await service.serve(peer.message(service, C_MOVE_RQ, MOVE, identifier, MoveDestination=to))
    return peer


async def test_move_to_a_third_party(archive: Place) -> None:
    third = Third()
    peer = await move(archive, third, StudyInstanceUID=STUDY)
    assert (peer.final.status, peer.final.elements["NumberOfCompletedSuboperations"]) == (0, 5)
    ((calling, contexts),) = third.opened
    assert (calling, {(c.abstract, c.syntaxes) for c in contexts}) == (
        "VEIL",
        {(CT, (EXPLICIT_LE,)), (CT, (IMPLICIT_LE,))},
    )
    (association,) = third.associations
    assert association.instances == [f"{ROOT}3.{n}" for n in range(1, 6)]
    assert {command.text("MoveOriginatorApplicationEntityTitle") for command, _ in association.stored} == {"WS9"}
    assert {command.number("MoveOriginatorMessageID") for command, _ in association.stored} == {7}
    assert association.ends == ["released"]
    assert archive.audit.events[-1].object["destination"] == "WS1"


@pytest.mark.parametrize("to", ["WS2", "nobody", ""])
async def test_a_destination_that_is_not_of_the_project(archive: Place, to: str) -> None:
    third, before = Third(), len(archive.audit.events)
    peer = await move(archive, third, to, StudyInstanceUID=STUDY)
    assert (peer.statuses, third.opened, len(archive.audit.events)) == ([0xA801], [], before)


@pytest.mark.parametrize("error", [ConnectionFailed("ECONNREFUSED"), AssociationRejected(CALLING_AE_UNKNOWN)])
async def test_a_destination_that_cannot_be_reached(archive: Place, error: Exception) -> None:
    peer = await move(archive, Third(error=error), StudyInstanceUID=STUDY)
    assert peer.statuses == [0xA702]
    assert peer.final.elements["NumberOfFailedSuboperations"] == 5
    assert peer.final.identifier is not None


async def test_an_association_that_the_peer_ends(archive: Place) -> None:
    peer = Conversation(verdicts=[0, AssociationLost("aborted")]).offer((CT, EXPLICIT_LE), scp=True)
    with pytest.raises(AssociationLost):
        await archive.get(peer=peer, StudyInstanceUID=STUDY)


async def test_a_destination_that_ends_the_association(archive: Place) -> None:
    third = Third(0, AssociationLost("aborted"))
    peer = await move(archive, third, StudyInstanceUID=STUDY)
    assert (peer.final.status, peer.final.elements["NumberOfFailedSuboperations"]) == (0xB000, 1)


async def test_contexts_are_proposed_as_they_are_needed(archive: Place, tmp_path: Path) -> None:
    other = "1.2.840.10008.5.1.4.1.1.7"
    kept = archive.retrieve._archive
    await kept.store("research", part10(tmp_path, small(1, SOPInstanceUID=f"{ROOT}3.9", SOPClassUID=other), ("9",)))
    third = Third()
    peer = await move(archive, third, StudyInstanceUID=STUDY)
    assert (peer.final.status, [len(contexts) for _, contexts in third.opened]) == (0, [2, 4])


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    held = small(1, SOPInstanceUID=f"{ROOT}3.9", SOPClassUID=SURFACE)
    async with viewing(tmp_path, pacs=pacs_of(*FILES, held)) as made:
        yield made


async def test_a_view_gives_pseudonyms_and_nothing_that_is_held(site: Site) -> None:
    place, view = Place(site.search, site.retrieve, site.audit), site.view("research")
    unknown = await place.get(StudyInstanceUID=view.uid(STUDY))
    assert (unknown.statuses, site.pacs.calls) == ([0], [])  # it begins with a search
    await site.search.search("research", "study", {}, Query(), PEER)
    peer = await place.get(StudyInstanceUID=view.uid(STUDY))
    assert sorted(peer.instances) == sorted(view.uid(f"{ROOT}3.{n}") for n in range(1, 6))
    assert (peer.final.status, peer.final.elements["NumberOfFailedSuboperations"]) == (0, 0)
    said = repr((peer.stored, peer.responses, site.audit.events))
    assert not [marker for marker in MARKERS if marker in said]
    assert (await place.get(StudyInstanceUID=STUDY)).statuses == [0]
    mine = await place.get("PATIENT", PATIENT_GET, PatientID=peer.stored[0][1].PatientID)
    assert len(mine.stored) == 5


async def paused(site: Site) -> tuple[Conversation, asyncio.Future[Any]]:
    """A C-GET whose requester takes its time over the first instance."""
    await site.search.search("research", "study", {}, Query(), PEER)
    peer = Conversation(pause=asyncio.Event()).offer((CT, EXPLICIT_LE), scp=True)
    place = Place(site.search, site.retrieve, site.audit)
    serving = asyncio.ensure_future(place.get(peer=peer, StudyInstanceUID=site.view("research").uid(STUDY)))
    await asyncio.sleep(0.3)
    return peer, serving


async def test_the_first_instance_of_a_view_does_not_wait_for_the_others(site: Site) -> None:
    peer, serving = await paused(site)
    assert site.pacs.calls.count("fetch") <= 4
    assert peer.pause is not None
    peer.pause.set()
    await serving
    assert site.pacs.calls.count("fetch") == 6


async def test_trouble_of_the_pacs(site: Site) -> None:
    await site.search.search("research", "study", {}, Query(), PEER)
    place, study = Place(site.search, site.retrieve, site.audit), site.view("research").uid(STUDY)
    site.pacs.fault = UpstreamError("clinical", "down")
    assert (await place.get(StudyInstanceUID=study)).statuses == [0xA701]
    site.pacs.fault, site.audit.broken = None, True
    assert (await place.get(StudyInstanceUID=study)).statuses == [0xA701]


async def test_a_pacs_that_fails_under_way(site: Site) -> None:
    peer, serving = await paused(site)
    site.pacs.fault = UpstreamError("clinical", "down")
    assert peer.pause is not None
    peer.pause.set()
    await serving
    done, failed = (peer.final.elements[f"NumberOf{kind}Suboperations"] for kind in ("Completed", "Failed"))
    assert (peer.final.status, done + failed <= 6, failed > 0) == (0xA702, True, True)


async def test_a_peer_hears_of_a_slow_pacs(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.dimse.query_service.BEAT", 0.02)
    await site.search.search("research", "study", {}, Query(), PEER)
    site.pacs.delay = asyncio.Event()
    peer = Conversation().offer((CT, EXPLICIT_LE), scp=True)
    place = Place(site.search, site.retrieve, site.audit)
    serving = asyncio.ensure_future(place.get(peer=peer, StudyInstanceUID=site.view("research").uid(STUDY)))
    await asyncio.sleep(0.2)
    assert peer.statuses[:2] == [0xFF00, 0xFF00]
    site.pacs.delay.set()
    await serving
    assert peer.final.status == 0
