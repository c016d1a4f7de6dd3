"""Offline verification of an export bundle: ``verify_bundle(path, keys) -> Checked``. Needs the public key alone.

Finds what was edited, added, removed or put in another order since the bundle was made, and a bundle that another key
signed. What it cannot find: a record that was meant and was never put in; that takes the log itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from proxy.audit.bundle import CHECKPOINT, MANIFEST, RECORDS, SIGNATURE, read_manifest, selection_read, signed_text
from proxy.audit.bundle_read import BLOCK, Unreadable, each_file, small_files
from proxy.audit.chain import MAX_LINE, BadRecord, Position, unseal
from proxy.audit.notes import BadNote, read_note, read_signature
from proxy.audit.verify_notes import Keys
from proxy.audit.verify_problem import Problem


@dataclass(slots=True)
class Checked:
    """What was found. ``manifest``: {} where it could not be read."""

    manifest: Mapping[str, Any] = field(default_factory=dict)
    records: int = 0
    problems: list[Problem] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Nothing is wrong."""
        return not self.problems


def verify_bundle(path: Path, keys: Keys) -> Checked:
    """Everything that the public key can tell of the bundle in ``path``. OSError where it cannot be opened."""
    checked = Checked()
    try:
        small = small_files(path)
        checked.manifest = _manifest(small, keys, checked.problems)
        covering = _checkpoint(small.get(CHECKPOINT), checked.manifest, keys, checked.problems)
        walk = _Walk(checked.manifest, covering, checked.problems)
        each_file(path, walk.file)
        walk.end()
        checked.records = walk.records
    except Unreadable as error:
        checked.problems.append(Problem(path.name, 0, str(error)))
    except (KeyError, TypeError, AttributeError, ValueError):
        checked.problems.append(Problem(MANIFEST, 0, "the manifest does not say what it has to say"))
    return checked


def _manifest(small: Mapping[str, bytes], keys: Keys, problems: list[Problem]) -> Mapping[str, Any]:
    """`Unreadable` for a bundle that the key of the log has not signed: nothing in it is worth a look."""
    if MANIFEST not in small or SIGNATURE not in small:
        raise Unreadable("the manifest or its signature is missing")
    data = small[MANIFEST]
    try:
        found, signature = read_manifest(data), read_signature(small[SIGNATURE].decode().removesuffix("\n"))
        key = keys.at(int(found["through"]["seq"]))
    except (ValueError, KeyError, TypeError):
        raise Unreadable("the manifest or its signature cannot be read") from None
    if key is None or not key.good(signed_text(data), signature) or signature.line().encode() != small[SIGNATURE]:
        raise Unreadable("the manifest is not signed by the key of this log")
    if found["public_key"] != key.text():
        problems.append(Problem(MANIFEST, 0, "the manifest names another key than the one that signed it"))
    return found


class _Walk:
    """Along the files, held against the manifest. ``covering``: what the checkpoint says."""

    def __init__(self, manifest: Mapping[str, Any], covering: Position, problems: list[Problem]) -> None:
        self._manifest, self._covering, self._problems = manifest, covering, problems
        said = [(str(each["name"]), int(each["size"]), str(each["sha256"])) for each in manifest["files"]]
        self._said = iter(said)
        self._meant = selection_read(manifest["selection"]).test()
        self._through = int(manifest["through"]["seq"])
        self._last, self._first, self.records = Position(), 0, 0

    def file(self, name: str, size: int, stream: IO[bytes]) -> None:
        """The next one that the archive has."""
        if name in (MANIFEST, SIGNATURE):
            return
        said = next(self._said, None)
        if said is None or said[:2] != (name, size):
            raise Unreadable(f"{name} is not the file that the manifest has in its place")
        digest = hashlib.sha256()
        if name.startswith(RECORDS):
            for number, line in enumerate(iter(lambda: stream.readline(MAX_LINE + 1), b""), 1):
                digest.update(line)
                self._record(name, number, line)
        else:
            while block := stream.read(BLOCK):
                digest.update(block)
        if digest.hexdigest() != said[2]:
            self._problems.append(Problem(name, 0, "the file is not the one that was signed"))

    def _record(self, name: str, number: int, line: bytes) -> None:
        try:
            record, position = unseal(line.removesuffix(b"\n"))
        except BadRecord as error:
            self._problems.append(Problem(name, number, str(error), self._last.seq + 1))
            return
        for wrong, text in (
            (record["node"] != self._manifest["node"], "the record is another node's"),
            (not self._last.seq < position.seq <= self._through, "the record is out of order"),
            (position.seq == self._last.seq + 1 and self._last.seq and record["prev"] != self._last.hash,
             "the record does not follow the one before it"),
            (position.seq == self._covering.seq and position != self._covering,
             "the record is not the one that the checkpoint names"),
            (not self._meant(line.removesuffix(b"\n")), "the record was not asked for"),
        ):  # fmt: skip
            if wrong:
                self._problems.append(Problem(name, number, text, position.seq))
        self._first, self._last = self._first or position.seq, position
        self.records += 1

    def end(self) -> None:
        """What is missing."""
        for name, _, _ in self._said:
            self._problems.append(Problem(name, 0, "the file is missing"))
        said = tuple(int(self._manifest[name]) for name in ("records", "first", "last"))
        if (self.records, self._first, self._last.seq) != said:
            self._problems.append(Problem(MANIFEST, 0, "the records are not those that the manifest counts"))


def _checkpoint(data: bytes | None, manifest: Mapping[str, Any], keys: Keys, problems: list[Problem]) -> Position:
    if data is None:
        if manifest["checkpoint"]:
            problems.append(Problem(CHECKPOINT, 0, "the file is missing"))
        return Position()
    try:
        note = read_note(data)
    except BadNote as error:
        problems.append(Problem(CHECKPOINT, 0, str(error)))
        return Position()
    at, through = note.checkpoint.position, Position(**manifest["through"])
    if not keys.signed(note):
        problems.append(Problem(CHECKPOINT, 0, "the checkpoint is not signed by the key of this log", at.seq))
    if at.seq != manifest["checkpoint"] or (at.seq == through.seq and at != through):
        problems.append(Problem(CHECKPOINT, 0, "the checkpoint is not the one that the manifest names", at.seq))
    return at
