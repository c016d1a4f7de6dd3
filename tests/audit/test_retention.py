"""A segment goes when it is old, every sink has passed it and nothing holds it; its removal is a record first."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from proxy.audit.keys import AuditKey
from proxy.audit.retention import Retention
from proxy.audit.sink_file import segments
from proxy.audit.trail import AuditLog
from proxy.audit.verify import verify_folder
from proxy.audit.watch import Watch
from proxy.errors import AuditUnavailable
from proxy.service.ports import AuditEvent

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


class Clock:
    """A wall clock that the test sets."""

    def __init__(self) -> None:
        self.now = LONG_AGO

    def __call__(self) -> datetime:
        return self.now

    def seconds(self) -> float:
        return (self.now - LONG_AGO).total_seconds()


async def opened(folder: Path, clock: Clock, segment_bytes: int = 1500) -> AuditLog:
    log = AuditLog(
        folder,
        "veil",
        segment_bytes=segment_bytes,
        key=AuditKey(bytes(32)),
        watch=Watch(clock, clock.seconds),
        timeout=60,
    )
    await log.open()
    for n in range(20):
        await log.record(AuditEvent("released", object={"size": n}))
    return log


def records(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for path in segments(folder) for line in path.read_text().splitlines()]


def retention(folder: Path, log: AuditLog, clock: Clock, days: int | None = 30, hold: bool = False, passed: int = 99):
    return Retention(folder, log, days, hold, lambda: passed, clock)


async def test_old_segments_go_and_the_rest_says_so(tmp_path: Path) -> None:
    clock = Clock()
    log = await opened(tmp_path, clock)
    before, gone = records(tmp_path), segments(tmp_path)[:-1]
    assert await retention(tmp_path, log, clock).sweep() == 0
    clock.now += timedelta(days=31)
    assert await retention(tmp_path, log, clock).sweep() == len(gone)
    assert not [path for path in gone if path.exists() or path.with_suffix(".notes").exists()]
    await log.close()
    left = records(tmp_path)
    removals = [r["object"] for r in left if r["type"] == "audit-removed"]
    last = next(r for r in before if r["seq"] == left[0]["seq"] - 1)  # type: ignore[operator] - numbers
    assert (removals[-1]["last"], removals[-1]["hash"]) == (last["seq"], last["hash"])  # type: ignore[index]
    assert left[0]["prev"] == last["hash"]
    assert [r["file"] for r in removals] == [path.name for path in gone]  # type: ignore[index]


async def test_what_is_left_verifies_and_a_cut_does_not(tmp_path: Path) -> None:
    clock = Clock()
    log = await opened(tmp_path, clock)
    for _ in range(3):  # sweep after sweep, with checkpoints here and there
        clock.now += timedelta(days=31)
        assert await retention(tmp_path, log, clock, passed=segment_number(tmp_path) + 2).sweep()
        await asyncio.sleep(1.05)
        await log.record(AuditEvent("released"))
    await log.close()
    assert verify_folder(tmp_path).problems == ()
    kept = segments(tmp_path)
    kept[0].unlink()
    kept[0].with_suffix(".notes").unlink(missing_ok=True)
    assert not verify_folder(tmp_path).ok


def segment_number(folder: Path) -> int:
    return int(segments(folder)[0].stem.removeprefix("audit-"))


@pytest.mark.parametrize(("days", "hold", "passed"), [(None, False, 99), (30, True, 99), (30, False, 1)])
async def test_what_must_stay_stays(tmp_path: Path, days: int | None, hold: bool, passed: int) -> None:
    clock = Clock()
    log = await opened(tmp_path, clock)
    clock.now += timedelta(days=400)
    before = segments(tmp_path)
    assert await retention(tmp_path, log, clock, days, hold, passed).sweep() == 0
    assert segments(tmp_path) == before
    await log.close()


async def test_a_sink_keeps_its_segment_and_those_after_it(tmp_path: Path) -> None:
    clock = Clock()
    log = await opened(tmp_path, clock)
    clock.now += timedelta(days=400)
    assert await retention(tmp_path, log, clock, passed=3).sweep() == 2
    assert segments(tmp_path)[0].name == "audit-000003.jsonl"
    await log.close()


async def test_no_record_no_removal(tmp_path: Path) -> None:
    clock = Clock()
    log = await opened(tmp_path, clock)
    clock.now += timedelta(days=400)
    before = segments(tmp_path)
    await log.close()
    with pytest.raises(AuditUnavailable):
        await retention(tmp_path, log, clock).sweep()
    assert segments(tmp_path) == before


async def test_what_cannot_be_read_is_kept(tmp_path: Path) -> None:
    clock = Clock()
    log = await opened(tmp_path, clock)
    clock.now += timedelta(days=400)
    first = segments(tmp_path)[0]
    first.write_bytes(first.read_bytes() + b"junk\n")
    assert await retention(tmp_path, log, clock).sweep() == 0
    assert first.exists()
    await log.close()


async def test_a_segment_over_which_a_day_has_passed_is_closed(tmp_path: Path) -> None:
    clock = Clock()
    log = await opened(tmp_path, clock, segment_bytes=1 << 20)
    await retention(tmp_path, log, clock).sweep()
    await log.record(AuditEvent("released"))
    assert len(segments(tmp_path)) == 1
    clock.now += timedelta(days=2)
    await retention(tmp_path, log, clock).sweep()
    await log.record(AuditEvent("released"))
    assert len(segments(tmp_path)) == 2
    await log.close()
