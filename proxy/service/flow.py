"""How much went in and out, by the minute, over the last day: counted from the audit log, kept in memory only.

Fed by the live log; what came before the start is read from the log's end backwards, by a thread that lets others go
first and stops at `MOST_READ` records. Counts by type, project and destination, nothing else of a record.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from proxy.audit.live import LiveStream, SlowReader
from proxy.audit.lookup import newest_first

#: records that are counted, in the order in which they come about
RECEIVED, RELEASED, DELIVERED, HELD, REFUSED, REJECTED = KINDS = (
    "received", "released", "delivered", "held", "refused", "rejected",
)  # fmt: skip
#: minutes that are remembered
MINUTES = 24 * 60
#: records of the time before the start that are looked at
MOST_READ = 500_000
#: a thread that reads through many records rests so long after so many
_REST, _STRETCH = 0.01, 1000
#: seconds before the log is read on after it could not be, or went faster than it was counted
_AGAIN = 1.0
_COUNTED = re.compile(
    rb'"project":"(?P<project>[^"\\]{0,200})","reason":"(?:[^"\\]|\\.)*","seq":\d+,"ts":"(?P<ts>[0-9T:.-]{26}Z)",'
    rb'"type":"(?P<type>' + "|".join(KINDS).encode() + rb')","v":\d+,"hash":"'
)
_STAMP = re.compile(rb'"ts":"([0-9T:.-]{26}Z)","type":"')
_DESTINATION = re.compile(rb'"destination":"([^"\\]{1,200})"')


class Key(NamedTuple):
    """What is counted apart. ``destination``: of what was delivered or rejected, else ""."""

    kind: str
    project: str
    destination: str


@dataclass(frozen=True, slots=True)
class Window:
    """Counts in steps of time. ``start``: of the first step; ``known``: before it nothing was counted."""

    start: datetime
    minutes: int  # of a step
    counts: Mapping[Key, tuple[int, ...]]
    steps: int
    known: datetime


class Flow:
    """Counts what happens in the log of ``folder``, of which ``live`` tells."""

    def __init__(
        self,
        folder: Path,
        durable: Callable[[], int],
        live: LiveStream,
        clock: Callable[[], float] = time.time,
        most: int = MOST_READ,
    ) -> None:
        """``durable``: number of the last record on disk."""
        self._folder, self._durable, self._live, self._clock, self._most = folder, durable, live, clock, most
        self._minutes: dict[int, Counter[Key]] = {}
        self._known = self._now() + 1
        #: since the start, never less
        self.totals: Counter[Key] = Counter()
        self._stopping = False

    async def run(self) -> None:
        """Until the live log is closed: first what was, then what comes."""
        after = self._durable()
        before = asyncio.create_task(self._before(after))
        try:
            while True:
                try:
                    async for line in await self._live.subscribe(after):
                        after = line.seq
                        self._add(line.data)
                    return
                except (SlowReader, OSError):
                    await asyncio.sleep(_AGAIN)
        finally:
            self._stopping = True  # the thread looks
            before.cancel()

    def window(self, minutes: int, steps: int) -> Window:
        """The last ``steps`` times ``minutes``; the last step is the one that has begun."""
        last = self._now() // minutes
        first = last - steps + 1
        found: dict[Key, list[int]] = {}
        for minute, counts in self._minutes.items():
            step = minute // minutes - first
            if 0 <= step < steps:
                for key, count in counts.items():
                    found.setdefault(key, [0] * steps)[step] += count
        series = {key: tuple(counts) for key, counts in sorted(found.items())}
        return Window(_moment(first * minutes), minutes, series, steps, _moment(self._known))

    def _now(self) -> int:
        return int(self._clock() // 60)

    def _add(self, line: bytes) -> None:
        counted = _counted(line)
        now = self._now()
        self.totals.update((counted[1],) if counted is not None else ())
        if counted is not None and now - MINUTES < counted[0] <= now + 1:
            if counted[0] not in self._minutes:
                self._minutes = {minute: kept for minute, kept in self._minutes.items() if minute > now - MINUTES}
                self._minutes[counted[0]] = Counter()
            self._minutes[counted[0]][counted[1]] += 1

    async def _before(self, last: int) -> None:
        found, self._known = await asyncio.to_thread(self._read, last)
        for minute, counts in found.items():
            self._minutes.setdefault(minute, Counter()).update(counts)

    def _read(self, last: int) -> tuple[dict[int, Counter[Key]], int]:
        """Of the thread: counts by minute, and the minute from which on they are complete."""
        found: dict[int, Counter[Key]] = {}
        oldest = self._now() - MINUTES + 1
        for looked_at, line in enumerate(newest_first(self._folder, last), 1):
            minute = _minute(line)
            if 0 < minute < oldest:
                break
            if looked_at > self._most or self._stopping:
                return found, minute + 1
            if (counted := _counted(line)) is not None:
                found.setdefault(counted[0], Counter())[counted[1]] += 1
            if not looked_at % _STRETCH:
                time.sleep(_REST)
        return found, oldest


def _counted(line: bytes) -> tuple[int, Key] | None:
    """Minute and key of a record that counts. No text in a record has an unescaped quote, so none can be a member."""
    match = _COUNTED.match(line, max(0, line.rfind(b'"project":"')))
    if match is None:
        return None
    found = _DESTINATION.search(line)
    kind = match["type"].decode("ascii")
    destination = found[1].decode("ascii", "replace") if found is not None and kind in (DELIVERED, REJECTED) else ""
    return _minute_of(match["ts"]), Key(kind, match["project"].decode("ascii", "replace"), destination)


def _minute(line: bytes) -> int:
    """0 for what states no moment."""
    match = _STAMP.search(line, max(0, line.rfind(b'"ts":"')))
    return _minute_of(match[1]) if match is not None else 0


def _minute_of(stamp: bytes) -> int:
    try:
        return int(datetime.fromisoformat(stamp.decode("ascii")).timestamp() // 60)
    except ValueError:
        return 0


def _moment(minute: int) -> datetime:
    return datetime.fromtimestamp(minute * 60, UTC)
