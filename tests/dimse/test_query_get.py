"""C-GET: sub-operations on the same association, their counts, cancel and failures."""

from __future__ import annotations

import asyncio
from pathlib import Path

from proxy.dimse.query_get import Get
from proxy.service.callers import Caller, Verb
from proxy.wire.command import C_GET_RQ
from proxy.wire.vr import EXPLICIT_LE, IMPLICIT_LE
from tests.dimse.conversation import CT, Conversation, keys
from tests.dimse.retrieving import GET, PATIENT_GET, SERIES, STUDY, Place
from tests.dimse.retrieving import archive as archive
from tests.service.viewing import ROOT


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
    peer, service = Conversation(pause=asyncio.Event()), Get(archive.search, archive.retrieve, archive.audit, {})
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
