"""A view's retrieval: fetched once, judged, cached as a file, absent where it may not leave."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pydicom
import pytest

from proxy.errors import AuditUnavailable, SpoolFull
from proxy.service.upstream import UpstreamError
from proxy.store.crosswalk import Key
from proxy.wire.uri import Query, Target
from tests.service.test_view_search import SURFACE
from tests.service.viewing import PEER, ROOT, Site, pacs_of, policy_of, small, uid, viewing
from tests.system.planting import MARKERS, found_in

SERIES = [small(1, SOPInstanceUID=f"{ROOT}3.{n}", InstanceNumber=n) for n in range(1, 6)]


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with viewing(tmp_path, pacs=pacs_of(*SERIES, small(2, SOPClassUID=SURFACE))) as made:
        await made.search.search("research", "study", {}, Query(), PEER)
        made.pacs.calls.clear()
        yield made


def study(site: Site, number: int = 1) -> Target:
    return Target(site.view("research").uid(f"{ROOT}1.{100_000_000 + number}"))


async def find(site: Site, target: Target) -> list[Path]:
    return await site.retrieve.find("research", target, "instances", PEER)


async def test_files_are_de_identified_and_in_the_order_of_their_pseudonyms(site: Site) -> None:
    paths = await find(site, study(site))
    read = [pydicom.dcmread(path) for path in paths]
    assert {each.PatientIdentityRemoved for each in read} == {"YES"}
    assert {each.StudyInstanceUID for each in read} == {study(site).study}
    assert [each.SOPInstanceUID for each in read] == sorted(each.SOPInstanceUID for each in read)
    assert found_in(site.folder, [*MARKERS, "Zqxplant^"]) == []  # cache and crosswalk


async def test_an_instance_is_fetched_once_for_all_who_wait(site: Site) -> None:
    many = await asyncio.gather(*(find(site, study(site)) for _ in range(5)))
    assert all(paths == many[0] for paths in many)
    assert site.pacs.calls.count("fetch") == 5
    await find(site, study(site))
    assert site.pacs.calls.count("fetch") == 5


async def test_lower_targets_are_known_from_what_was_shown(site: Site) -> None:
    whole = await find(site, study(site))
    one = pydicom.dcmread(whole[0])
    series = Target(one.StudyInstanceUID, one.SeriesInstanceUID)
    assert await find(site, series) == whole
    assert await find(site, Target(series.study, series.series, one.SOPInstanceUID)) == [whole[0]]
    assert await find(site, Target(study(site, 2).study, series.series)) == []


async def test_the_pacs_is_not_asked_for_what_is_at_hand(site: Site) -> None:
    whole = await find(site, study(site))
    one = pydicom.dcmread(whole[0])
    site.pacs.calls.clear()
    target = Target(one.StudyInstanceUID, one.SeriesInstanceUID, one.SOPInstanceUID)
    assert await find(site, target) == [whole[0]]
    assert site.pacs.calls == []
    assert await find(site, Target(target.study, "2.25.1", target.instance)) == []
    assert site.audit.events[-1].reason == "not-found"


async def test_who_comes_when_the_work_is_given_up_begins_anew(site: Site) -> None:
    site.pacs.delay = asyncio.Event()
    first = asyncio.ensure_future(find(site, study(site)))
    await asyncio.sleep(0.1)
    first.cancel()
    second = asyncio.ensure_future(find(site, study(site)))
    await asyncio.sleep(0.1)
    site.pacs.delay.set()
    assert len(await second) == 5


async def test_what_is_held_is_absent_recorded_once_and_not_fetched_again(site: Site) -> None:
    assert await find(site, study(site, 2)) == []
    (event,) = [event for event in site.audit.events if event.type == "withheld"]
    assert event.reason
    assert event.object["study_instance_uid"] == study(site, 2).study
    assert "1.2.826" not in repr(event)
    assert await find(site, study(site, 2)) == []
    assert site.pacs.calls.count("fetch") == 1


async def test_another_policy_serves_nothing_of_the_old_one(site: Site) -> None:
    before = await find(site, study(site))
    changed = policy_of("research", rules=[{"match": {"keyword": "Rows"}, "do": "keep"}])
    site.policies["research"] = site.deidentifier.policies["research"] = changed
    after = await find(site, study(site))
    assert not set(before) & set(after)
    assert site.pacs.calls.count("fetch") == 10


async def test_trouble_ends_the_whole_answer(site: Site) -> None:
    site.pacs.fault = UpstreamError("clinical", "refused")
    with pytest.raises(UpstreamError):
        await find(site, study(site))
    event = site.audit.events[-1]
    assert (event.type, event.outcome, event.reason) == ("retrieved", "failure", "UpstreamError")
    site.pacs.fault = None
    assert len(await find(site, study(site))) == 5


async def test_what_is_gone_at_the_pacs_is_absent(site: Site) -> None:
    del site.pacs.files[f"{ROOT}3.3"]
    assert len(await find(site, study(site))) == 4


async def test_an_instance_beyond_the_limit_is_held(tmp_path: Path) -> None:
    big = small(1, SOPInstanceUID="1.2.3", PixelData=bytes(100_000))
    async with viewing(tmp_path, pacs=pacs_of(small(1), big), limit=50_000) as site:
        await site.search.search("research", "study", {}, Query(), PEER)
        assert len(await find(site, study(site))) == 1
        assert [event.reason for event in site.audit.events if event.type == "withheld"] == ["too-large"]


async def test_the_work_ends_when_nobody_waits_any_more(site: Site) -> None:
    site.pacs.delay = asyncio.Event()
    first, second = (asyncio.ensure_future(find(site, study(site))) for _ in range(2))
    await asyncio.sleep(0.1)
    first.cancel()
    await asyncio.sleep(0.1)
    site.pacs.delay.set()
    assert len(await second) == 5


async def test_nothing_is_left_when_the_last_one_goes(site: Site) -> None:
    site.pacs.delay = asyncio.Event()
    only = asyncio.ensure_future(find(site, study(site)))
    await asyncio.sleep(0.1)
    before = len(asyncio.all_tasks())
    only.cancel()
    await asyncio.sleep(0.1)
    assert len(asyncio.all_tasks()) < before - 4  # the request and its five instances
    assert site.cache.used == 0


async def test_a_cache_that_is_full_of_what_is_read_refuses(tmp_path: Path) -> None:
    async with viewing(tmp_path, pacs=pacs_of(*SERIES), cache_bytes=4000) as site:
        await site.search.search("research", "study", {}, Query(), PEER)
        with pytest.raises(SpoolFull):
            await find(site, study(site))
        one = await _first_instance(site)
        gc.collect()
        await asyncio.sleep(0.05)
        assert len(await find(site, one)) == 1


async def _first_instance(site: Site) -> Target:
    found = await site.search.search("research", "instance", {"study": study(site).study}, Query(), PEER)
    match = found.matches[0]
    return Target(uid(match, "study"), uid(match, "series"), uid(match, "instance"))


async def test_no_record_no_answer(site: Site) -> None:
    site.audit.broken = True
    with pytest.raises(AuditUnavailable):
        await find(site, study(site))
    with pytest.raises(AuditUnavailable):
        await find(site, Target("2.25.1"))


async def test_what_is_unknown_and_what_is_forbidden_take_the_same_steps(site: Site) -> None:
    """Same answer, same work: no clock tells an original, another project's pseudonym, and a UID of nobody apart."""
    other = site.view("other").uid(f"{ROOT}1.100000001")
    await site.search.search("other", "study", {}, Query(), PEER)  # the other project knows it
    site.pacs.calls.clear()
    asked: list[int] = []
    get = site.crosswalk.get

    async def counted(keys: Iterable[Key]) -> dict[Key, str]:
        wanted = list(keys)
        asked.append(len(wanted))
        return await get(wanted)

    site.crosswalk.get = counted  # type: ignore[method-assign]
    steps, times = [], []
    for target in (f"{ROOT}1.100000001", other, "2.25.1234567890", "1.2.3"):
        asked.clear()
        began = time.perf_counter()
        for _ in range(20):
            assert await find(site, Target(target)) == []
        times.append((time.perf_counter() - began) / 20)
        steps.append(tuple(asked))
    assert len(set(steps)) == 1
    assert site.pacs.calls == []
    assert max(times) < 20 * min(times)
