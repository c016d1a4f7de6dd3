"""Metadata of a view without fetching instances: the same as from files, and no more than those would say."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from proxy.archive import encoded
from proxy.errors import AuditUnavailable
from proxy.service import view_describe
from proxy.service.upstream import UpstreamError
from proxy.service.view_describe import ViewDescribe
from proxy.wire.dicom_json import first_value
from proxy.wire.uri import Query, Target
from tests.service.viewing import PEER, ROOT, Site, pacs_of, small, viewing

SECONDARY = "1.2.840.10008.5.1.4.1.1.7"
FILES = [small(1, SOPInstanceUID=f"{ROOT}3.{n}", InstanceNumber=n) for n in range(1, 46)]


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    held = small(1, SOPInstanceUID=f"{ROOT}3.90", SOPClassUID=SECONDARY, BurnedInAnnotation="YES")
    async with viewing(tmp_path, pacs=pacs_of(*FILES, held)) as made:
        await made.search.search("research", "study", {}, Query(), PEER)
        made.pacs.calls.clear()
        yield made


@pytest.fixture
def describe(site: Site) -> ViewDescribe:
    return site.describe


def target(site: Site) -> Target:
    return Target(site.view("research").uid(f"{ROOT}1.100000001"))


async def test_it_is_the_metadata_of_the_files(site: Site, describe: ViewDescribe) -> None:
    found = await describe.described("research", target(site), PEER)
    assert found is not None
    assert site.pacs.calls == ["metadata", "fetch"]  # one instance had to be judged whole, and is held
    paths = await site.retrieve.find("research", target(site), "metadata", PEER)
    assert [one | {"00080005": {}} for one in found] == [encoded.metadata(path) | {"00080005": {}} for path in paths]
    assert "Zqx" not in json.dumps(found)


async def test_what_it_shows_can_be_asked_for(site: Site, describe: ViewDescribe) -> None:
    (first, *_) = await describe.described("research", target(site), PEER) or []
    one = Target(*(first_value(first, tag) for tag in ("0020000D", "0020000E", "00080018")))
    assert [first] == await describe.described("research", one, PEER)
    assert len(await site.retrieve.find("research", one, "frames", PEER)) == 1
    assert await describe.described("research", one, PEER) is None  # now there is a file


async def test_what_is_known_to_be_held_stays_away(site: Site, describe: ViewDescribe) -> None:
    view = site.view("research")
    uids = (target(site).study, view.uid(f"{ROOT}2.100000001"), view.uid(f"{ROOT}3.7"))
    site.known.note(view.scope, uids, None)
    found = await describe.described("research", target(site), PEER)
    assert found is not None
    assert len(found) == len(FILES) - 1


async def test_where_it_cannot_answer_it_leaves_no_trace(
    site: Site, describe: ViewDescribe, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = len(site.audit.events)
    assert await describe.described("research", Target("2.25.1"), PEER) is None
    assert site.pacs.calls == []
    monkeypatch.setattr(view_describe, "MOST_DESCRIBED", 20)
    assert await describe.described("research", target(site), PEER) is None
    site.pacs.headers.clear()
    assert await describe.described("research", target(site), PEER) is None
    assert len(site.audit.events) == before


async def test_it_is_recorded_before_it_is_answered(site: Site, describe: ViewDescribe) -> None:
    await describe.described("research", target(site), PEER)
    event = site.audit.events[-1]
    assert (event.type, event.outcome, event.object["instances"]) == ("retrieved", "success", len(FILES))
    site.pacs.fault = UpstreamError("clinical", "500")
    with pytest.raises(UpstreamError):
        await describe.described("research", target(site), PEER)
    assert site.audit.events[-1].reason == "UpstreamError"
    site.pacs.fault, site.audit.broken = None, True
    with pytest.raises(AuditUnavailable):
        await describe.described("research", target(site), PEER)
