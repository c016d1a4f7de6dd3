"""How the audit log in a folder stands, as a glance tells: from when on it is kept, its last signed checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from proxy.audit.chain import MAX_LINE
from proxy.audit.checkpoints import newest_note
from proxy.audit.follow import seq_of
from proxy.audit.notes import BadNote, Note, read_note, split
from proxy.audit.selection import parsed
from proxy.audit.sink_file import segments


@dataclass(frozen=True, slots=True)
class Signed:
    """A checkpoint: of which record, when, and by whom it is signed."""

    seq: int
    moment: datetime
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LogState:
    """``first``: the number of the first record that is kept, and when it was written."""

    first: int
    since: str
    segments: int
    size: int
    signed: Signed | None
    witnessed: Signed | None = None


def log_state(folder: Path, witness: Path | None = None) -> LogState:
    """``witness``: a file of checkpoints that a witness has co-signed. Blocking. OSError."""
    files = segments(folder)
    line = b""
    if files:
        with files[0].open("rb") as file:
            line = file.readline(MAX_LINE)
    note = newest_note(folder)
    since = str((parsed(line) or {}).get("ts", ""))
    return LogState(
        seq_of(line), since, len(files), sum(path.stat().st_size for path in files), _signed(note), _last(witness)
    )


def _signed(note: Note | None) -> Signed | None:
    if note is None:
        return None
    names = tuple(each.name for each in note.signatures)
    return Signed(note.checkpoint.position.seq, datetime.fromisoformat(note.checkpoint.time), names)


def _last(witness: Path | None) -> Signed | None:
    """None where there is none, or it cannot be read; the next verification says so."""
    try:
        notes = list(split(witness.read_bytes())) if witness is not None else []
        return _signed(read_note(notes[-1])) if notes else None
    except (OSError, BadNote):
        return None
