"""Durable when `record` returns; `AuditUnavailable` within two seconds otherwise; a crash loses no record."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from proxy.audit import sink_file
from proxy.audit.trail import AuditLog
from proxy.audit.verify import verify_folder
from proxy.errors import AuditUnavailable
from proxy.service.ports import AuditEvent


def event(n: int) -> AuditEvent:
    return AuditEvent("released", project="research", object={"kind": "instance", "size": n})


async def write(folder: Path, count: int, **options: object) -> None:
    log = AuditLog(folder, "veil", **options)  # type: ignore[arg-type]
    await log.open()
    for n in range(count):
        await log.record(event(n))
    await log.close()


def text(folder: Path) -> str:
    return "".join(path.read_text() for path in sink_file.segments(folder))


def records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text(folder).splitlines()]


async def healthy(log: AuditLog) -> None:
    async with asyncio.timeout(20):
        while not log.healthy:
            await asyncio.sleep(0.02)


async def test_records_survive_a_restart_in_one_chain(tmp_path: Path) -> None:
    await write(tmp_path, 3)
    await write(tmp_path, 2)
    result = verify_folder(tmp_path)
    assert (result.ok, result.records, result.seq) == (True, 5, 5)
    assert [path.stat().st_mode & 0o777 for path in sink_file.segments(tmp_path)] == [0o600]


async def test_events_of_one_call_stand_together_whoever_else_writes(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, "veil")
    await log.open()
    await asyncio.gather(*(log.record(AuditEvent("received", object={"size": n}), event(n)) for n in range(200)))
    anchor = log.position
    await log.close()
    result = verify_folder(tmp_path, anchor)
    assert (result.ok, result.records) == (True, 400)
    records = [json.loads(line) for line in text(tmp_path).splitlines()]
    for first, second in zip(records[::2], records[1::2], strict=True):
        assert (first["type"], second["type"]) == ("received", "released")
        assert first["object"]["size"] == second["object"]["size"]


async def test_segments_rotate_and_chain(tmp_path: Path) -> None:
    await write(tmp_path, 20, segment_bytes=1000)
    files = sink_file.segments(tmp_path)
    assert len(files) > 5
    assert verify_folder(tmp_path).ok
    # a crash right after a rotation leaves an empty segment behind
    (tmp_path / f"audit-{len(files) + 1:06d}.jsonl").touch(0o600)
    assert verify_folder(tmp_path).ok
    await write(tmp_path, 3)
    assert (verify_folder(tmp_path).ok, verify_folder(tmp_path).seq) == (True, 23)


@pytest.mark.parametrize("tail", [b'{"counts":{},"half', b"\0" * 5000, b"x" * 200_000])
async def test_a_torn_last_line_is_cut_and_the_cut_recorded(tmp_path: Path, tail: bytes) -> None:
    await write(tmp_path, 3)
    path = sink_file.segments(tmp_path)[0]
    with path.open("ab") as file:
        file.write(tail)
    assert not verify_folder(tmp_path).ok
    await write(tmp_path, 1)
    result = verify_folder(tmp_path)
    assert (result.ok, result.seq) == (True, 5)
    assert f'"counts":{{"cut_bytes":{len(tail)}}}' in text(tmp_path)
    assert '"type":"audit-recovered"' in text(tmp_path)


async def test_a_first_line_torn_leaves_an_empty_segment(tmp_path: Path) -> None:
    (tmp_path / "audit-000001.jsonl").write_bytes(b'{"half')
    await write(tmp_path, 1)
    assert (verify_folder(tmp_path).ok, verify_folder(tmp_path).seq) == (True, 2)


async def test_an_instance_whose_fate_the_crash_cut_off_is_refused(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, "veil")
    await log.open()
    await log.record(AuditEvent("received", object={"size": 7}), event(7))
    await log.close()
    path = sink_file.segments(tmp_path)[0]
    first, second = path.read_bytes().splitlines(keepends=True)
    for cut in (b"", second[:100]):
        path.write_bytes(first + cut)
        await write(tmp_path, 0)
        refused = records(tmp_path)[1]
        assert (refused["type"], refused["reason"], refused["object"]) == ("refused", "interrupted", {"size": 7})
        await write(tmp_path, 0)
        assert sum(record["type"] == "refused" for record in records(tmp_path)) == 1


async def test_a_damaged_end_is_kept_as_evidence_and_recorded(tmp_path: Path) -> None:
    await write(tmp_path, 5)
    path = sink_file.segments(tmp_path)[0]
    lines = path.read_bytes().splitlines(keepends=True)
    lines[3] = lines[3].replace(b'"size":3', b'"size":4')
    path.write_bytes(b"".join(lines))
    damaged = path.read_bytes()
    await write(tmp_path, 2)
    assert path.read_bytes() == damaged
    result = verify_folder(tmp_path)
    assert next((p.file, p.line) for p in result.problems) == (path.name, 4)
    assert '"type":"audit-damaged"' in sink_file.segments(tmp_path)[1].read_text()
    assert '"counts":{"line":4}' in text(tmp_path)


async def test_two_processes_cannot_write_one_folder(tmp_path: Path) -> None:
    first = AuditLog(tmp_path, "veil")
    await first.open()
    with pytest.raises(AuditUnavailable, match="another process"):
        await AuditLog(tmp_path, "veil").open()
    await first.close()
    await write(tmp_path, 1)


async def test_not_open_or_closed_is_unavailable(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, "veil")
    with pytest.raises(AuditUnavailable):
        await log.record(event(1))
    await log.open()
    await log.record()
    await log.close()
    assert log.healthy is False
    with pytest.raises(AuditUnavailable):
        await log.record(event(1))


async def test_an_event_that_cannot_be_written_fails_alone(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, "veil")
    await log.open()
    bad = log.record(event(1), AuditEvent("x", object={"value": b"bytes"}))
    results = await asyncio.gather(log.record(event(1)), bad, log.record(event(2)), return_exceptions=True)
    assert [type(result) for result in results] == [type(None), AuditUnavailable, type(None)]
    await log.close()
    assert (verify_folder(tmp_path).ok, verify_folder(tmp_path).records) == (True, 2)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, object]]:
    """Faults of the disk, by system call: a number of bytes that still fit, an error, or an event to wait for."""
    faults: dict[str, object] = {}
    real_write, real_sync = os.write, os.fdatasync

    def fake_write(fd: int, data: memoryview) -> int:
        if "room" in faults:
            room = int(str(faults["room"]))
            if room == 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            faults["room"] = 0
            return real_write(fd, data[:room])
        return real_write(fd, data)

    def fake_sync(fd: int) -> None:
        if isinstance(gate := faults.get("hang"), threading.Event):
            gate.wait()
        if "sync" in faults:
            raise OSError(errno.EIO, "Input/output error")
        real_sync(fd)

    monkeypatch.setattr(sink_file.os, "write", fake_write)
    monkeypatch.setattr(sink_file.os, "fdatasync", fake_sync)
    yield faults
    faults.clear()


@pytest.mark.parametrize("room", [0, 1, 100, 450])
async def test_a_full_disk_fails_the_operation_and_leaves_no_torn_record(
    tmp_path: Path, disk: dict[str, object], room: int
) -> None:
    log = AuditLog(tmp_path, "veil")
    await log.open()
    await log.record(event(1))
    disk["room"] = room
    with pytest.raises(AuditUnavailable, match="No space"):
        await log.record(event(2), event(3))
    assert log.healthy is False
    with pytest.raises(AuditUnavailable):
        await log.record(event(4))
    disk.clear()
    await log.record(event(5))
    assert log.healthy is True
    await log.close()
    result = verify_folder(tmp_path)
    assert (result.ok, result.records) == (True, 3)
    (gap,) = [record for record in records(tmp_path) if record["type"] == "audit-outage"]
    assert (gap["counts"]["refused"], "No space" in gap["reason"]) == (3, True)


async def test_a_disk_that_is_good_again_is_found_out_without_anybody_asking(
    tmp_path: Path, disk: dict[str, object]
) -> None:
    log = AuditLog(tmp_path, "veil")
    await log.open()
    disk["room"] = 0
    with pytest.raises(AuditUnavailable, match="No space"):
        await log.record(event(1))
    assert log.healthy is False
    disk.clear()
    await healthy(log)
    await log.close()
    assert [record["type"] for record in records(tmp_path)] == ["audit-outage"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_failed_fsync_ends_the_process(tmp_path: Path, disk: dict[str, object]) -> None:
    died: list[str] = []

    def note(what: str) -> NoReturn:
        died.append(what)
        raise SystemExit  # the real one never returns either

    log = AuditLog(tmp_path, "veil", die=note, timeout=0.3)
    await log.open()
    disk["sync"] = True
    with pytest.raises(AuditUnavailable):
        await log.record(event(1))
    assert died == ["fsync of the audit log failed"]
    with pytest.raises(AuditUnavailable):
        await log.record(event(2))


async def test_a_hanging_disk_fails_within_two_seconds_and_recovers(tmp_path: Path, disk: dict[str, object]) -> None:
    log = AuditLog(tmp_path, "veil")
    await log.open()
    disk["hang"] = gate = threading.Event()
    started = time.monotonic()
    first = asyncio.ensure_future(log.record(event(0)))
    await asyncio.sleep(0.05)
    results = await asyncio.gather(first, *(log.record(event(n)) for n in range(5)), return_exceptions=True)
    assert time.monotonic() - started < 4
    assert {type(result) for result in results} == {AuditUnavailable}
    assert log.healthy is False
    started = time.monotonic()
    with pytest.raises(AuditUnavailable):
        await log.record(event(9))
    assert time.monotonic() - started < 1.4, "it is known that the disk hangs"
    gate.set()
    await healthy(log)
    await log.record(event(10))
    await log.close()
    # what its caller had given up before it was written is not written; what was being written then is named
    assert verify_folder(tmp_path).ok
    first_one, gap, late, last = records(tmp_path)
    assert (first_one["object"]["size"], last["object"]["size"]) == (0, 10)
    assert (gap["type"], gap["counts"]["refused"]) == ("audit-outage", 7)
    assert (late["type"], late["object"]) == ("audit-late", {"kind": "audit-segment", "first": 1, "last": 1})


async def test_a_late_event_loop_is_not_taken_for_a_hanging_disk(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, "veil", timeout=0.2)
    await log.open()
    call = asyncio.ensure_future(log.record(event(1)))
    await asyncio.sleep(0)
    time.sleep(0.5)
    await call
    assert log.healthy is True
    await log.close()


async def test_the_queue_for_a_hanging_disk_is_bounded(
    tmp_path: Path, disk: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxy.audit.writer._WAITING", 10)
    log = AuditLog(tmp_path, "veil", timeout=0.5)
    await log.open()
    disk["hang"] = gate = threading.Event()
    first = asyncio.ensure_future(log.record(event(0)))
    await asyncio.sleep(0.1)
    rest = asyncio.gather(*(log.record(event(n)) for n in range(20)), return_exceptions=True)
    results = await rest
    assert sum("too many" in str(result) for result in results) == 10
    with pytest.raises(AuditUnavailable):
        await first
    gate.set()
    await log.close()
    assert verify_folder(tmp_path).ok


async def test_a_cancelled_caller_harms_nobody(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, "veil")
    await log.open()
    call = asyncio.ensure_future(log.record(event(1)))
    await asyncio.sleep(0)
    call.cancel()
    await log.record(event(2))
    await log.close()
    assert verify_folder(tmp_path).ok


_WRITER = """
import asyncio, sys
from pathlib import Path
from proxy.audit.trail import AuditLog
from proxy.service.ports import AuditEvent

