"""A full disk has room for the last records, and for nothing else for long."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from proxy.audit import sink_file
from proxy.audit.ballast import Ballast
from proxy.audit.trail import AuditLog
from proxy.audit.verify import verify_folder
from proxy.errors import AuditUnavailable
from proxy.service.ports import AuditEvent


def test_room_is_taken_given_in_steps_and_dropped(tmp_path: Path) -> None:
    ballast, file = Ballast(tmp_path, 200_000), tmp_path / "ballast"
    assert not ballast.give(1)
    ballast.reserve()
    assert file.stat().st_blocks * 512 >= 200_000
    assert [ballast.give(1000) for _ in range(5)] == [True, True, True, True, False]
    ballast.reserve()
    assert file.stat().st_size == 200_000
    ballast.drop()
    ballast.drop()
    assert not file.exists()


class FullDisk:
    """Room for some bytes, and for as many as the ballast is smaller than it was."""

    def __init__(self, folder: Path, room: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.file, self.room, self.write = folder / "ballast", room, os.write
        self.size = self.file.stat().st_size
        monkeypatch.setattr(sink_file.os, "write", self)

    def __call__(self, fd: int, data: memoryview) -> int:
        given, self.size = self.size - self.file.stat().st_size, self.file.stat().st_size
        self.room += given
        if self.room <= 0:
            raise OSError(28, "No space left on device")
        written = self.write(fd, data[: self.room])
        self.room -= written
        return written


async def test_on_a_full_disk_the_last_records_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = AuditLog(tmp_path, "veil")
    await log.open()
    FullDisk(tmp_path, 1000, monkeypatch)
    full, written = "", 0
    while not full and written < 100_000:
        try:
            await log.record(*(AuditEvent("refused", "failure") for _ in range(500)))
            written += 500
        except AuditUnavailable as error:
            full = str(error)
    assert "No space" in full
    assert written > 10_000
    monkeypatch.undo()
    await log.close()
    assert not (tmp_path / "ballast").exists()
    result = verify_folder(tmp_path)
    assert (result.ok, result.records) == (True, written + 1)  # and that it took no more for a while
