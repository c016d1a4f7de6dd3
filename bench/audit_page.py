"""How long a page of the audit log takes to find among a million records: the newest, any other, and what is rare.

The log is a valid chain of instances; the files are in the page cache, as those of a running proxy mostly are.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

from bench.report import Row, timed
from proxy.audit.chain import stamp
from proxy.audit.lookup import Lookup, Question
from proxy.audit.selection import Selection
from tests.audit import many

SECTION = "audit log: a page of 100 records"


def measure(quick: bool, seed: int) -> Iterator[Row]:
    """Rows of milliseconds, with the longest time that an event loop stood still meanwhile."""
    count = 50_000 if quick else 1_000_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        many.write(folder, count)
        size = sum(path.stat().st_size for path in folder.iterdir())
        yield from asyncio.run(_pages(Lookup(folder, lambda: count), count, 3 if quick else 9, size))


async def _pages(lookup: Lookup, count: int, times: int, size: int) -> list[Row]:
    rows = list[Row]()
    for name, question in _questions(count).items():
        seconds, loop = list[float](), _Loop()
        for _ in range(times):
            watching = asyncio.create_task(loop.watch())
            began = time.perf_counter()
            page = await asyncio.to_thread(lookup.page, question)
            seconds.append(time.perf_counter() - began)
            watching.cancel()
        found = f"{len(page.lines)} found, {page.searched >> 20} MiB searched"
        note = f"{found}; the event loop stood still for {1000 * loop.longest:.0f} ms at most"
        rows.append(timed(SECTION, f"{name}, of {count:,} records", seconds, {}, note))
    note = f"what a page that searches the whole log of {size >> 20} MiB takes at most"
    return [*rows, Row(SECTION, "memory", "MiB", _memory(lookup), note=note)]


class _Loop:
    """``longest``: seconds that a task waited more than it asked for."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def watch(self) -> None:
        """Until it is cancelled."""
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.001)
            self.longest = max(self.longest, time.perf_counter() - began - 0.001)


def _questions(count: int) -> dict[str, Question]:
    rare, only = frozenset({"denied"}), frozenset({"certificates-refused"})
    moment = many.START.replace(day=5)
    return {
        "the newest": Question(),
        "further on, by number": Question(before=count // 3),
        "newer ones, by number": Question(after=count // 3, oldest=True),
        "of a moment": Question(Selection(until=stamp(moment))),
        "by type and project, frequent": Question(Selection(frozenset({"released"}), projects=frozenset({"other"}))),
        "by type, one in 9,000": Question(Selection(types=rare)),
        "by type, one in the log": Question(Selection(types=only)),
        "by type and project, one in 9,000": Question(Selection(types=rare, visible=frozenset({"research"}))),
        "by UID": Question(Selection(objects=frozenset({many.uid(count // 7)}))),
        "nothing is meant": Question(Selection(reasons=frozenset({"burned-in"}), outcomes=frozenset({"failure"}))),
    }


def _memory(lookup: Lookup) -> float:
    tracemalloc.start()
    lookup.page(Question(Selection(types=frozenset({"nothing"}))))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / (1 << 20)
