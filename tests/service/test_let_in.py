from __future__ import annotations

import asyncio

import pytest

from proxy.errors import AuditUnavailable
from proxy.service.let_in import LetIn
from proxy.service.ports import Peer
from tests.service.trail import Trail

CT1 = Peer("dimse", "10.1.2.17", "CT1", "VEIL", "peer:ct-1")


async def test_who_comes_again_is_recorded_once_in_an_hour() -> None:
    trail, now = Trail(), [0.0]
    door = LetIn(trail, clock=lambda: now[0])
    for moment in (0.0, 10.0, 3599.0, 3600.0, 3700.0, 7300.0):
        now[0] = moment
        await door.note(CT1, "research")
    assert [(event.type, event.project, event.peer["caller"]) for event in trail.events] == [
        ("admitted", "research", "peer:ct-1")
    ] * 3


async def test_another_name_address_project_or_transport_is_another_one() -> None:
    trail = Trail()
    door = LetIn(trail)
    for peer, project in (
        (CT1, "research"),
        (CT1, "trial"),
        (Peer("dimse", "10.1.2.18", "CT1", "VEIL", "peer:ct-1"), "research"),
        (Peer("dimse", "10.1.2.17", "CT1", "VEIL", "peer:ct-1 token:reader"), "research"),
        (Peer("dicomweb", "10.1.2.17", name="token:reader"), ""),
        (Peer("dimse", "10.1.2.17", "CT9", "VEIL2", "peer:ct-1"), "research"),  # titles are nobody's name
    ):
        await door.note(peer, project)
    assert len(trail.events) == 5
    assert trail.events[3].behalf == {"caller": "token:reader"}


async def test_many_at_once_are_one_record() -> None:
    trail = Trail()
    door = LetIn(trail)
    await asyncio.gather(*(door.note(CT1) for _ in range(50)))
    assert len(trail.events) == 1


async def test_without_a_record_nobody_is_let_in_and_the_next_one_is_recorded() -> None:
    trail = Trail(broken=True)
    door = LetIn(trail)
    for _ in range(2):
        with pytest.raises(AuditUnavailable):
            await door.note(CT1)
    trail.broken = False
    await door.note(CT1)
    assert len(trail.events) == 1


async def test_memory_is_bounded() -> None:
    trail = Trail()
    door = LetIn(trail, most=2)
    for number in (1, 2, 3, 3, 2, 1):
        await door.note(Peer("dimse", f"10.0.0.{number}"))
    assert [event.peer["address"][-1] for event in trail.events] == ["1", "2", "3", "1"]
