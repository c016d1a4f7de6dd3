"""The log of a running proxy is verified in another process, and the outcome is a record."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from proxy.audit.chain import Position, stamp
from proxy.audit.checkpoints import newest_note
from proxy.audit.keys import AuditKey, witness
from proxy.audit.notes import Checkpoint, joined
from proxy.audit.trail import AuditLog
from proxy.audit.verify_apart import judged
from proxy.service.log_state import log_state
from proxy.service.ports import AuditEvent, Peer
from proxy.service.verification import Verification

KEY, OTHER = AuditKey(bytes(range(32))), AuditKey(bytes(32))
PUBLIC = KEY.signer("veil").verifier.text()
PEER = Peer("console", "192.0.2.7", name="account:anna")
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[AuditLog]:
    made = AuditLog(tmp_path, "veil", key=KEY, segment_bytes=4000, timeout=60)
    await made.open()
    for n in range(30):
        await made.record(AuditEvent("held", project="a", object={"id": str(n)}))
    async with asyncio.timeout(20):
        while newest_note(tmp_path) is None:
            await asyncio.sleep(0.02)
    yield made
    await made.close()


def records(tmp_path: Path, type_: str) -> list[dict[str, Any]]:
    lines = [line for path in sorted(tmp_path.glob("*.jsonl")) for line in path.read_text().splitlines()]
    return [record for line in lines if (record := json.loads(line))["type"] == type_]


async def asked(found: Verification) -> None:
    await found.ask(PEER)
    async with asyncio.timeout(60):
        while found.running:
            await asyncio.sleep(0.02)


async def test_who_asks_is_on_record_before_and_the_outcome_after(log: AuditLog, tmp_path: Path) -> None:
    found = Verification(tmp_path, lambda: log.position, PUBLIC, log, None)
    await asked(found)
    assert found.last is not None
    assert (found.last.whole, found.last.records, found.last.signatures) == (True, 32, True)
    before, after = records(tmp_path, "audit-read")[0], records(tmp_path, "audit-verified")[0]
    assert (before["object"]["how"], before["peer"]["caller"]) == ("verification", "account:anna")
    assert (after["outcome"], after["object"]["last"], after["peer"]["caller"]) == ("success", 32, "account:anna")


async def test_a_log_that_was_changed_under_a_running_proxy_is_found_and_told(log: AuditLog, tmp_path: Path) -> None:
    found = Verification(tmp_path, lambda: log.position, PUBLIC, log, None)
    path = tmp_path / "audit-000002.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"project":"a"', b'"project":"b"', 1))
    await asked(found)
    assert found.last is not None
    assert (found.last.reason, found.last.problems > 0) == ("not-whole", True)
    assert "audit-000002.jsonl" in found.last.told[0]
    record = records(tmp_path, "audit-verified")[0]
    assert (record["outcome"], record["reason"], record["counts"]["problems"]) == (
        "failure",
        "not-whole",
        found.last.problems,
    )
    again = Verification(tmp_path, lambda: log.position, PUBLIC, log, 24, clock=lambda: NOW)
    running = asyncio.create_task(again.run())
    async with asyncio.timeout(60):
        while again.last is None:
            await asyncio.sleep(0.01)
    assert again.last.reason == "not-whole"  # as the log says after a restart
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_it_is_verified_when_it_is_time(log: AuditLog, tmp_path: Path) -> None:
    moments = iter([NOW, NOW + timedelta(hours=1)])
    found = Verification(
        tmp_path, lambda: log.position, PUBLIC, log, 24, clock=lambda: next(moments, NOW + timedelta(hours=2))
    )
    running = asyncio.create_task(found.run())
    async with asyncio.timeout(60):
        while not records(tmp_path, "audit-verified"):
            await asyncio.sleep(0.05)
    assert records(tmp_path, "audit-verified")[0]["object"]["how"] == "schedule"
    assert records(tmp_path, "audit-verified")[0]["peer"] == {}
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize(
    ("seen", "reason"), [("so-far", ""), ("more", "not-whole"), ("another", "not-whole"), ("nothing", "unreadable")]
)
async def test_the_log_has_to_pass_through_what_a_witness_has_seen(
    log: AuditLog, tmp_path: Path, seen: str, reason: str
) -> None:
    at, file = log.position, tmp_path / "elsewhere" / "witness.notes"
    positions = {"so-far": at, "more": Position(at.seq + 100, "ab" * 32), "another": Position(at.seq - 3, "ab" * 32)}
    if seen in positions:
        note = KEY.signer("veil").sign(Checkpoint("veil.audit/veil", positions[seen], stamp(NOW)))
        note = witness("w", bytes(32)).sign(note.checkpoint, *note.signatures, seconds=1)
        file.parent.mkdir()
        file.write_bytes(joined([note]))
        witnessed = log_state(tmp_path, file).witnessed
        assert witnessed is not None
        assert (witnessed.seq, witnessed.names) == (positions[seen].seq, ("veil.audit/veil", "w"))
    found = Verification(tmp_path, lambda: log.position, PUBLIC, log, None, file)
    await asked(found)
    assert found.last is not None
    assert found.last.reason == reason
    assert log_state(tmp_path, tmp_path / "none").witnessed is None


async def test_a_stop_does_not_wait_for_it(log: AuditLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "audit-000099.jsonl")  # whoever reads it waits for ever
    found = Verification(tmp_path, lambda: log.position, PUBLIC, log, None)
    monkeypatch.setattr(found, "_before", lambda: None)
    running = asyncio.create_task(found.run())
    await asyncio.sleep(0)
    found._begin(None)
    async with asyncio.timeout(60):
        while found._apart._process is None or not found._apart._process.is_alive():
            await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        while found._apart._process.is_alive():  # two threads see to it
            await asyncio.sleep(0.01)


def at(log: AuditLog) -> list[Position]:
    return [log.position]


async def test_what_came_later_is_not_judged_and_what_was_there_is(log: AuditLog, tmp_path: Path) -> None:
    anchors, last = at(log), sorted(tmp_path.glob("*.jsonl"))[-1]
    number = int(last.stem[-6:])
    with last.open("ab") as file:
        file.write(b'{"a record that is bei')
    (tmp_path / f"audit-{number + 1:06d}.notes").write_bytes(b"")  # of a segment that has just begun
    assert judged(tmp_path, anchors, PUBLIC).told == ()
    last.write_bytes(last.read_bytes()[:-400])
    assert judged(tmp_path, anchors, PUBLIC).problems
    assert judged(tmp_path, [Position(anchors[0].seq, "ab" * 32)], PUBLIC).problems


async def test_keys_are_those_that_the_log_names_and_the_last_is_ours(log: AuditLog, tmp_path: Path) -> None:
    await log.close()
    other = OTHER.signer("veil").verifier.text()
    assert judged(tmp_path, at(log), other).told[0].endswith("the log names another key than its own")
    later = AuditLog(tmp_path, "veil", key=OTHER, segment_bytes=4000, timeout=60)
    await later.open()
    await later.close()
    assert judged(tmp_path, at(later), other).told == ()
    assert judged(tmp_path, at(later), PUBLIC).problems
    assert not judged(tmp_path, at(later), "").signatures
