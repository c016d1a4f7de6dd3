"""The checkpoints beside one segment: in the form that they have, one naming the one before, signed by the right key.

A note names the digest of the note before it, signature included, so that the signature of the last of a file (and of
the last before another key takes over) vouches for all of them: only those are computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from proxy.audit.chain import Position
from proxy.audit.notes import SIGNS, BadNote, Note, Verifier, read_note, split
from proxy.audit.verify_problem import Problem


@dataclass(frozen=True, slots=True)
class Keys:
    """Public keys of one log, each with the first record that it may sign for; () where nobody said which."""

    since: tuple[tuple[int, Verifier], ...] = ()

    @classmethod
    def read(cls, text: str) -> Keys:
        """One key a line, of later ones ``KEY from RECORD``. ValueError for anything else."""
        found: list[tuple[int, Verifier]] = []
        for line in filter(None, map(str.strip, text.splitlines())):
            key, _, number = line.partition(" from ")
            if (found or number) and not number.isdecimal():
                raise BadNote("every key after the first is KEY from RECORD")
            found.append((int(number or 0), Verifier.read(key)))
        if not found or sorted(found, key=lambda each: each[0]) != found:
            raise BadNote("no public key, or keys out of order")
        if any(key.kind != SIGNS for _, key in found):
            raise BadNote("this is the key of a witness")
        return cls(tuple(found))

    def at(self, seq: int) -> Verifier | None:
        """The key that signs for record ``seq``."""
        return next((key for since, key in reversed(self.since) if since <= seq), None)

    def signed(self, note: Note) -> bool:
        """Whether the right key has signed."""
        key = self.at(note.checkpoint.position.seq)
        return key is not None and key.name == note.checkpoint.origin and key.signed(note)


@dataclass(slots=True)
class Noted:
    """The checkpoints of a segment: line and position of each, how they link to others, and what is wrong."""

    positions: list[tuple[int, Position]] = field(default_factory=list)
    previous: bytes | None = None  # what the first one names
    last: bytes = b""  # the digest of the last one
    time: str = ""  # when that was made
    problems: list[Problem] = field(default_factory=list)


def check_notes(path: Path, keys: Keys) -> Noted:
    """Everything that can be said without the records."""
    noted = Noted()
    found = list(_read(path, noted.problems))
    noted.problems += _wrong(path.name, found, keys)
    if found:
        noted.positions = [(line, note.checkpoint.position) for line, note in found]
        noted.previous, noted.last = found[0][1].checkpoint.previous, found[-1][1].digest()
        noted.time = found[-1][1].checkpoint.time
    return noted


def _read(path: Path, problems: list[Problem]) -> Iterator[tuple[int, Note]]:
    """Each note and the line where it begins."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return
    line = 1
    for piece in split(data):
        try:
            yield line, read_note(piece)
        except BadNote as error:
            problems.append(Problem(path.name, line, str(error)))
        line += piece.count(b"\n") + 1
    if data and not data.endswith(b"\n\n"):
        problems.append(Problem(path.name, line - 1, "the checkpoint is cut off"))


def _wrong(file: str, found: Sequence[tuple[int, Note]], keys: Keys) -> Iterator[Problem]:
    broken = False
    for line, note in found:
        if len(note.signatures) != 1:
            text = "the checkpoint has not one signature, the log's own"
            yield Problem(file, line, text, note.checkpoint.position.seq)
    for (_, before), (line, note) in pairwise(found):
        seq = note.checkpoint.position.seq
        if note.checkpoint.previous != before.digest():
            broken = True
            yield Problem(file, line, "the checkpoint does not follow the one before it", seq)
        if seq <= before.checkpoint.position.seq:
            yield Problem(file, line, "the checkpoint is not of a later record than the one before it", seq)
    if not keys.since:
        return
    for (line, note), following in zip(found, [*(note for _, note in found[1:]), None], strict=False):
        last = following is None or following.signatures[0].id != note.signatures[0].id
        if (last or broken or not _named(note, keys)) and not keys.signed(note):
            yield Problem(
                file, line, "the checkpoint is not signed by the key of this log", note.checkpoint.position.seq
            )


def _named(note: Note, keys: Keys) -> bool:
    """Whether the one signature says that it is of the right key; whether it is, is another question."""
    key = keys.at(note.checkpoint.position.seq)
    return key is not None and [(s.name, s.id) for s in note.signatures] == [(key.name, key.id)]
