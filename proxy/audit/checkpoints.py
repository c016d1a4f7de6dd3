"""The node's own signed checkpoints: `audit-000001.notes` beside `audit-000001.jsonl`, appended by the writer's thread.

Made when a second has passed or a thousand records have come since the last one, and at the end; never without a new
record. A note is not waited for: what a power cut takes is covered by the next one. One that cannot be written is
tried again a second later; the records it would cover are on disk all the same.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from proxy.audit.chain import Position, stamp
from proxy.audit.notes import FIRST, BadNote, Checkpoint, Note, Signer, joined, read_note, split
from proxy.audit.sink_file import segments
from proxy.service.ports import AuditEvent

EVERY_SECONDS, EVERY_RECORDS = 1.0, 1000
#: a note with its signature is shorter
_LONGEST = 8192
_DASH = "\N{EM DASH} ".encode()


def notes_of(segment: Path) -> Path:
    """Where the checkpoints lie that end in ``segment``."""
    return segment.with_suffix(".notes")


def newest_note(folder: Path) -> Note | None:
    """The newest checkpoint of the log in ``folder``; one that is being written, or was cut off, does not count."""
    for path in reversed(segments(folder)):
        with contextlib.suppress(FileNotFoundError, BadNote), notes_of(path).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _LONGEST))
            pieces = file.read().split(b"\n\n")  # text, signatures, text, signatures, nothing
            at = next((n for n in range(len(pieces) - 2, 0, -1) if pieces[n].startswith(_DASH)), 0)
            if at:
                return read_note(pieces[at - 1] + b"\n\n" + pieces[at] + b"\n")
    return None


class Checkpoints:
    """Signs positions of one chain."""

    def __init__(self, signer: Signer, ticks: Callable[[], float] = time.monotonic) -> None:
        self._signer, self._ticks = signer, ticks
        self._previous, self._signed = FIRST, 0
        self._since, self._failed = ticks(), False

    def resume(self, paths: list[Path], position: Position) -> list[AuditEvent]:
        """Go on after the newest note beside ``paths``; what there is to record about it and ``position``."""
        found = None
        for path in reversed(paths):
            if (found := _newest(notes_of(path))) is not None:
                break
        key = self._signer.verifier
        about = {"kind": "audit-key", "id": key.id.hex(), "public_key": key.text()}
        if found is None:
            return [AuditEvent("audit-key", object=about)]
        note, before = found.checkpoint, found.signatures[0]
        self._previous, self._signed = found.digest(), note.position.seq
        findings = []
        if note.position.seq > position.seq or (note.position.seq == position.seq and note.position != position):
            object_ = {"kind": "audit-segment", "file": path.name}
            counts = {"signed": note.position.seq, "records": position.seq}
            findings.append(AuditEvent("audit-damaged", "failure", object=object_, reason="cut-off", counts=counts))
        if before.id != key.id:
            findings.append(AuditEvent("audit-key", object=about | {"before": before.id.hex()}))
        return findings

    def due(self, position: Position) -> float | None:
        """Seconds until a checkpoint of ``position`` is to be made; None while there is nothing new."""
        if position.seq <= self._signed:
            return None
        if position.seq - self._signed >= EVERY_RECORDS and not self._failed:
            return 0.0
        return max(0.0, self._since + EVERY_SECONDS - self._ticks())

    def write(self, segment: Path, position: Position, moment: datetime) -> None:
        """Sign ``position``, which ends in ``segment``."""
        self._since = self._ticks()
        origin = self._signer.verifier.name
        note = self._signer.sign(Checkpoint(origin, position, stamp(moment), self._previous))
        try:
            _append(notes_of(segment), joined([note]))
            self._failed = False
        except OSError:
            self._failed = True
            return  # no room, no rights: the records say the same of themselves
        self._previous, self._signed = note.digest(), position.seq


def _append(path: Path, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(path, flags, 0o600)
    try:
        size = os.fstat(fd).st_size
        if os.write(fd, data) != len(data):
            os.ftruncate(fd, size)
            raise OSError
    finally:
        os.close(fd)


def _newest(path: Path) -> Note | None:
    """The last good note of a file; the part of one that a crash left at its end is cut off, and nothing else."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    pieces = list(split(data))
    if pieces and (not data.endswith(b"\n\n") or pieces[-1].endswith(b"\n\n")):
        os.truncate(path, len(data) - len(pieces.pop()))
    for piece in reversed(pieces):
        with contextlib.suppress(BadNote):
            return read_note(piece)
    return None
