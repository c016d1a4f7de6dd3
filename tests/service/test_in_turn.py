"""One instance after the other: the first leaves while others are made, nobody works for who has gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import partial
from pathlib import Path

import pytest

from proxy.errors import AuditUnavailable
from proxy.service.in_turn import Listed, in_turn
from proxy.service.ports import Peer
from proxy.service.readers import RetrieveOfProject
from proxy.service.upstream import UpstreamError
from proxy.wire.uri import Query, Target
from tests.service.fakes import Audit
from tests.service.test_passing import STUDY, clean, passing
from tests.service.test_view_search import SURFACE
from tests.service.viewing import PEER, ROOT, Site, pacs_of, small, viewing

SERIES = [small(1, SOPInstanceUID=f"{ROOT}3.{n}", InstanceNumber=n) for n in range(1, 6)]
HELD = small(1, SOPInstanceUID=f"{ROOT}3.9", SOPClassUID=SURFACE)


class Work:
    """Files that are ready when told; counts who works."""

    def __init__(self, number: int) -> None:
        self.gates = [asyncio.Event() for _ in range(number)]
        self.begun, self.cancelled = list[int](), list[int]()
        self.listed = [Listed(str(n), partial(self._file, n)) for n in range(number)]

    async def _file(self, number: int) -> Path | None:
        self.begun.append(number)
        try:
            await self.gates[number].wait()
        except asyncio.CancelledError:
            self.cancelled.append(number)
            raise
        if number == 3:
            raise UpstreamError("pacs", "gone")
        return Path(str(number))


async def test_the_first_does_not_wait_for_the_last() -> None:
    work = Work(10)
    async with aclosing(in_turn(work.listed, ahead=2)) as files:
        work.gates[0].set()
        one, path = await anext(files)
        assert (one.uid, path) == ("0", Path("0"))
        assert work.begun == [0, 1, 2]
        work.gates[2].set()
        work.gates[1].set()
        assert [(await anext(files))[0].uid for _ in range(2)] == ["1", "2"]
    assert sorted(work.cancelled) == sorted(set(work.begun) - {0, 1, 2})


async def test_trouble_ends_the_others() -> None:
    work = Work(10)
    for gate in work.gates[:4]:
        gate.set()
    seen = []

    async def walk() -> None:
        async for one, _ in in_turn(work.listed, ahead=2):
            seen.append(one.uid)

    with pytest.raises(UpstreamError):
        await walk()
    assert seen == ["0", "1", "2"]
    assert work.cancelled == [4, 5]


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with viewing(tmp_path, pacs=pacs_of(*SERIES, HELD)) as made:
        await made.search.search("research", "instance", {}, Query(), PEER)
        made.pacs.calls.clear()
        made.audit.events.clear()
        yield made


def target(site: Site, *instances: int) -> list[Target]:
    to = site.view("research").uid
    study, series = to(f"{ROOT}1.{100_000_001}"), to(f"{ROOT}2.{100_000_001}")
    return [Target(study, series, to(f"{ROOT}3.{n}")) for n in instances] or [Target(study)]


async def listed(site: Site, *instances: int) -> list[Listed]:
    return await site.retrieve.listed("research", target(site, *instances), "c-move", PEER, "WS1")


async def test_a_view_lists_before_it_fetches(site: Site) -> None:
    found = await listed(site)
    assert site.pacs.calls.count("fetch") == 0
    (event,) = site.audit.events
    assert (event.object["instances"], event.object["destination"], event.object["what"]) == (6, "WS1", "c-move")
    assert [one.uid for one in found] == sorted(one.uid for one in found)
    files = {one.uid: path async for one, path in in_turn(found)}
    (held,) = (uid for uid, path in files.items() if path is None)
    assert held == target(site, 9)[0].instance
    assert not any(one.required for one in found)
    cached = await listed(site, 2)
    assert [await one.file() for one in cached] == [files[target(site, 2)[0].instance]]


async def test_several_instances_of_a_series_are_one_question(site: Site) -> None:
    found = await listed(site, 1, 3, 4)
    assert {one.uid for one in found} == {one.instance for one in target(site, 1, 3, 4)}
    assert site.pacs.calls.count("instances") == 1
    assert site.audit.events[-1].object["instances"] == 3
    assert len(await listed(site, 1, 1)) == 1


async def test_what_was_never_shown_is_nothing_and_trouble_is_recorded(site: Site) -> None:
    assert await site.retrieve.listed("research", [Target("1.2.3")], "c-get", PEER, "") == []
    assert "1.2.3" not in repr(site.audit.events)
    site.pacs.fault = UpstreamError("clinical", "down")
    with pytest.raises(UpstreamError):
        await listed(site)
    assert (site.audit.events[-1].outcome, site.audit.events[-1].reason) == ("failure", "UpstreamError")
    site.audit.broken, site.pacs.fault = True, None
    with pytest.raises(AuditUnavailable):
        await listed(site)


async def test_nothing_may_be_missing_of_what_is_passed_through(tmp_path: Path) -> None:
    async with passing(tmp_path, clean(1), small(1, SOPInstanceUID=f"{ROOT}3.2")) as site:
        found = await site.retrieve.listed("p", [Target(STUDY)], "c-get", PEER, "")
        files = [(one.required, path is None) async for one, path in in_turn(found)]
        assert files == [(True, False), (True, True)]


class Archive:
    async def instances(self, project: str, study: str, series: str = "", instance: str = "") -> list[Path]:
        return [Path(f"/archive/{study}.1.dcm")]


async def test_of_an_archive() -> None:
    audit = Audit()
    retrieve = RetrieveOfProject(Archive(), audit, {})  # type: ignore[arg-type]
    targets = [Target("2.25.1"), Target("2.25.2")]
    found = await retrieve.listed("research", targets, "c-get", Peer("dimse", "192.0.2.1"), "")
    assert [(one.uid, await one.file()) for one in found] == [
        ("2.25.1.1", Path("/archive/2.25.1.1.dcm")),
        ("2.25.2.1", Path("/archive/2.25.2.1.dcm")),
    ]
    assert [event.object["study_instance_uid"] for event in audit.events] == ["2.25.1", "2.25.2"]
