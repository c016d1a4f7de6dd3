"""What is handed out was put on record before, is what was asked for and may be seen, and ends where it began."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from proxy.audit.bundle_verify import Checked, verify_bundle
from proxy.audit.keys import AuditKey
from proxy.audit.selection import Selection
from proxy.audit.trail import AuditLog
from proxy.audit.verify_notes import Keys
from proxy.errors import AuditUnavailable, Unavailable
from proxy.service import audit_export
from proxy.service.audit_export import AuditExport, Unsigned
from proxy.service.ports import AuditEvent, Peer

KEY = AuditKey(bytes(range(32)))
PEER = Peer("console", "192.0.2.7", name="account:anna")
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[AuditLog]:
    made = AuditLog(tmp_path / "audit", "veil", key=KEY, timeout=60)
    await made.open()
    await made.record(*(AuditEvent("held", project="ab"[n % 2], object={"id": str(n)}) for n in range(20)))
    yield made
    await made.close()


def of(log: AuditLog, tmp_path: Path, **instead: Any) -> AuditExport:
    said = {"signer": KEY.signer("veil"), "audit": log, "clock": lambda: NOON} | instead
    return AuditExport(tmp_path / "audit", lambda: log.position, **said)


async def taken(export: AuditExport, path: Path, selection: Selection, visible: frozenset[str] | None) -> Checked:
    begun = await export.begin(selection, visible, PEER)
    assert begun.name.endswith(".tar.gz")
    path.write_bytes(b"".join([piece async for piece in begun.pieces]))
    return verify_bundle(path, Keys.read(KEY.signer("veil").verifier.text()))


def records(path: Path) -> list[dict[str, Any]]:
    with tarfile.open(fileobj=io.BytesIO(path.read_bytes())) as tar:
        files = [tar.extractfile(member) for member in tar if member.name.endswith(".jsonl")]
        return [json.loads(line) for file in files if file is not None for line in file]


def last_of(tmp_path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((tmp_path / "audit" / "audit-000001.jsonl").read_text().splitlines()[-1])
    return found


async def test_a_bundle_is_on_record_before_it_is_made_and_holds_what_was_there_then(
    log: AuditLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_export, "_PAGE", 3)
    there = log.position.seq
    checked = await taken(of(log, tmp_path), tmp_path / "x", Selection(), None)
    assert checked.problems == []
    assert [record["seq"] for record in records(tmp_path / "x")] == list(range(1, there + 1))
    said = checked.manifest
    assert said["by"]["peer"] == {"transport": "console", "address": "192.0.2.7", "caller": "account:anna"}
    assert said["checkpoint"] >= there
    record = last_of(tmp_path)
    assert (record["type"], record["seq"], record["peer"]["caller"]) == ("audit-exported", there + 1, "account:anna")
    assert record["object"]["export"] == said["id"]
    assert record["object"]["last"] == there


async def test_records_of_projects_that_somebody_may_not_audit_are_not_in_it(log: AuditLog, tmp_path: Path) -> None:
    checked = await taken(of(log, tmp_path), tmp_path / "x", Selection(types=frozenset({"held"})), frozenset("a"))
    assert checked.problems == []
    assert [record["project"] for record in records(tmp_path / "x")] == ["a"] * 10
    assert last_of(tmp_path)["project"] == "a"
    assert last_of(tmp_path)["object"]["keys"] == ["types"]


async def test_without_a_record_there_is_no_bundle(log: AuditLog, tmp_path: Path) -> None:
    class Full:
        async def record(self, *events: AuditEvent) -> None:
            raise AuditUnavailable("full")

    with pytest.raises(AuditUnavailable):
        await of(log, tmp_path, audit=Full()).begin(Selection(), None, PEER)


async def test_without_a_key_there_is_no_bundle_and_no_record(log: AuditLog, tmp_path: Path) -> None:
    before = log.position.seq
    with pytest.raises(Unsigned):
        await of(log, tmp_path, signer=None).begin(Selection(), None, PEER)
    assert log.position.seq == before


async def test_not_more_than_two_are_made_at_once_and_one_that_was_left_makes_room(
    log: AuditLog, tmp_path: Path
) -> None:
    export = of(log, tmp_path)
    begun = [(await export.begin(Selection(), None, PEER)).pieces for _ in range(2)]
    for pieces in begun:
        await anext(pieces)
    with pytest.raises(Unavailable):
        await export.begin(Selection(), None, PEER)
    await begun[0].aclose()  # type: ignore[attr-defined] # it is a generator
    assert await taken(export, tmp_path / "x", Selection(), None)
