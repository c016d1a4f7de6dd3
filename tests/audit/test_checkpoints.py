"""Checkpoints come in time, by the writer, without being waited for; and what a crash or a hand did to them shows."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from pathlib import Path

import pytest

from proxy.audit import checkpoints, sink_file
from proxy.audit.checkpoints import Checkpoints, notes_of
from proxy.audit.keys import AuditKey
from proxy.audit.notes import Note, read_note, split
from proxy.audit.trail import AuditLog
from proxy.audit.verify import Result, verify_folder
from proxy.audit.verify_notes import Keys
from proxy.service.ports import AuditEvent, Concealed

KEY = AuditKey(bytes(range(32)))
KEYS = Keys.read(KEY.signer("veil").verifier.text())


async def write(folder: Path, count: int, key: AuditKey = KEY, **options: int) -> None:
    log = AuditLog(folder, "veil", key=key, **options, timeout=60)  # type: ignore[arg-type] # ints only
    await log.open()
    for n in range(count):
        await log.record(AuditEvent("released", object={"size": n}))
    await log.close()


def notes(folder: Path) -> list[Note]:
    files = map(notes_of, sink_file.segments(folder))
    return [read_note(piece) for file in files if file.exists() for piece in split(file.read_bytes())]


def sizes(folder: Path) -> list[int]:
    return [note.checkpoint.position.seq for note in notes(folder)]


def verified(folder: Path, keys: Keys = KEYS) -> Result:
    return verify_folder(folder, keys=keys, complete=True)


async def test_the_first_record_names_the_key_and_the_last_is_signed(tmp_path: Path) -> None:
    await write(tmp_path, 3)
    assert sizes(tmp_path) == [4]
    record = json.loads(sink_file.segments(tmp_path)[0].read_text().splitlines()[0])
    assert (record["type"], record["object"]["public_key"]) == ("audit-key", KEY.signer("veil").verifier.text())
    assert verified(tmp_path).ok
    assert notes_of(sink_file.segments(tmp_path)[0]).stat().st_mode & 0o777 == 0o600


async def test_a_checkpoint_after_a_second_or_a_thousand_records_and_none_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "EVERY_SECONDS", 0.2)
    log = AuditLog(tmp_path, "veil", key=KEY, timeout=60)
    await log.open()
    await asyncio.sleep(0.5)
    assert sizes(tmp_path) == [1]
    await asyncio.sleep(0.5)
    assert sizes(tmp_path) == [1]
    monkeypatch.setattr(checkpoints, "EVERY_SECONDS", 1000)
    for _ in range(5):
        await log.record(*(AuditEvent("x") for _ in range(300)))
    assert sizes(tmp_path)[1:2] == [1201]
    await log.close()
    assert sizes(tmp_path)[-1] == 1501
    assert verified(tmp_path).ok


async def test_restarts_and_rotation_keep_one_chain_of_checkpoints(tmp_path: Path) -> None:
    for _ in range(4):
        await write(tmp_path, 9, segment_bytes=2000)
    assert len(sink_file.segments(tmp_path)) > 4
    assert sizes(tmp_path) == [10, 19, 28, 37]
    assert verified(tmp_path).ok


async def test_an_older_log_without_a_key_is_signed_from_then_on(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, "veil")
    await log.open()
    await log.record(AuditEvent("x", object={"original": Concealed("p", "4711")}))
    await log.close()
    assert [p.text for p in verified(tmp_path).problems] == ["no checkpoint signs any of the records"]
    await write(tmp_path, 1)
    assert verified(tmp_path).ok
    assert '"original":"hidden"' in sink_file.segments(tmp_path)[0].read_text()


async def test_another_key_is_recorded_and_signs_from_then_on(tmp_path: Path) -> None:
    other = AuditKey(bytes(32))
    await write(tmp_path, 2)
    await write(tmp_path, 2, other)
    assert not verified(tmp_path).ok
    text = f"{KEY.signer('veil').verifier.text()}\n{other.signer('veil').verifier.text()} from 4"
    assert verified(tmp_path, Keys.read(text)).ok
    assert f'"before":"{KEY.signer("veil").verifier.id.hex()}"' in sink_file.segments(tmp_path)[0].read_text()


@pytest.mark.parametrize("damage", [False, True])
async def test_what_a_crash_left_unsigned_is_signed_where_it_stands(tmp_path: Path, damage: bool) -> None:
    log = AuditLog(tmp_path, "veil")
    await log.open()
    await log.record(*(AuditEvent("x") for _ in range(1100)))
    await log.close()
    path = sink_file.segments(tmp_path)[0]
    if damage:
        path.write_bytes(path.read_bytes().replace(b'"seq":7,', b'"seq":8,'))
    else:
        (tmp_path / "audit-000002.jsonl").touch(0o600)
    log = AuditLog(tmp_path, "veil", key=KEY, timeout=60)
    await log.open()
    await log.close()
    assert [p for p in verified(tmp_path).problems if p.file.endswith("notes")] == []
    assert verified(tmp_path).ok is not damage


@pytest.mark.parametrize("left", [1, 100, -60, -1])
async def test_a_torn_checkpoint_is_cut_off(tmp_path: Path, left: int) -> None:
    await write(tmp_path, 2)
    path = notes_of(sink_file.segments(tmp_path)[0])
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:left])
    await write(tmp_path, 1)
    assert sizes(tmp_path) == [3, 4]
    assert verified(tmp_path).ok


async def test_a_log_that_was_cut_below_its_checkpoint_says_so_at_the_start(tmp_path: Path) -> None:
    await write(tmp_path, 5)
    path = sink_file.segments(tmp_path)[0]
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:4]))
    await write(tmp_path, 1)
    record = json.loads(path.read_text().splitlines()[4])
    assert (record["type"], record["reason"], record["counts"]) == (
        "audit-damaged", "cut-off", {"signed": 6, "records": 4},
    )  # fmt: skip
    assert not verified(tmp_path).ok


async def test_a_checkpoint_that_cannot_be_written_costs_nobody_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "EVERY_SECONDS", 0.05)
    genuine, tries = checkpoints._append, []

    def full(path: Path, data: bytes) -> None:
        tries.append(path)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints, "_append", full)
    log = AuditLog(tmp_path, "veil", key=KEY, timeout=60)
    await log.open()
    for _ in range(3):
        await log.record(*(AuditEvent("x") for _ in range(600)))
        await asyncio.sleep(0.06)
    assert log.healthy
    assert 2 <= len(tries) < 20
    monkeypatch.setattr(checkpoints, "_append", genuine)
    await log.close()
    assert sizes(tmp_path) == [1801]
    assert verified(tmp_path).ok


async def test_no_caller_waits_for_a_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()
    genuine = Checkpoints.write

    def slow(*arguments: object) -> None:
        gate.wait(5)
        genuine(*arguments)  # type: ignore[arg-type] # passed on

    monkeypatch.setattr(Checkpoints, "write", slow)
    log = AuditLog(tmp_path, "veil", key=KEY, timeout=60)
    await log.open()
    started = time.monotonic()
    await log.record(*(AuditEvent("x") for _ in range(2000)))
    assert time.monotonic() - started < 4.5
    gate.set()
    await log.close()
    assert verified(tmp_path).ok


async def test_records_that_were_never_signed_show(tmp_path: Path) -> None:
    await write(tmp_path, 2)
    log = AuditLog(tmp_path, "veil")
    await log.open()
    await log.record(*(AuditEvent("x") for _ in range(100)))
    await log.close()
    assert verify_folder(tmp_path, keys=KEYS).ok
    assert [p.seq for p in verified(tmp_path).problems] == [4]
    log = AuditLog(tmp_path, "veil")
    await log.open()
    await log.record(*(AuditEvent("x") for _ in range(5000)))
    await log.close()
    assert [p.seq for p in verify_folder(tmp_path, keys=KEYS).problems] == [4]


async def test_the_newest_note_is_found_beside_one_that_is_being_written(tmp_path: Path) -> None:
    assert checkpoints.newest_note(tmp_path) is None
    await write(tmp_path, 40, segment_bytes=4000)
    last = notes(tmp_path)[-1]
    assert checkpoints.newest_note(tmp_path) == last
    path = [notes_of(segment) for segment in sink_file.segments(tmp_path) if notes_of(segment).exists()][-1]
    whole = path.read_bytes()
    for cut in range(1, len(last.encode()) + 2, 7):
        path.write_bytes(whole + (last.encode() + b"\n")[:-cut])
        assert checkpoints.newest_note(tmp_path) == last
