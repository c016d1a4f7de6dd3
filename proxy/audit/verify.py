"""Offline verification of an audit folder or a copy of it: ``verify_folder(path) -> Result``. Reads, repairs nothing.

Finds edits, insertions, removals, reordering, gaps and cuts inside the chain, and says where (file:line). What a chain
alone cannot show is its own end or a rewrite from the first record on: compare with an anchor, a `Position` noted
elsewhere. Never quotes what a line says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from proxy.audit.chain import GENESIS, MAX_LINE, BadRecord, Position, unseal
from proxy.audit.sink_file import SEGMENT, segments


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that an untouched log does not have. ``line`` is 0 where the whole file is meant."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}" if self.line else f"{self.file}: {self.text}"


@dataclass(frozen=True, slots=True)
class Result:
    """What `verify_folder` found. ``seq`` and ``hash`` of the last record are the anchor for next time."""

    records: int
    seq: int
    hash: str
    segments: int
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """Nothing is wrong."""
        return not self.problems


def read_anchor(text: str) -> Position:
    """``SEQ:HASH``, as `Result` and the log itself state it. ValueError otherwise."""
    seq, _, stated = text.strip().partition(":")
    if not seq.isdecimal() or len(stated) != len(GENESIS) or set(stated) - set("0123456789abcdef"):
        raise ValueError("an anchor is SEQ:HASH, a number and 64 hexadecimal digits")
    return Position(int(seq), stated)


def verify_folder(path: Path, anchor: Position | None = None) -> Result:
    """Check every segment in ``path`` from the first record on, and that the chain passes through ``anchor``."""
    files = segments(path)
    check = _Check(anchor)
    check.numbering(files)
    for file in files:
        check.segment(file, last=file is files[-1])
    check.finish(files[-1].name if files else path.name)
    return Result(check.records, check.at.seq, check.at.hash, len(files), tuple(check.problems))


class _Check:
    """One walk along the chain. After a problem it goes on from what the line states, so as to find the next one."""

    def __init__(self, anchor: Position | None) -> None:
        self.at, self.records = Position(), 0
        self.problems: list[Problem] = []
        self._anchor, self._node, self._anchored = anchor, "", anchor is None or anchor.seq == 0

    def numbering(self, files: list[Path]) -> None:
        """The segments are numbered from 1 without a gap."""
        numbers = [int(m.group(1)) for f in files if (m := SEGMENT.fullmatch(f.name))]
        for before, (number, file) in pairwise([(0, Path()), *zip(numbers, files, strict=True)]):
            if number != before[0] + 1:
                self._complain(file.name, 0, "the segment before it is missing")

    def segment(self, file: Path, *, last: bool) -> None:
        """Every line of ``file``; only the ``last`` segment may be empty, when a crash followed a rotation."""
        number = 0
        for number, (line, whole) in enumerate(_lines(file), 1):
            if not whole:
                self._complain(file.name, number, "the line is cut off")
                continue
            try:
                record, position = unseal(line)
            except BadRecord as error:
                self._complain(file.name, number, str(error))
                continue
            self._link(file.name, number, record, position)
        if number == 0 and not last:
            self._complain(file.name, 0, "the segment is empty")

    def finish(self, name: str) -> None:
        """The anchor must have been passed."""
        anchor = self._anchor
        if anchor is None or self._anchored:
            return
        if anchor.seq > self.at.seq:
            self._complain(name, 0, f"the log ends at record {self.at.seq}, before the anchor at {anchor.seq}")
        else:
            self._complain(name, 0, f"the anchor's record {anchor.seq} is not in the log")

    def _link(self, name: str, number: int, record: dict[str, Any], position: Position) -> None:
        for wrong, text in self._breaks(record, position):
            if wrong:
                self._complain(name, number, text)
        if self._anchor is not None and position.seq == self._anchor.seq:
            if position.hash == self._anchor.hash:
                self._anchored = True
            else:
                self._complain(name, number, "the record is not the one that the anchor names")
                self._anchored = True
        self._node = record["node"]
        self.at = position
        self.records += 1

    def _breaks(self, record: dict[str, Any], position: Position) -> Iterable[tuple[bool, str]]:
        expected = self.at.seq + 1
        yield position.seq != expected, f"record {position.seq} stands where {expected} belongs"
        yield record["prev"] != self.at.hash, "the record does not follow the one before it"
        yield bool(self._node) and record["node"] != self._node, "the record is another node's"

    def _complain(self, name: str, line: int, text: str) -> None:
        self.problems.append(Problem(name, line, text))


def _lines(file: Path) -> Iterator[tuple[bytes, bool]]:
    """Lines without their newline, and whether they had one. No line takes more memory than a record may have."""
    with file.open("rb") as stream:
        while line := stream.readline(MAX_LINE):
            yield line.removesuffix(b"\n"), line.endswith(b"\n")
