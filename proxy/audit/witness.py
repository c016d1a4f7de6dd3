"""A witness: on another machine, it co-signs checkpoints of a log that has only grown since it last looked.

It reads a copy of the log and re-hashes every record up to the checkpoint, through those that it signed before. A
Merkle tree would prove the same with fewer bytes; but the witness would vouch for records that it never saw, and the
log have a second structure that may be wrong. Records hold nothing that a witness may not have; a copy takes new ones.

Its own folder has one file a log, `NODE-KEYID.notes`: the checkpoints that it co-signed, oldest first. It is the anchor
for `veil audit verify`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from proxy.audit.checkpoints import newest_note
from proxy.audit.notes import BadNote, Note, Signer, joined, read_note, split
from proxy.audit.verify import Result, verify_folder
from proxy.audit.verify_notes import Keys


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look at a log has shown: the note that is co-signed (None: nothing new, or not in order)."""

    result: Result
    note: Note | None


class Witness:
    """Keeps what it has co-signed in ``memory``, a file of its own."""

    def __init__(self, memory: Path, signer: Signer, keys: Keys) -> None:
        """``keys``: of the log, got from its operator by hand, once."""
        self._memory, self._signer, self._keys = memory, signer, keys

    def look(self, folder: Path, seconds: int, processes: int = 1) -> Seen:
        """Verify the log in ``folder`` against what was co-signed before, and co-sign its newest checkpoint.

        ValueError when the memory cannot be read: a witness that has forgotten vouches for nothing.
        """
        before = self._remembered()
        anchors = [note.checkpoint.position for note in before]
        result = verify_folder(folder, *anchors, keys=self._keys, processes=processes)
        newest = newest_note(folder)
        if not result.ok or newest is None or (before and newest.checkpoint.position.seq <= anchors[-1].seq):
            return Seen(result, None)
        note = self._signer.sign(newest.checkpoint, *newest.signatures, seconds=seconds)
        self._remember(note)
        return Seen(result, note)

    def _remembered(self) -> list[Note]:
        try:
            data = self._memory.read_bytes()
        except FileNotFoundError:
            return []
        notes = [read_note(piece) for piece in split(data)]
        if joined(notes) != data or not all(map(self._signer.verifier.signed, notes)):
            raise BadNote("the memory of this witness is not as it left it")
        return notes

    def _remember(self, note: Note) -> None:
        """Durable before anybody gets it: else the witness could sign two pasts."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(self._memory, flags, 0o600)
        try:
            os.write(fd, joined([note]))
            os.fsync(fd)
        finally:
            os.close(fd)
