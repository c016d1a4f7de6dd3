"""Pages of the log for who asks about the past: from the files, blocking, a thread's. Never waits for the writer.

A number or a moment is found by halving. What lies between is searched for the bytes that a record must have to be
meant, so that what is rare is found among millions; only lines that have them are looked at. One page costs at most
`MOST_BYTES` and `MOST_RECORDS`, and says where the next one goes on.

Order is the order of numbers. Moments are only nearly in order: the clock can be put back, so that halving goes by
them with `SLACK` to spare, and each record is then held to its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from proxy.audit.chain import MAX_LINE, stamp
from proxy.audit.follow import Cursor, cursor_after, number_of, offset_after, seq_of
from proxy.audit.selection import EVERYTHING, Selection, parsed
from proxy.audit.sifting import BLOCK, blocks, opened, sift
from proxy.audit.sink_file import segments

MOST_BYTES = 2 << 30
MOST_RECORDS = 200_000
#: a clock that was put back by more than this hides records from a question by time, never from one by number
SLACK = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Question:
    """``after`` and ``before``: numbers, neither included. ``oldest`` first, or the newest."""

    selection: Selection = EVERYTHING
    after: int = 0
    before: int | None = None
    oldest: bool = False
    limit: int = 100


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one page may cost: bytes that are searched, records that are looked at, bytes in memory at once."""

    bytes: int = MOST_BYTES
    records: int = MOST_RECORDS
    block: int = BLOCK


@dataclass(frozen=True, slots=True)
class Page:
    """Records in the order that was asked for, as they stand in the log. ``next``: where to go on, None at the end.

    ``searched`` and ``looked_at``: the bytes and records that it took.
    """

    lines: tuple[bytes, ...]
    next: Question | None
    searched: int = 0
    looked_at: int = 0


class Lookup:
    """Answers questions about the log in ``folder``."""

    def __init__(self, folder: Path, durable: Callable[[], int], bounds: Bounds | None = None) -> None:
        """``durable``: number of the last record that is on disk for good; nothing after it is shown."""
        self._folder, self._durable, self._most = folder, durable, bounds or Bounds()

    @property
    def last(self) -> int:
        """The number of the last record."""
        return self._durable()

    def page(self, question: Question) -> Page:
        """At most ``limit`` records."""
        low, high = self._between(question)
        needles, meant = question.selection.needles(), question.selection.means
        found, searched, looked_at = list[bytes](), 0, 0
        for block in blocks(self._folder, low, high, question.oldest, self._most.block):
            searched += len(block)
            lines = sift(block, needles)
            for line in lines if question.oldest else reversed(lines):
                looked_at += 1
                if meant(line):
                    found.append(line)
                if len(found) >= question.limit:
                    return Page(tuple(found), _next(question, seq_of(line)), searched, looked_at)
            enough = searched >= self._most.bytes or looked_at >= self._most.records
            if enough and (seq := _farthest(block, question.oldest)):
                return Page(tuple(found), _next(question, seq), searched, looked_at)
        return Page(tuple(found), None, searched, looked_at)

    def _between(self, question: Question) -> tuple[Cursor, Cursor]:
        last = self._durable()
        if question.before is not None:
            last = min(last, question.before - 1)
        low = cursor_after(self._folder, min(question.after, last)) if question.after > 0 else Cursor(0)
        high = cursor_after(self._folder, last) if last > 0 else Cursor(0)
        selection = question.selection
        if selection.since:
            low = max(low, self._at(_moved(selection.since, -SLACK)), key=_place)
        if selection.until:
            high = min(high, self._at(_moved(selection.until, SLACK)), key=_place)
        return low, high

    def _at(self, moment: str) -> Cursor:
        """Behind the records up to ``moment``."""
        cursor = Cursor(0)
        for path in reversed(segments(self._folder)):
            with opened(path) as file:
                if "" < _moment(file.readline(MAX_LINE)) <= moment:
                    offset = offset_after(file, file.seek(0, 2), _moment, moment)
                    return Cursor(number_of(path), offset)
            cursor = Cursor(number_of(path))
        return cursor


def newest_first(folder: Path, last: int) -> Iterator[bytes]:
    """Records as they stand in the log of ``folder``, from number ``last`` back to the first."""
    if last > 0:
        for block in blocks(folder, Cursor(0), cursor_after(folder, last), oldest=False):
            yield from reversed(sift(block, ()))


def _next(question: Question, seq: int) -> Question:
    return replace(question, after=seq) if question.oldest else replace(question, before=seq)


def _farthest(block: bytes, oldest: bool) -> int:
    """The number of the last record of ``block`` in the order of the question; 0 where there is none."""
    lines = sift(block, ())
    return next((seq for line in (reversed(lines) if oldest else lines) if (seq := seq_of(line))), 0)


def _place(cursor: Cursor) -> tuple[int, int]:
    return cursor.segment, cursor.offset


def _moment(line: bytes) -> str:
    record = parsed(line)
    return str(record.get("ts", "")) if record is not None else ""


def _moved(moment: str, by: timedelta) -> str:
    return stamp(datetime.fromisoformat(moment).astimezone(UTC) + by)
