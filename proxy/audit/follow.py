"""Reading the log while it is written: lines by offset, each once, none before it is durable. Blocking; a thread's.

A `Cursor` is where a reader stands; kept on disk (`CursorFile`), the reader goes on there after a restart. Lines that
are no records are passed over and counted: to judge them is the verifier's business.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

from proxy.audit.chain import MAX_LINE
from proxy.audit.sink_file import SEGMENT, segments

#: bytes that are read through rather than halved
_NEAR = 1 << 16
K = TypeVar("K", int, str)


@dataclass(frozen=True, slots=True)
class Cursor:
    """After which byte of which segment to go on, and the last record before it."""

    segment: int = 1
    offset: int = 0
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """A record as it stands in the log, without its newline."""

    seq: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """Some records in order, and the cursor after them."""

    lines: tuple[Line, ...]
    after: Cursor


class Follower:
    """Reads ``folder`` from a cursor on."""

    def __init__(self, folder: Path, durable: Callable[[], int], cursor: Cursor | None = None) -> None:
        """``durable``: number of the last record that is on disk for good; nothing after it is read."""
        self._folder, self._durable = folder, durable
        self.cursor = cursor or Cursor()
        self.skipped = 0

    def next(self, most: int) -> Batch:
        """Up to ``most`` records after the cursor, which moves behind them; none where there are none yet.

        The bound is asked first: bytes of records up to it do not change any more, later ones may be cut off again.
        """
        bound = self._durable()
        while self.cursor.seq < bound:
            lines = self._lines(bound, most)
            if lines or not self._turn():
                return Batch(tuple(lines), self.cursor)
        return Batch((), self.cursor)

    def _lines(self, bound: int, most: int) -> list[Line]:
        data = self._bytes()
        found: list[Line] = []
        start, last = 0, self.cursor.seq
        while len(found) < most and (end := data.find(b"\n", start)) >= 0:
            seq = seq_of(data[start:end])
            if seq > bound:
                break
            if seq:
                found.append(Line(seq, data[start:end]))
                last = seq
            else:
                self.skipped += 1
            start = end + 1
        self.cursor = Cursor(self.cursor.segment, self.cursor.offset + start, last)
        return found

    def _bytes(self) -> bytes:
        path = self._folder / f"audit-{self.cursor.segment:06d}.jsonl"
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return b""
        try:
            return os.pread(fd, MAX_LINE + 1, self.cursor.offset)
        finally:
            os.close(fd)

    def _turn(self) -> bool:
        """To the next segment that there is; False while this one is the last."""
        later = [number for path in segments(self._folder) if (number := number_of(path)) > self.cursor.segment]
        if later:
            self.cursor = Cursor(later[0], 0, self.cursor.seq)
        return bool(later)


def number_of(segment: Path) -> int:
    """The number of a segment."""
    match = SEGMENT.fullmatch(segment.name)
    return int(match.group(1)) if match else 0


def seq_of(line: bytes) -> int:
    """The number of a record; 0 for what is none."""
    try:
        seq = json.loads(line)["seq"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return 0
    return seq if isinstance(seq, int) and seq > 0 else 0


def cursor_after(folder: Path, seq: int) -> Cursor:
    """The cursor behind record ``seq``, found by halving; at the first record there is where ``seq`` is gone."""
    cursor = Cursor()
    for path in reversed(segments(folder)):
        cursor = Cursor(number_of(path), 0, seq)
        with path.open("rb") as file:
            if not 0 < seq_of(file.readline(MAX_LINE)) <= seq:
                continue
            return Cursor(cursor.segment, offset_after(file, path.stat().st_size, seq_of, seq), seq)
    return cursor


def offset_after(file: BinaryIO, size: int, key: Callable[[bytes], K], last: K) -> int:
    """After which byte the lines end whose ``key`` is up to ``last``; that of no record is 0 or "".

    The file's first line is not after it.
    """
    low, high, none = 0, size, type(last)()
    while high - low > _NEAR:
        middle = (low + high) // 2
        file.seek(middle)
        file.readline(MAX_LINE)
        at = file.tell()
        if at < high and none < key(file.readline(MAX_LINE)) <= last:
            low = at
        else:
            high = middle
    file.seek(low)
    while (line := file.readline(MAX_LINE)).endswith(b"\n") and key(line) <= last:
        low += len(line)
    return low


class CursorFile:
    """One reader's cursor on disk. What cannot be read is as if the reader had never read: it begins anew."""

    def __init__(self, path: Path) -> None:
        """``path``: in a folder of its own beside the log."""
        self._path = path

    def load(self) -> Cursor:
        """Where the reader stood."""
        try:
            found = json.loads(self._path.read_text("ascii"))
            segment, offset, seq = (int(found[key]) for key in ("segment", "offset", "seq"))
        except (OSError, ValueError, KeyError, TypeError):
            return Cursor()
        return Cursor(max(1, segment), max(0, offset), max(0, seq))

    def save(self, cursor: Cursor) -> None:
        """Durable when it returns; the old or the new one after a crash."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = self._path.with_suffix(".new")
        with new.open("w", encoding="ascii") as file:
            json.dump(asdict(cursor), file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)
