"""C-GET from a view: what it gives and what not, and what a requester hears of trouble."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from proxy.dimse.query_get import Get
from proxy.service.upstream import UpstreamError
from proxy.wire.command import C_GET_RQ
from proxy.wire.uri import Query
from proxy.wire.vr import EXPLICIT_LE
from tests.dimse.conversation import CT, Conversation, keys
from tests.dimse.retrieving import FILES, GET, PATIENT_GET, STUDY, Place
from tests.service.test_passing import clean, passing
from tests.service.test_view_search import SURFACE
from tests.service.viewing import PEER, ROOT, Site, pacs_of, small, viewing
from tests.system.planting import MARKERS


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


async def test_nothing_is_missing_in_silence_of_what_is_passed_through(tmp_path: Path) -> None:
    async with passing(tmp_path, clean(1), small(1, SOPInstanceUID=f"{ROOT}3.2")) as site:
        place = Place(site.search, site.retrieve, site.audit)
        peer = await place.get(StudyInstanceUID=STUDY)
    assert (peer.final.status, peer.instances) == (0xB000, [f"{ROOT}3.1"])
    assert peer.final.identifier.FailedSOPInstanceUIDList == f"{ROOT}3.2"


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


async def test_who_goes_ends_what_was_fetched_for_him(site: Site) -> None:
    await site.search.search("research", "study", {}, Query(), PEER)
    site.pacs.delay = asyncio.Event()
    peer, service = Conversation().offer((CT, EXPLICIT_LE), scp=True), Get(site.search, site.retrieve, site.audit, {})
    wanted = keys("STUDY", StudyInstanceUID=site.view("research").uid(STUDY))
    message = peer.message(service, C_GET_RQ, GET, wanted)
    serving = asyncio.ensure_future(service.serve(message))
    await asyncio.sleep(0.05)
    assert site.retrieve._fetch._works
    message.cancelled.set()
    await serving
    assert (peer.final.status, peer.final.elements["NumberOfRemainingSuboperations"]) == (0xFE00, 6)
    await asyncio.sleep(0.01)
    assert not site.retrieve._fetch._works


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
