"""A log of many segments, made in memory, and every way of tampering with it that somebody without its key has."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from proxy.audit.chain import Position, canonical, digest, seal, unseal
from proxy.audit.keys import AuditKey
from proxy.audit.notes import FIRST, Checkpoint, Note, Signer, joined, read_note, split
from proxy.service.ports import AuditEvent

Files = dict[str, bytes]
START = datetime(2026, 11, 21, 9, 0, 0, tzinfo=UTC)
OLD, NEW, THIEF = (AuditKey(hashlib.sha256(name).digest()).signer("veil") for name in (b"old", b"new", b"thief"))


def built(records: int, segment: int, every: int, turn: int = 0, project: str = "research") -> Files:
    """A log with a checkpoint after each ``every`` records and at its end; from ``turn`` on by the new key."""
    events = [
        AuditEvent("received", project=project, peer={"transport": "dimse"}, object={"kind": "instance", "size": n})
        for n in range(records)
    ]
    lines, at = [], Position()
    for n, event in enumerate(events):
        line, at = seal(event, at, START + timedelta(seconds=n), "veil")
        lines.append(line + b"\n")
    return laid(lines, segment, every, lambda seq: NEW if turn and seq >= turn else OLD)


def laid(lines: list[bytes], segment: int, every: int, signer: Callable[[int], Signer]) -> Files:
    """Lines in segments, with checkpoints."""
    files, previous = Files(), FIRST
    for number, first in enumerate(range(0, len(lines), segment), 1):
        mine = lines[first : first + segment]
        files[name(number)] = b"".join(mine)
        notes = []
        for line in mine:
            record, position = unseal(line[:-1])
            if position.seq % every == 0 or position.seq == len(lines):
                notes.append(signer(position.seq).sign(Checkpoint("veil.audit/veil", position, record["ts"], previous)))
                previous = notes[-1].digest()
        files[name(number, "notes")] = joined(notes)
    return files


def name(number: int, kind: str = "jsonl") -> str:
    return f"audit-{number:06d}.{kind}"


def rewritten(lines: list[bytes], start: int, change: Callable[[dict[str, object]], None]) -> list[bytes]:
    """Every record from index ``start`` on as somebody who can hash writes it, the first of them changed."""
    out = lines[:start]
    at = unseal(out[-1][:-1])[1] if out else Position()
    for n, line in enumerate(lines[start:]):
        record, _ = unseal(line[:-1])
        if n == 0:
            change(record)
        record |= {"seq": at.seq + 1, "prev": at.hash}
        body = canonical(record)
        at = Position(at.seq + 1, digest(at.hash, body))
        out.append(body[:-1] + b',"hash":"' + at.hash.encode() + b'"}\n')
    return out


@dataclass
class Tampered:
    """``where``: file and line of what was changed, if it is one line."""

    files: Files
    where: tuple[str, int] | None = None


@dataclass
class Log:
    """A genuine log and dice."""

    files: Files
    segment: int
    every: int
    dice: random.Random
    lines: list[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.lines = [line for n in self.names() for line in self.files[n].splitlines(keepends=True)]

    def names(self, kind: str = "jsonl") -> list[str]:
        return sorted(n for n in self.files if n.endswith(kind))

    def index(self) -> int:
        return self.dice.randrange(len(self.lines))

    def place(self, index: int) -> tuple[str, int]:
        return name(index // self.segment + 1), index % self.segment + 1

    def relaid(self, lines: list[bytes], **others: bytes) -> Files:
        """The lines in the segments that they had, the checkpoints untouched."""
        parts = [lines[n : n + self.segment] for n in range(0, len(lines), self.segment)]
        changed = {name(n): b"".join(part) for n, part in enumerate(parts, 1)}
        return {**{n: data for n, data in self.files.items() if n.endswith("notes")}, **changed, **others}

    def with_line(self, index: int, *new: bytes) -> Tampered:
        file, number = self.place(index)
        lines = self.files[file].splitlines(keepends=True)
        lines[number - 1 : number] = new
        return Tampered({**self.files, file: b"".join(lines)}, (file, number))

    # ---- one record ----

    def flip(self) -> Tampered:
        index = self.index()
        line = bytearray(self.lines[index])
        line[self.dice.randrange(len(line))] ^= 1 << self.dice.randrange(8)
        return self.with_line(index, bytes(line))

    def edit(self) -> Tampered:
        index = self.index()
        return self.with_line(index, self.lines[index].replace(b'"outcome":"success"', b'"outcome":"failure"'))

    def forge(self) -> Tampered:
        """One record changed and hashed again."""
        index = self.index()
        return self.with_line(index, rewritten(self.lines[: index + 1], index, _other)[-1])

    def delete(self) -> Tampered:
        index, count = self.index(), self.dice.choice((1, 1, 2, 5))
        return Tampered(self.relaid(self.lines[:index] + self.lines[index + count :]))

    def double(self) -> Tampered:
        index = self.index()
        return self.with_line(index, self.lines[index], self.lines[self.index()])

    def insert(self) -> Tampered:
        index = self.index()
        _, at = unseal(self.lines[index][:-1])
        new, _ = seal(AuditEvent("denied"), at, START, "veil")
        return self.with_line(index, self.lines[index], new + b"\n")

    def swap(self) -> Tampered:
        a, b = self.dice.sample(range(len(self.lines)), 2)
        lines = list(self.lines)
        lines[a], lines[b] = lines[b], lines[a]
        return Tampered(self.relaid(lines))

    # ---- many ----

    def rewrite(self) -> Tampered:
        return Tampered(self.relaid(rewritten(self.lines, self.index(), _other)))

    def rewrite_and_sign(self) -> Tampered:
        """With a key of the tamperer's own, all over, or from the change on."""
        index, everywhere = self.index(), self.dice.random() < 0.5
        lines = rewritten(self.lines, index, _other)
        return Tampered(laid(lines, self.segment, self.every, lambda seq: THIEF if everywhere or seq > index else OLD))

    def sign_anew(self) -> Tampered:
        return Tampered(laid(self.lines, self.segment, self.every, lambda seq: THIEF))

    def other_log(self) -> Tampered:
        """The notes of another log of the same key."""
        other = built(len(self.lines), self.segment, self.every, project="other")
        chosen = self.dice.choice(self.names("notes"))
        return Tampered({**self.files, chosen: other[chosen]})

    # ---- segments, ends, age ----

    def lose_segment(self) -> Tampered:
        chosen = self.dice.choice(self.names())
        gone = {chosen} | ({chosen.replace("jsonl", "notes")} if self.dice.random() < 0.5 else set())
        return Tampered({n: data for n, data in self.files.items() if n not in gone})

    def swap_segments(self) -> Tampered:
        kind = self.dice.choice(("jsonl", "notes"))
        a, b = self.dice.sample(self.names(kind), 2)
        return Tampered({**self.files, a: self.files[b], b: self.files[a]})

    def cut(self) -> Tampered:
        """A file ends too early."""
        chosen = self.dice.choice(sorted(self.files))
        data = self.files[chosen]
        return Tampered({**self.files, chosen: data[: self.dice.randrange(len(data))]})

    def roll_back(self) -> Tampered:
        """An older copy of the whole log, in itself in order."""
        lines = self.lines[: self.dice.randrange(1, len(self.lines) - 1)]
        return Tampered(laid(lines, self.segment, self.every, lambda seq: OLD))

    def forge_retention(self) -> Tampered:
        """The first segments gone, with a record that says they went lawfully."""
        gone = self.dice.randrange(1, len(self.names()) - 1)
        _, last = unseal(self.lines[gone * self.segment - 1][:-1])

        def removed(record: dict[str, object]) -> None:
            record |= {"type": "audit-removed", "object": {"last": last.seq, "hash": last.hash}}

        index = self.dice.randrange(gone * self.segment, len(self.lines))
        files = self.relaid(rewritten(self.lines, index, removed))
        lost = {name(n, kind) for n in range(1, gone + 1) for kind in ("jsonl", "notes")}
        return Tampered({n: data for n, data in files.items() if n not in lost})

    # ---- checkpoints ----

    def flip_note(self) -> Tampered:
        chosen = self.dice.choice(self.names("notes"))
        data = bytearray(self.files[chosen])
        data[self.dice.randrange(len(data))] ^= 1 << self.dice.randrange(8)
        return Tampered({**self.files, chosen: bytes(data)})

    def mix_notes(self) -> Tampered:
        """One is gone, doubled, moved, or has a signature more."""
        chosen = self.dice.choice(self.names("notes"))
        notes = [read_note(piece) for piece in split(self.files[chosen])]
        at, how = self.dice.randrange(len(notes)), self.dice.randrange(4)
        match how:
            case 0:
                notes.pop(at)
            case 1:
                notes.insert(at, notes[at])
            case 2:
                notes.insert((at + 1) % len(notes), notes.pop(at))
            case _:
                signatures = notes[at].signatures
                notes[at] = Note(notes[at].checkpoint, (*signatures, *THIEF.sign(notes[at].checkpoint).signatures))
        return Tampered({**self.files, chosen: joined(notes)})

    def lose_notes(self) -> Tampered:
        """All from somewhere on, and the records that they covered are other ones now."""
        index = self.dice.randrange(len(self.lines) - 1)
        files = self.relaid(rewritten(self.lines, index, _other))
        for number in range(index // self.segment + 1, len(self.names()) + 1):
            pieces = [read_note(piece) for piece in split(files.pop(name(number, "notes")))]
            if kept := [note for note in pieces if note.checkpoint.position.seq <= index]:
                files[name(number, "notes")] = joined(kept)
        return Tampered(files)

    def sign_back(self) -> Tampered:
        """The new key is stolen: records from before its time are changed and signed with it."""
        index = self.dice.randrange(50)
        lines = rewritten(self.lines, index, _other)
        return Tampered(laid(lines, self.segment, self.every, lambda seq: NEW if seq > index else OLD))


WAYS = (
    Log.flip, Log.edit, Log.forge, Log.delete, Log.double, Log.insert, Log.swap, Log.rewrite, Log.rewrite_and_sign,
    Log.sign_anew, Log.other_log, Log.lose_segment, Log.swap_segments, Log.cut, Log.roll_back, Log.forge_retention,
    Log.flip_note, Log.mix_notes, Log.lose_notes, Log.sign_back,
)  # fmt: skip

#: those that show without an anchor, whatever they do
PLAIN = (Log.flip, Log.edit, Log.double, Log.swap, Log.rewrite, Log.rewrite_and_sign, Log.sign_anew, Log.other_log,
         Log.swap_segments, Log.forge_retention, Log.flip_note, Log.sign_back)  # fmt: skip


def _other(record: dict[str, object]) -> None:
    record["outcome"] = "failure"
