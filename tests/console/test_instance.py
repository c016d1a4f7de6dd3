"""One instance's life as a page: in order, in words, of the caller's projects, and on record that somebody asked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from proxy.audit.live import LiveStream
from proxy.audit.lookup import Lookup
from proxy.audit.trail import AuditLog
from proxy.console.audit_log import AuditPages
from proxy.console.instance import InstancePage, standing
from proxy.service.audit_reading import AuditReading
from proxy.service.ports import AuditEvent
from tests.console.conftest import Place

UID = "2.25.318"
CT = {"transport": "dimse", "calling_ae": "CT1", "address": "10.0.0.5"}
UIDS = {"study_instance_uid": "2.25.1", "series_instance_uid": "2.25.2", "sop_instance_uid": UID}
WAITS = {"destination": "pacs", "state": "waiting", "attempts": 2, "queued_at": 0.0, "due_at": 60.0, "last_code": "A7"}


@pytest.fixture
def asked() -> list[tuple[str, str]]:
    """Of the queue."""
    return []


@pytest.fixture
def lived(place: Place, log: AuditLog, tmp_path: Path, asked: list[tuple[str, str]]) -> Place:
    folder = tmp_path / "log"
    reading = AuditReading(Lookup(folder, lambda: log.position.seq), LiveStream(folder, lambda: log.position.seq), log)

    async def queued(project: str, uid: str) -> Sequence[Mapping[str, Any]]:
        asked.append((project, uid))
        return [WAITS]

    projects = ["research", "other"]
    place.parts = [AuditPages(reading, projects), InstancePage(reading, queued, projects)]
    return place


async def live(log: AuditLog, project: str = "research") -> None:
    digest = {"original": {"sop_instance_uid": "hmac:" + "a" * 32}}
    done = {"removed": 31, "shifted": 6}
    about = {"kind": "instance", "destination": "pacs", "attempts": 1}
    read = {"kind": "study", "what": "metadata", "instances": 40, "study_instance_uid": "2.25.1"}
    await log.record(
        AuditEvent("received", project=project, peer=CT, object={"kind": "instance", "size": 524288}),
        AuditEvent("held", "failure", project, CT, {"kind": "quarantine", "id": "q7"} | digest, "no-codec"),
        AuditEvent("received", project=project, peer=CT, object={"kind": "instance", "size": 524288}),
        AuditEvent("released", "success", project, CT, UIDS | digest, "", "f" * 64, 3, done),
        AuditEvent("delivered", project=project, object=about | UIDS),
        AuditEvent("retrieved", project=project, peer={"caller": "token:ohif"}, object=read),
    )


async def test_a_life_in_order_and_in_words(lived: Place, log: AuditLog, asked: list[tuple[str, str]]) -> None:
    await live(log)
    async with lived.open() as person:
        await person.sign_in("officer")
        _, pages, _ = await person.get("/audit")
        assert f'/console/instance?of={UID}">The life of this instance' in pages
        assert '/console/instance?of=q7">The life of this instance' in pages
        for of in (UID, "q7", "hmac:" + "a" * 32):
            status, text, _ = await person.get(f"/instance?of={of}")
            heads = re.findall(r"<h3>([^:<]*): ([^<]*?)(?: <span|<)", text)
            assert (status, [stage for stage, _ in heads]) == (
                200, ["Arrival", "Decision", "Arrival", "Decision", "Delivery", "Retrieval"],
            )  # fmt: skip
    for words in ("CT1 (10.0.0.5)", "31 removed, 6 shifted", "f" * 64, "token:ohif", "40", "the study", "What to do"):
        assert words in text, words
    assert "1970-01-01 00:01:00 UTC" in text  # the next try
    assert "not yet, it is still on its way" in text
    assert asked == [("research", UID)] * 3


async def test_of_another_project_nothing_is_there_and_asking_is_recorded(
    lived: Place, log: AuditLog, tmp_path: Path
) -> None:
    await live(log, "other")
    async with lived.open() as person:
        await person.sign_in("officer")
        status, text, _ = await person.get(f"/instance?of={UID}")
        assert (status, "No record of your projects" in text, "<h3>" in text) == (200, True, False)
    last = (tmp_path / "log" / "audit-000001.jsonl").read_text().splitlines()[-1]
    assert '"how":"instance"' in last
    assert '"keys":["objects"]' in last
    assert UID not in last


async def test_who_may_not_and_what_is_no_name(lived: Place, log: AuditLog) -> None:
    async with lived.open() as person:
        await person.sign_in("officer")
        assert (await person.get("/instance"))[0] == 200
        before = log.position.seq
        status, text, _ = await person.get("/instance?of=Jane%20Doe%3Cb%3E")
        assert (status, "This is no UID" in text, "<b>" in text) == (400, True, False)
        assert log.position.seq == before  # nothing was looked up
    async with lived.open() as person:
        await person.sign_in("operator")
        assert (await person.get(f"/instance?of={UID}"))[0] == 403
        assert lived.said()[-1] == ("denied", "user:operator", "role")


def test_what_a_sender_would_be_told() -> None:
    def row(destination: str, state: str) -> Mapping[str, Any]:
        return WAITS | {"destination": destination, "state": state}

    both = [row("pacs", "delivered"), row("archive", "delivered")]
    assert standing("a", UID, both).committed == "committed"
    assert standing("a", UID, [*both, row("pacs", "waiting")]).committed == "pending"
    assert standing("a", UID, [row("pacs", "failed"), row("archive", "waiting")]).committed == "failed"
    assert standing("a", UID, [row("pacs", "failed"), row("pacs", "delivered")]).committed == "committed"
    assert standing("a", UID, []).committed == "unknown"
