"""What the archive keeps of one project, asked as a PACS is: by level, page and UID, and only of that project."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from proxy.archive.archive import EmbeddedArchive
from proxy.archive.upstream import ArchiveUpstream
from proxy.service.upstream import Question, Reference, UpstreamError
from proxy.workers.arena import Arena

STUDY, CT = "2.25.1", "1.2.840.10008.5.1.4.1.1.2"
Make = Callable[..., Path]


@pytest.fixture
async def upstream(archive: EmbeddedArchive, make: Make) -> ArchiveUpstream:
    """Two instances in two series of one study; another project has a third."""
    await archive.store("wide", make("a", SOPInstanceUID="2.25.31", SeriesInstanceUID="2.25.22", InstanceNumber=2))
    await archive.store("wide", make("b", SOPInstanceUID="2.25.30", SeriesInstanceUID="2.25.21", InstanceNumber=9))
    await archive.store("other", make("c", SOPInstanceUID="2.25.32", SeriesInstanceUID="2.25.21"))
    return ArchiveUpstream("wide", archive, "wide")


async def test_search_pages_and_does_not_match_what_the_index_does_not_keep(upstream: ArchiveUpstream) -> None:
    everything = await upstream.search(Question("instance", {"StudyInstanceUID": STUDY, "DeviceSerialNumber": "7"}))
    assert [match["00080018"]["Value"] for match in everything] == [["2.25.30"], ["2.25.31"]]
    page = Question("instance", {"StudyInstanceUID": STUDY}, limit=5, offset=1)
    assert await upstream.search(page) == everything[1:]
    assert await upstream.search(Question("study", {"PatientID": "nobody"})) == []


async def test_references_are_of_this_project_and_in_order(upstream: ArchiveUpstream) -> None:
    first, second = await upstream.instances(STUDY)
    assert first == Reference(STUDY, "2.25.21", "2.25.30", CT)
    assert await upstream.instances(STUDY, "2.25.22") == [second]
    assert await upstream.instances(STUDY, "2.25.22", "2.25.30") == []
    assert await upstream.instances(STUDY, "2.25.21", "2.25.32") == []


async def test_metadata_and_bytes(upstream: ArchiveUpstream, tmp_path: Path) -> None:
    found = [each["00080018"]["Value"] async for each in upstream.metadata(STUDY)]
    assert found == [["2.25.30"], ["2.25.31"]]
    (reference,) = await upstream.instances(STUDY, "2.25.22")
    with Arena(1 << 20) as arena:
        assert await upstream.fetch(reference, arena)
        assert bytes(arena.view()) == (tmp_path / "spool" / "a").read_bytes()
    with Arena(1 << 20) as arena:
        assert not await upstream.fetch(Reference(STUDY, "2.25.21", "2.25.32"), arena)
        assert arena.size == 0


async def test_an_instance_larger_than_the_arena_or_gone_from_the_tree(
    upstream: ArchiveUpstream, archive: EmbeddedArchive
) -> None:
    (reference,) = await upstream.instances(STUDY, "2.25.22")
    with Arena(100) as arena, pytest.raises(UpstreamError) as caught:
        await upstream.fetch(reference, arena)
    assert str(caught.value) == "upstream wide: too-large"
    (path,) = await archive.instances("wide", STUDY, "2.25.22")
    path.unlink()
    with Arena(1 << 20) as arena, pytest.raises(UpstreamError) as caught:
        await upstream.fetch(reference, arena)
    assert str(caught.value) == "upstream wide: FileNotFoundError"
