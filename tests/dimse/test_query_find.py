"""C-FIND: pages, patients, cancel, what is refused, and what trouble is told as."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from proxy.dimse.query_find import Find
from proxy.errors import AuditUnavailable, VeilError
from proxy.service.callers import Caller, Verb
from proxy.service.ports import Peer
from proxy.service.search import Found
from proxy.service.upstream import UpstreamError
from proxy.service.view import TooBroad
from proxy.wire.command import C_FIND_RQ, C_MOVE_RQ
from proxy.wire.uri import Query
from tests.dimse.conversation import Conversation, keys
from tests.service.fakes import Audit
from tests.service.viewing import ROOT, pacs_of, small, viewing
from tests.system.planting import MARKERS

PATIENT, STUDY = "1.2.840.10008.5.1.4.1.2.1.1", "1.2.840.10008.5.1.4.1.2.2.1"


class Search:
    """Has ``size`` studies of three patients; remembers what was asked."""

    def __init__(self, size: int = 7, error: VeilError | None = None, **found: Any) -> None:
        self.size, self.error, self.found = size, error, found
        self.asked: list[tuple[Any, ...]] = []
        self.gate: asyncio.Event | None = None
        self.ended = False

    async def search(self, project: str, level: str, within: Mapping[str, str], query: Query, peer: Peer) -> Found:
        self.asked.append((project, level, dict(within), query, peer))
        if self.gate is not None:
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                self.ended = True
                raise
        if self.error is not None:
            raise self.error
        assert query.limit
        rows = [
            {"0020000D": {"vr": "UI", "Value": [f"1.2.{n}"]}, "00100020": {"vr": "LO", "Value": [f"K-{n % 3}"]}}
            for n in range(query.offset, min(self.size, query.offset + query.limit))
        ]
        more = query.offset + query.limit < self.size
        return Found(rows, more, self.found.get("ignored", ()), self.found.get("refused", ()))


async def find(search: Any, level: str = "STUDY", model: str = STUDY, most: int = 100, **values: Any) -> Conversation:
    service, peer = Find(search, Audit(), most), Conversation()
    await service.serve(peer.message(service, C_FIND_RQ, model, keys(level, **values)))
    return peer


async def test_a_response_for_each_match() -> None:
    search = Search(7)
    peer = await find(search, StudyDate="20200101-", PatientID="", StudyInstanceUID="")
    assert peer.statuses == [0xFF00] * 7 + [0]
    ((project, level, within, query, who),) = search.asked
    assert (project, level, within, query.matches) == ("research", "study", {}, {"StudyDate": "20200101-"})
    assert who == Peer("dimse", "192.0.2.9", "WS9", "VEIL")
    first = peer.responses[0].identifier
    assert first is not None
    assert (first.StudyInstanceUID, first.PatientID, first.StudyDate) == ("1.2.0", "K-0", "")
    assert (first.QueryRetrieveLevel, first.RetrieveAETitle) == ("STUDY", "VEIL")


async def test_more_matches_than_one_answer_has() -> None:
    assert (await find(Search(7), most=5)).statuses == [0xFF00] * 5 + [0xB001]
    assert (await find(Search(5), most=5)).statuses == [0xFF00] * 5 + [0]
    assert (await find(Search(0))).statuses == [0]


async def test_pages_come_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.dimse.query_find.MOST", 3)
    search = Search(7)
    peer = await find(search)
    assert [(asked[3].limit, asked[3].offset) for asked in search.asked] == [(3, 0), (3, 3), (3, 6)]
    uids = [r.identifier.StudyInstanceUID for r in peer.responses if r.identifier is not None]
    assert uids == [f"1.2.{n}" for n in range(7)]


async def test_patients() -> None:
    peer = await find(Search(7), "PATIENT", PATIENT, PatientID="", NumberOfPatientRelatedStudies=None)
    assert peer.statuses == [0xFF00] * 3 + [0]
    found = [response.identifier for response in peer.responses if response.identifier is not None]
    assert [(one.PatientID, one.NumberOfPatientRelatedStudies) for one in found] == [("K-0", 3), ("K-1", 2), ("K-2", 2)]


async def test_keys_that_are_not_supported_are_told() -> None:
    assert (await find(Search(2), InstitutionName="")).statuses == [0xFF01, 0xFF01, 0]
    assert (await find(Search(2, ignored=("Modality",)))).statuses == [0xFF01, 0xFF01, 0]


async def test_an_identifying_key_is_refused() -> None:
    peer = await find(Search(0, refused=("PatientName",)), PatientName="Zqx*")
    assert peer.statuses == [0xC001]
    assert peer.final.elements["OffendingElement"] == 0x00100010
    assert "Zqx" not in repr(peer.responses)


@pytest.mark.parametrize(
    ("error", "said"),
    [(UpstreamError("pacs", "A900"), "PACS"), (TooBroad("x"), "too many"), (AuditUnavailable("x"), "not available")],
)
async def test_trouble(error: VeilError, said: str) -> None:
    peer = await find(Search(error=error))
    assert peer.statuses == [0xA700]
    assert said in peer.final.elements["ErrorComment"]


async def test_identifiers_that_are_refused() -> None:
    assert (await find(Search(), "PATIENT")).statuses == [0xA900]
    assert (await find(Search(), "SERIES")).final.elements["OffendingElement"] == 0x0020000D
    assert (await find(Search(), StudyDate="today")).statuses == [0xC000]


async def test_cancel_ends_the_search() -> None:
    search, peer = Search(), Conversation()
    search.gate = asyncio.Event()
    service = Find(search, Audit())
    message = peer.message(service, C_FIND_RQ, STUDY, keys("STUDY"))
    serving = asyncio.ensure_future(service.serve(message))
    await asyncio.sleep(0.01)
    message.cancelled.set()
    await serving
    assert (peer.statuses, search.ended) == ([0xFE00], True)


async def test_cancel_between_two_responses() -> None:
    peer, service = Conversation(), Find(Search(50), Audit())
    message = peer.message(service, C_FIND_RQ, STUDY, keys("STUDY"))
    serving = asyncio.ensure_future(service.serve(message))
    while len(peer.responses) < 3:
        await asyncio.sleep(0)
    message.cancelled.set()
    await serving
    assert peer.statuses[-1] == 0xFE00
    assert len(peer.statuses) < 10


async def test_who_may_not_search() -> None:
    search, audit = Search(), Audit()
    service, peer = Find(search, audit), Conversation(caller=Caller("ct1", {"research": frozenset({Verb.STORE})}))
    await service.serve(peer.message(service, C_FIND_RQ, STUDY, keys("STUDY")))
    assert (peer.statuses, search.asked) == ([0x0124], [])
    assert (audit.events[0].type, audit.events[0].reason) == ("denied", "insufficient-scope")


async def test_another_operation_in_this_context() -> None:
    service, peer = Find(Search(), Audit()), Conversation()
    await service.serve(peer.message(service, C_MOVE_RQ, STUDY, keys("STUDY")))
    assert peer.statuses == [0x0211]


async def test_relational_where_it_was_negotiated() -> None:
    search = Search(1)
    for extended, status in ((b"\0\1", 0xA900), (b"\1\1", 0)):
        service, peer = Find(search, Audit()), Conversation(extended=extended)
        await service.serve(peer.message(service, C_FIND_RQ, STUDY, keys("SERIES", Modality="CT")))
        assert peer.final.status == status


async def test_a_view_answers_in_pseudonyms_and_refuses_what_identifies(tmp_path: Path) -> None:
    async with viewing(tmp_path, pacs=pacs_of(small(1), small(2))) as site:
        names = {"PatientName": "", "PatientID": "", "AccessionNumber": "", "StudyDescription": "", "StudyDate": ""}
        everything = await find(site.search, PatientBirthDate="", ModalitiesInStudy="CT", **names)
        assert everything.statuses == [0xFF00, 0xFF00, 0]
        one = everything.responses[0].identifier
        assert one is not None
        assert one.StudyInstanceUID in {site.view("research").uid(f"{ROOT}1.{100_000_000 + n}") for n in (1, 2)}
        assert not [marker for marker in MARKERS if marker in repr(everything.responses)]
        mine = await find(site.search, PatientID=one.PatientID, StudyInstanceUID="")
        assert [r.identifier.StudyInstanceUID for r in mine.responses if r.identifier] == [one.StudyInstanceUID]
        calls = len(site.pacs.calls)
        for refused in ({"PatientName": "Zqx*"}, {"PatientID": "Z*"}, {"PatientBirthDate": "19500101-"}):
            assert (await find(site.search, **refused)).statuses == [0xC001]
        for original in ({"PatientID": "Zqxplant"}, {"StudyInstanceUID": f"{ROOT}1.100000001"}):
            assert (await find(site.search, **original)).statuses == [0]
        assert len(site.pacs.calls) == calls
        assert not [marker for marker in MARKERS if marker in repr(site.audit.events)]
