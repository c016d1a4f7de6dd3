from __future__ import annotations

from pathlib import Path

import pytest

from proxy.errors import AuditUnavailable
from proxy.service.ports import Peer
from proxy.service.retrieve import Retrieve
from proxy.wire.uri import Target
from tests.service.fakes import Audit

PEER = Peer("dicomweb", "192.0.2.1")


class Archive:
    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths

    async def instances(self, project: str, study: str, series: str = "", instance: str = "") -> list[Path]:
        return self.paths


async def test_the_record_names_what_the_archive_knows() -> None:
    audit, paths = Audit(), [Path("/a"), Path("/b")]
    found = await Retrieve(Archive(paths), audit).find("research", Target("2.25.1", "2.25.2"), "metadata", PEER)  # type: ignore[arg-type]
    assert found == paths
    (event,) = audit.events
    assert (event.type, event.outcome, event.project) == ("retrieved", "success", "research")
    assert event.object == {
        "kind": "series",
        "what": "metadata",
        "instances": 2,
        "study_instance_uid": "2.25.1",
        "series_instance_uid": "2.25.2",
    }


async def test_an_unknown_uid_may_be_an_original_and_is_not_recorded() -> None:
    audit = Audit()
    assert await Retrieve(Archive([]), audit).find("research", Target("1.2.826.1"), "instances", PEER) == []  # type: ignore[arg-type]
    (event,) = audit.events
    assert (event.outcome, event.reason) == ("failure", "not-found")
    assert "1.2.826.1" not in repr(event)


async def test_no_record_no_answer() -> None:
    with pytest.raises(AuditUnavailable):
        await Retrieve(Archive([Path("/a")]), Audit(broken=True)).find("r", Target("1"), "instances", PEER)  # type: ignore[arg-type]
