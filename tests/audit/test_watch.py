"""A clock that is set is seen; one that runs is not."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from proxy.audit.sink_file import segments
from proxy.audit.trail import AuditLog
from proxy.audit.verify import verify_folder
from proxy.audit.watch import Watch
from proxy.service.ports import AuditEvent

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


class Clocks:
    """The wall clock, and the one that nobody sets."""

    def __init__(self) -> None:
        self.wall, self.ticks = NOON, 1000.0

    def run(self, seconds: float, step: float = 0.0) -> None:
        self.ticks += seconds
        self.wall += timedelta(seconds=seconds + step)

    def watch(self) -> Watch:
        return Watch(lambda: self.wall, lambda: self.ticks)


@pytest.mark.parametrize(
    ("step", "seen"), [(0, None), (1.9, None), (-0.5, None), (2.5, 2.5), (3600, 3600), (-11, -11), (-3600, -3600)]
)
def test_a_step_beside_ten_seconds_that_passed(step: float, seen: float | None) -> None:
    clocks = Clocks()
    watch = clocks.watch()
    assert watch.read() == (NOON, None)
    watch.commit()
    clocks.run(10, step)
    found = watch.read()[1]
    assert (found and found.total_seconds()) == seen


def test_a_step_counts_until_it_is_on_disk() -> None:
    clocks = Clocks()
    watch = clocks.watch()
    watch.read()
    watch.commit()
    clocks.run(0, 60)
    assert watch.read()[1] == watch.read()[1] == timedelta(minutes=1)
    watch.commit()
    assert watch.read()[1] is None


def test_after_a_restart_only_the_past_is_impossible() -> None:
    clocks = Clocks()
    watch = clocks.watch()
    watch.resume(NOON - timedelta(days=9))
    assert watch.read()[1] is None
    watch.resume(NOON + timedelta(seconds=1))
    assert watch.read()[1] == timedelta(seconds=-1)


async def test_steps_are_records_and_a_clock_that_goes_back_without_one_shows(tmp_path: Path) -> None:
    clocks = Clocks()
    for step in (0, -90):
        clocks.run(0, step)
        log = AuditLog(tmp_path, "veil", watch=clocks.watch())
        await log.open()
        await log.record(AuditEvent("a"))
        clocks.run(1, 7)
        await log.record(AuditEvent("b"))
        await log.close()
    path = segments(tmp_path)[0]
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(r["type"], r["counts"].get("milliseconds")) for r in records] == [
        ("a", None), ("clock-step", 7000), ("b", None),
        ("clock-step", -90000), ("a", None), ("clock-step", 7000), ("b", None),
    ]  # fmt: skip
    assert verify_folder(tmp_path).ok


async def test_a_clock_that_goes_back_unrecorded_shows(tmp_path: Path) -> None:
    for moment in (NOON, NOON - timedelta(hours=1)):
        watch = Watch(lambda now=moment: now, lambda: 0.0)  # type: ignore[misc] # each its own
        watch.resume = lambda last: None  # type: ignore[method-assign] # a writer that does not look
        log = AuditLog(tmp_path, "veil", watch=watch)
        await log.open()
        await log.record(AuditEvent("a"))
        await log.close()
    problems = verify_folder(tmp_path).problems
    assert [(p.line, p.text) for p in problems] == [(2, "the clock goes back, and no record says so")]
