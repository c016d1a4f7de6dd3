"""C-MOVE: to whom, in which contexts, and what becomes of it where the third party misbehaves."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from proxy.dimse.association import AssociationLost
from proxy.dimse.connecting import AssociationRejected, ConnectionFailed
from proxy.wire.negotiation import CALLING_AE_UNKNOWN
from proxy.wire.vr import EXPLICIT_LE, IMPLICIT_LE
from tests.dimse.conversation import CT, Conversation, part10
from tests.dimse.retrieving import STUDY, Place, Third, move
from tests.dimse.retrieving import archive as archive
from tests.service.viewing import ROOT, small


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


async def test_a_destination_that_ends_every_association_is_left_alone(archive: Place) -> None:
    third = Third(*[AssociationLost("timeout")] * 9)
    peer = await move(archive, third, StudyInstanceUID=STUDY)
    assert (peer.final.status, peer.final.elements["NumberOfFailedSuboperations"]) == (0xA702, 5)
    assert [association.stored for association in third.associations] == [[], [], []]


async def test_a_peer_hears_of_a_slow_destination(archive: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.dimse.query_service.BEAT", 0.02)
    third, pause = Third(), asyncio.Event()
    third.pause = pause
    moving = asyncio.ensure_future(move(archive, third, StudyInstanceUID=STUDY))
    await asyncio.sleep(0.2)
    pause.set()
    peer = await moving
    assert peer.statuses.count(0xFF00) > 3
    assert peer.final.status == 0


async def test_an_instance_under_way_is_not_torn_when_the_server_stops(archive: Place) -> None:
    third = Third()
    third.pause = asyncio.Event()
    moving = asyncio.ensure_future(move(archive, third, StudyInstanceUID=STUDY))
    await asyncio.sleep(0.2)
    moving.cancel()
    await asyncio.wait([moving])
    assert third.associations[0].ends[0] == "aborted"


async def test_contexts_are_proposed_as_they_are_needed(archive: Place, tmp_path: Path) -> None:
    other = "1.2.840.10008.5.1.4.1.1.7"
    kept = archive.retrieve._archive
    await kept.store("research", part10(tmp_path, small(1, SOPInstanceUID=f"{ROOT}3.9", SOPClassUID=other), ("9",)))
    third = Third()
    peer = await move(archive, third, StudyInstanceUID=STUDY)
    assert (peer.final.status, [len(contexts) for _, contexts in third.opened]) == (0, [2, 4])