async def one(log, n):
    while True:
        await log.record(AuditEvent("received", object={"n": n}), AuditEvent("released", object={"n": n}))
        print(log.position.seq, flush=True)

async def main():
    log = AuditLog(Path(sys.argv[1]), "veil", segment_bytes=20000)
    await log.open()
    await asyncio.gather(*(one(log, n) for n in range(8)))

asyncio.run(main())
"""


async def test_kill_9_at_random_moments_loses_no_acknowledged_record(tmp_path: Path) -> None:
    folder, root = tmp_path / "audit", Path(__file__).parents[2]
    for n in range(8):
        child = subprocess.Popen([sys.executable, "-c", _WRITER, folder], stdout=subprocess.PIPE, cwd=root)
        assert child.stdout is not None
        first = child.stdout.readline()
        time.sleep(0.013 * n)
        child.send_signal(signal.SIGKILL)
        acknowledged = [int(line) for line in [first, *child.stdout.readlines()] if line.endswith(b"\n")]
        child.wait()
        child.stdout.close()
        log = AuditLog(folder, "veil", segment_bytes=20000)
        await log.open()
        assert log.position.seq >= max(acknowledged)
        await log.close()
    result = verify_folder(folder)
    assert result.ok, result.problems
    assert result.records > 100


async def test_seven_thousand_records_a_second(tmp_path: Path) -> None:
    """The reference rate with group commit; a slow or shared disk gets a tenth of it as its floor here."""
    log = AuditLog(tmp_path, "veil")
    await log.open()

    async def sender(count: int) -> None:
        for n in range(count):
            await log.record(event(n), event(n))

    started = time.monotonic()
    await asyncio.gather(*(sender(100) for _ in range(40)))
    rate = 8000 / (time.monotonic() - started)
    await log.close()
    assert rate > 700
