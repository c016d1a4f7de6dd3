"""Pages of the log for who asks about the past: from the files, blocking, a thread's. Never waits for the writer.

A number or a moment is found by halving; of what lies between, at most `MOST_LOOKED_AT` records are looked at for one
page, and the page says where the next one goes on. So a question costs the same on the first day and after years.

Order is the order of numbers. Moments are only nearly in order: the clock can be put back, so that halving goes by
them with `SLACK` to spare, and each record is then held to its own.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from proxy.audit.chain import MAX_LINE, stamp
from proxy.audit.follow import Cursor, cursor_after, number_of, offset_after, seq_of
from proxy.audit.selection import EVERYTHING, Selection, parsed
from proxy.audit.sink_file import segments

MOST_LOOKED_AT = 200_000
#: a clock that was put back by more than this hides records from a question by time, never from one by number
SLACK = timedelta(minutes=10)
_BLOCK = 1 << 18


@dataclass(frozen=True, slots=True)
class Question:
    """``after`` and ``before``: numbers, neither included. ``oldest`` first, or the newest."""

    selection: Selection = EVERYTHING
    after: int = 0
    before: int | None = None
    oldest: bool = False
    limit: int = 100


@dataclass(frozen=True, slots=True)
class Page:
    """Records in the order that was asked for, as they stand in the log. ``next``: where to go on, None at the end."""

    lines: tuple[bytes, ...]
    next: Question | None


class Lookup:
    """Answers questions about the log in ``folder``."""

    def __init__(self, folder: Path, durable: Callable[[], int], most: int = MOST_LOOKED_AT) -> None:
        """``durable``: number of the last record that is on disk for good; nothing after it is shown."""
        self._folder, self._durable, self._most = folder, durable, most

    @property
    def last(self) -> int:
        """The number of the last record."""
        return self._durable()

    def page(self, question: Question) -> Page:
        """At most ``limit`` records."""
        low, high = self._bounds(question)
        lines = _forwards(self._folder, low, high) if question.oldest else _backwards(self._folder, low, high)
        meant, found = question.selection.test(), list[bytes]()
        for looked_at, line in enumerate(lines, 1):
            if meant(line):
                found.append(line)
            if len(found) >= question.limit or (looked_at >= self._most and seq_of(line)):
                return Page(tuple(found), _next(question, seq_of(line)))
        return Page(tuple(found), None)

    def _bounds(self, question: Question) -> tuple[Cursor, Cursor]:
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
            with _opened(path) as file:
                if "" < _moment(file.readline(MAX_LINE)) <= moment:
                    offset = offset_after(file, file.seek(0, 2), _moment, moment)
                    return Cursor(number_of(path), offset)
            cursor = Cursor(number_of(path))
        return cursor


def newest_first(folder: Path, last: int) -> Iterator[bytes]:
    """Records as they stand in the log of ``folder``, from number ``last`` back to the first."""
    if last > 0:
        yield from _backwards(folder, Cursor(0), cursor_after(folder, last))


def _next(question: Question, seq: int) -> Question:
    return replace(question, after=seq) if question.oldest else replace(question, before=seq)


def _place(cursor: Cursor) -> tuple[int, int]:
    return cursor.segment, cursor.offset


def _moment(line: bytes) -> str:
    record = parsed(line)
    return str(record.get("ts", "")) if record is not None else ""


def _moved(moment: str, by: timedelta) -> str:
    return stamp(datetime.fromisoformat(moment).astimezone(UTC) + by)


def _parts(folder: Path, low: Cursor, high: Cursor) -> list[tuple[Path, int, int | None]]:
    """The segments between two places, with the bytes of each that lie there; None: to its end."""
    found = []
    for path in segments(folder):
        number = number_of(path)
        if low.segment <= number <= high.segment:
            start = low.offset if number == low.segment else 0
            found.append((path, start, high.offset if number == high.segment else None))
    return found


def _opened(path: Path) -> BinaryIO:
    """A segment; nothing where its time has come meanwhile."""
    try:
        return path.open("rb")
    except FileNotFoundError:
        return io.BytesIO()


def _forwards(folder: Path, low: Cursor, high: Cursor) -> Iterator[bytes]:
    for path, start, end in _parts(folder, low, high):
        with _opened(path) as file:
            file.seek(start)
            at = start
            while (end is None or at < end) and (line := file.readline(MAX_LINE + 1)).endswith(b"\n"):
                at += len(line)
                yield line[:-1]


def _backwards(folder: Path, low: Cursor, high: Cursor) -> Iterator[bytes]:
    for path, start, end in reversed(_parts(folder, low, high)):
        with _opened(path) as file:
            yield from _from_the_end(file, start, file.seek(0, 2) if end is None else end)


def _from_the_end(file: BinaryIO, start: int, end: int) -> Iterator[bytes]:
    rest = b""
    while end > start:
        at = max(start, end - _BLOCK)
        file.seek(at)
        lines = (file.read(end - at) + rest).split(b"\n")
        rest = lines.pop(0) if at > start else b""
        yield from (line for line in reversed(lines) if line)
        end = at
