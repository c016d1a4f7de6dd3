"""Who changed the rules: out of the log, once; a start says by the record before it what was in force."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from proxy.audit.chain import Position, seal
from proxy.audit.lookup import Lookup
from proxy.service.events import rules_changed
from proxy.service.ports import AuditEvent, Peer
from proxy.service.rules_history import MOST, RulesHistory

ANNA = Peer("dicomweb", "10.0.0.9", name="user:anna")
START = datetime(2026, 11, 21, 8, tzinfo=UTC)


@dataclass
class Log:
    """A log to which records are added."""

    folder: Path
    last: Position = field(default_factory=Position)

    def add(self, *events: AuditEvent) -> None:
        with (self.folder / "audit-000001.jsonl").open("ab") as file:
            for event in events:
                line, self.last = seal(event, self.last, START + timedelta(seconds=self.last.seq), "veil")
                file.write(line + b"\n")

    def started(self, digest: str) -> None:
        about = {"kind": "application", "policies": {"research": digest, "other": "o1"}}
        self.add(AuditEvent("started", object=about))

    def taken(self, before: str, after: str, why: str = "") -> None:
        self.add(rules_changed(ANNA, {"research": before}, {"research": after}, why))

    def history(self) -> RulesHistory:
        return RulesHistory(Lookup(self.folder, lambda: self.last.seq))


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path)


async def test_a_change_names_both_digests_and_the_person(log: Log) -> None:
    log.started("r1")
    log.taken("r1", "r2")
    log.taken("r2", "r2", "profile mine: rules: rule 1.do: it is keep, remove")
    found = await log.history().read()
    rows = [(c.type, c.who, c.before.get("research"), c.after["research"], bool(c.why)) for c in found.changes]
    assert rows == [
        ("rules-refused", "anna", "r2", "r2", True),
        ("rules-reloaded", "anna", "r1", "r2", False),
        ("started", "Veil itself", "", "r1", False),
    ]
    assert found.whole
    assert [c.seq for c in found.of("other")] == [1]
    since = found.since("research", "r2")
    assert since is not None
    assert (since.seq, since.moment) == (2, "2026-11-21T08:00:01.000000Z")


async def test_a_start_says_by_the_record_before_it_what_was_in_force(log: Log) -> None:
    log.started("r1")
    log.started("r2")
    log.started("r2")
    found = await log.history().read()
    assert [(c.before["research"], c.after["research"]) for c in found.changes] == [
        ("r2", "r2"),
        ("r1", "r2"),
        ("", "r1"),
    ]
    assert found.changes[0].before["other"] == "o1"
    since = found.since("research", "r2")
    assert since is not None
    assert since.seq == 2  # the start that brought it, not the last one
    assert found.since("research", "r1") is None


async def test_what_was_read_is_kept_and_what_has_come_since_is_added(log: Log) -> None:
    history = log.history()
    assert not (await history.read()).changes
    log.started("r1")
    assert [c.seq for c in (await history.read()).changes] == [1]
    log.taken("r1", "r2")
    path = log.folder / "audit-000001.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"started"', b'"stopped"'))
    assert [c.seq for c in (await history.read()).changes] == [2, 1]  # the first record is not looked at again
    assert [c.seq for c in (await history.read()).changes] == [2, 1]


async def test_no_more_than_so_many_are_kept_and_that_is_said(log: Log) -> None:
    for n in range(MOST + 5):
        log.started(f"r{n}")
    history = log.history()
    found = await history.read()
    assert (len(found.changes), found.whole) == (MOST, False)
    assert found.changes[0].after["research"] == f"r{MOST + 4}"
    log.started("new")
    found = await history.read()
    assert (len(found.changes), found.changes[0].after["research"], found.whole) == (MOST, "new", False)


async def test_records_that_are_about_something_else_are_passed_over(log: Log) -> None:
    log.add(AuditEvent("started", object={"kind": "application"}))
    log.add(AuditEvent("received", project="research"))
    log.started("r1")
    assert [c.seq for c in (await log.history().read()).changes] == [3]
