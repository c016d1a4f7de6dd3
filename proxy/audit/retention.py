"""How long the log is kept: whole segments go, oldest first, after every sink has passed them, and never unrecorded.

The record of a removal (`audit-removed`) is durable before the file goes, and names the last record that goes with it:
so the rest of the log, which begins with that record's hash, says itself why it begins there. A segment's age is that
of its last record, as the record states it. A crash in between removes it, and records that, once more.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from proxy.audit.chain import BadRecord, unseal
from proxy.audit.checkpoints import notes_of
from proxy.audit.follow import number_of
from proxy.audit.notes import FIRST, BadNote, Note, read_note, split
from proxy.audit.sink_file import segments
from proxy.audit.trail import AuditLog
from proxy.audit.watch import now
from proxy.errors import AuditUnavailable
from proxy.service.ports import AuditEvent

_EVERY, _OPEN_FOR = 3600.0, timedelta(days=1)
_END = 1 << 20


@dataclass(frozen=True, slots=True)
class _Removable:
    path: Path
    about: dict[str, Any]


class Retention:
    """Removes what is older than ``days`` from the log in ``folder``; None: nothing. A legal hold: nothing either."""

    def __init__(
        self,
        folder: Path,
        log: AuditLog,
        days: int | None,
        hold: bool,
        passed: Callable[[], int],
        clock: Callable[[], datetime] = now,
    ) -> None:
        """``passed``: number of the lowest segment that a sink has yet to read."""
        self._folder, self._log, self._passed, self._clock = folder, log, passed, clock
        self._days = None if hold else days

    async def run(self) -> None:
        """Every hour, until it is cancelled."""
        while self._days is not None:
            with contextlib.suppress(AuditUnavailable, OSError):  # the disk of record: said elsewhere, tried again
                await self.sweep()
            await asyncio.sleep(_EVERY)

    async def sweep(self) -> int:
        """Remove what is due; how many segments that was. `AuditUnavailable`: nothing that was not recorded."""
        if self._days is None:
            return 0
        due = await asyncio.to_thread(self._due, self._clock() - timedelta(days=self._days))
        for each in due:
            await self._log.record(AuditEvent("audit-removed", object=each.about))
            await asyncio.to_thread(_remove, each.path)
        if await asyncio.to_thread(self._long_open):
            self._log.rotate_soon()
        return len(due)

    def _due(self, before: datetime) -> list[_Removable]:
        """The oldest closed segments whose last record is older than ``before``, up to the first that is not."""
        found = []
        for path in segments(self._folder)[:-1]:
            ends = _ends(path)
            if ends is None or ends[1]["ts"] >= before or number_of(path) >= self._passed():
                break
            found.append(_Removable(path, _about(path, *ends)))
        return found

    def _long_open(self) -> bool:
        ends = _ends(segments(self._folder)[-1])
        return ends is not None and ends[0]["ts"] < self._clock() - _OPEN_FOR


def _ends(path: Path) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """First and last record of a segment with their times and hashes; None where they cannot be read: it is kept."""
    with path.open("rb") as file:
        first = file.readline(_END)
        file.seek(max(0, path.stat().st_size - _END))
        last = file.read(_END).rstrip(b"\n").rpartition(b"\n")[2]
    try:
        return _dated(first.removesuffix(b"\n")), _dated(last)
    except (BadRecord, ValueError, KeyError, TypeError):
        return None


def _dated(line: bytes) -> dict[str, Any]:
    record, position = unseal(line)
    return {"ts": datetime.fromisoformat(record["ts"]), "seq": position.seq, "hash": position.hash}


def _about(path: Path, first: dict[str, Any], last: dict[str, Any]) -> dict[str, Any]:
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    about = {"kind": "audit-segment", "file": path.name, "sha256": sha256}
    about |= {"first": first["seq"], "last": last["seq"], "hash": last["hash"]}
    note = _note_before(path.parent, number_of(path))
    return about | ({"note": note} if note else {})


def _note_before(folder: Path, number: int) -> str:
    """The digest of the last checkpoint up to segment ``number``, as the first one after it says; "" for none."""
    for path in segments(folder):
        if number_of(path) > number and (notes := _notes(path)):
            return notes[0].checkpoint.previous.hex() if notes[0].checkpoint.previous != FIRST else ""
    for path in reversed(segments(folder)):  # none came after it, so there is no more to say than what is there
        if number_of(path) <= number and (notes := _notes(path)):
            return notes[-1].digest().hex()
    return ""


def _notes(path: Path) -> list[Note]:
    """The first and the last checkpoint beside a segment, those that can be read."""
    try:
        pieces = list(split(notes_of(path).read_bytes()))
        return [read_note(pieces[0]), read_note(pieces[-1])]
    except (OSError, BadNote, IndexError):
        return []


def _remove(path: Path) -> None:
    notes_of(path).unlink(missing_ok=True)
    path.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
