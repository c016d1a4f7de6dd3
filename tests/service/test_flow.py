"""What is counted of the log: every record once, before and after the start, by minute, project and destination."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from proxy.audit.chain import Position, seal
from proxy.audit.live import LiveStream
from proxy.audit.trail import AuditLog
from proxy.audit.watch import Watch
from proxy.service.flow import Flow, Key
from proxy.service.ports import AuditEvent

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def event(kind: str, project: str = "a", destination: str = "", reason: str = "") -> AuditEvent:
    return AuditEvent(kind, project=project, object={"destination": destination} if destination else {}, reason=reason)


def write(folder: Path, told: list[tuple[int, AuditEvent]]) -> int:
    """Records so many minutes before noon; returns the number of the last."""
    last = Position()
    with (folder / "audit-000001.jsonl").open("ab") as file:
        for minutes, each in told:
            sealed, last = seal(each, last, NOON - timedelta(minutes=minutes), "veil")
            file.write(sealed + b"\n")
    return last.seq


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


async def read(folder: Path, last: int, most: int = 1000) -> Flow:
    live = LiveStream(folder, lambda: last)
    flow = Flow(folder, lambda: last, live, NOON.timestamp, most)
    running = asyncio.create_task(flow.run())
    await until(lambda: flow.window(1, 1).known <= NOON)
    live.close()
    async with asyncio.timeout(20):
        await running
    return flow


async def test_the_day_before_the_start_is_counted_by_step_project_and_destination(tmp_path: Path) -> None:
    told = [
        (1441, event("received")),  # older than a day
        (70, event("received")),
        (59, event("received")),
        (59, event("received", "b")),
        (59, event("delivered", destination="pacs")),
        (3, event("held", reason='"project":"x","reason":"')),
        (3, event("login")),
        (0, event("rejected", destination="archive")),
    ]
    flow = await read(tmp_path, write(tmp_path, told))
    hour = flow.window(1, 60)
    assert hour.start == NOON - timedelta(minutes=59)
    assert {key: [n for n, count in enumerate(counts) if count] for key, counts in hour.counts.items()} == {
        Key("received", "a", ""): [0],
        Key("received", "b", ""): [0],
        Key("delivered", "a", "pacs"): [0],
        Key("held", "a", ""): [56],
        Key("rejected", "a", "archive"): [59],
    }
    day = flow.window(30, 48)
    assert sum(day.counts[Key("received", "a", "")]) == 2
    assert day.known == NOON - timedelta(minutes=1439)


async def test_it_says_from_when_on_it_knows_where_the_log_was_too_long_to_be_read(tmp_path: Path) -> None:
    last = write(tmp_path, [(minutes, event("received")) for minutes in range(99, -1, -1)])
    flow = await read(tmp_path, last, most=10)
    found = flow.window(1, 60)
    assert found.known == NOON - timedelta(minutes=9)
    assert sum(found.counts[Key("received", "a", "")]) == 10


@pytest.mark.parametrize("before", [0, 7])
async def test_what_comes_while_it_reads_is_counted_once(tmp_path: Path, before: int) -> None:
    log = AuditLog(tmp_path, "veil", watch=Watch(lambda: NOON))
    await log.open()
    await log.record(*[event("received")] * before)
    live = LiveStream(tmp_path, lambda: log.position.seq)
    flow = Flow(tmp_path, lambda: log.position.seq, live, NOON.timestamp)
    running = asyncio.create_task(flow.run())
    for _ in range(20):
        await log.record(event("received"))
        await asyncio.sleep(0)
    key = Key("received", "a", "")
    await until(lambda: sum(flow.window(1, 1).counts.get(key, ())) == before + 20)
    live.close()
    async with asyncio.timeout(20):
        await running
    await log.close()
    assert flow.window(1, 1).counts == {key: (before + 20,)}


async def test_a_day_later_all_of_it_is_forgotten(tmp_path: Path) -> None:
    now = NOON
    flow = Flow(tmp_path, lambda: 0, LiveStream(tmp_path, lambda: 0), lambda: now.timestamp())
    lines = []
    for minutes in (0, 1440, -1440):
        moment = NOON + timedelta(minutes=minutes)
        lines.append(seal(event("received"), Position(), moment, "veil")[0])
    flow._add(lines[0])
    now = NOON + timedelta(days=1)
    flow._add(lines[1])
    flow._add(lines[2])
    assert [sum(counts) for counts in flow.window(60, 30).counts.values()] == [1]


@pytest.mark.parametrize("line", [b"", b"{}", b'"project":"', json.dumps({"project": "a", "ts": "x"}).encode()])
def test_what_is_no_record_counts_for_nothing(tmp_path: Path, line: bytes) -> None:
    flow = Flow(tmp_path, lambda: 0, LiveStream(tmp_path, lambda: 0))
    flow._add(line)
    assert flow.window(60, 24).counts == {}
