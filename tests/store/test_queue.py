"""Queue rows: idempotent, durable, and never without the spool file they need."""

from __future__ import annotations

import asyncio
import random
import secrets
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from proxy.deid.types import Report
from proxy.errors import Unavailable
from proxy.service.ports import QueueRow, SpoolItem
from proxy.store.database import Database
from proxy.store.queue import Queue

ReportOf = Callable[[str], Report]


class Bench:
    """A queue with a clock to turn and a list of the spool files it dropped."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.dropped: list[str] = []
        self.queue: Queue

    async def drop(self, name: str) -> None:
        self.dropped.append(name)

    async def open(self, database: Database) -> None:
        self.queue = await Queue.open(database, self.drop, lambda: self.now)

    async def claim(self, destination: str = "pacs", most: int = 100) -> list[QueueRow]:
        return await self.queue.claim(destination, most, self.now)


@pytest.fixture
async def bench(database: Database) -> Bench:
    made = Bench()
    await made.open(database)
    return made


def item(digest: str = "a") -> SpoolItem:
    return SpoolItem(f"{digest * 64}-{secrets.token_hex(8)}.dcm", digest * 64, 10)


async def test_a_row_carries_what_a_sender_needs(bench: Bench, report_of: ReportOf) -> None:
    spooled, report = item(), report_of("2.25.9")
    ids = await bench.queue.enqueue("research", ["pacs", "archive"], spooled, report)
    (row,) = await bench.claim()
    assert row == QueueRow(
        id=ids[0],
        project="research",
        destination="pacs",
        spool_name=spooled.name,
        sha256=spooled.sha256,
        size=10,
        sop_class_uid=report.sop_class_uid,
        transfer_syntax_uid=report.transfer_syntax_uid,
        study_instance_uid=report.study_instance_uid,
        series_instance_uid=report.series_instance_uid,
        sop_instance_uid="2.25.9",
        patient_id="P1",
        attempts=0,
        queued_at=1000.0,
    )
    assert [r.id for r in await bench.claim("archive")] == ids[1:]
    assert bench.dropped == []


async def test_a_resend_of_what_waits_is_left_alone_and_its_file_dropped(bench: Bench, report_of: ReportOf) -> None:
    first, second, third = item(), item(), item()
    ids = await bench.queue.enqueue("p", ["pacs"], first, report_of("1"))
    assert await bench.queue.enqueue("p", ["pacs"], second, report_of("1")) == ids
    (row,) = await bench.claim()
    assert await bench.queue.enqueue("p", ["pacs"], third, report_of("1")) == ids  # in flight
    assert await bench.claim() == []
    assert row.spool_name == first.name
    assert bench.dropped == [second.name, third.name]


async def test_what_differs_in_any_part_of_the_key_is_another_row(bench: Bench, report_of: ReportOf) -> None:
    ids = set()
    for key in ("p x 1 a", "q x 1 a", "p y 1 a", "p x 2 a", "p x 1 b"):
        project, destination, uid, digest = key.split()
        ids |= set(await bench.queue.enqueue(project, [destination], item(digest), report_of(uid)))
    assert len(ids) == 5


@pytest.mark.parametrize("how", ["done", "fail"])
async def test_a_resend_of_what_was_delivered_or_given_up_is_queued_again(
    bench: Bench, report_of: ReportOf, how: str
) -> None:
    first, second = item(), item()
    ids = await bench.queue.enqueue("p", ["pacs"], first, report_of("1"))
    (row,) = await bench.claim()
    await (bench.queue.done(row) if how == "done" else bench.queue.fail(row, "C000"))
    bench.now += 5
    assert await bench.queue.enqueue("p", ["pacs"], second, report_of("1")) == ids
    (again,) = await bench.claim()
    assert (again.id, again.spool_name, again.attempts, again.queued_at) == (row.id, second.name, 0, 1005.0)
    assert bench.dropped == [first.name]  # dropping a file that `done` let go already is harmless


async def test_done_says_when_the_file_is_free(bench: Bench, report_of: ReportOf) -> None:
    await bench.queue.enqueue("p", ["a", "b", "c"], item(), report_of("1"))
    (a,), (b,), (c,) = await bench.claim("a"), await bench.claim("b"), await bench.claim("c")
    assert await bench.queue.done(a) is False
    await bench.queue.fail(b, "A900")
    assert await bench.queue.done(c) is False  # b may still be replayed
    assert await bench.queue.requeue_failed("b") == 1
    (b,) = await bench.claim("b")
    assert b.attempts == 0
    assert await bench.queue.done(b) is True


async def test_a_delivery_never_frees_the_file_of_a_resend(bench: Bench, report_of: ReportOf) -> None:
    """The race that deterministic names would lose: done, then a resend is queued, then the sender unlinks."""
    first, second = item(), item()
    await bench.queue.enqueue("p", ["pacs"], first, report_of("1"))
    (row,) = await bench.claim()
    free = await bench.queue.done(row)
    await bench.queue.enqueue("p", ["pacs"], second, report_of("1"))
    if free:
        await bench.drop(row.spool_name)
    (again,) = await bench.claim()
    assert again.spool_name not in bench.dropped


async def test_retry_waits_until_it_is_due(bench: Bench, report_of: ReportOf) -> None:
    await bench.queue.enqueue("p", ["pacs"], item(), report_of("1"))
    (row,) = await bench.claim()
    await bench.queue.retry(row, 1010.0, "A700")
    bench.now = 1009.9
    assert await bench.claim() == []
    bench.now = 1010.0
    (row,) = await bench.claim()
    assert row.attempts == 1
    await bench.queue.retry(row, 1010.0, "A700")
    assert (await bench.claim())[0].attempts == 2


async def test_claims_are_oldest_first_bounded_and_exclusive(bench: Bench, report_of: ReportOf) -> None:
    for n in range(10):
        bench.now += 1
        await bench.queue.enqueue("p", ["pacs"], item(), report_of(str(n)))
    first, second = await bench.claim(most=4), await bench.claim(most=100)
    assert [row.sop_instance_uid for row in first + second] == [str(n) for n in range(10)]


async def test_counts_ages_and_references(bench: Bench, report_of: ReportOf) -> None:
    items = [item() for _ in range(5)]
    for n, spooled in enumerate(items):
        await bench.queue.enqueue("p", ["pacs"], spooled, report_of(str(n)))
        bench.now += 10
    rows = await bench.claim(most=3)
    await bench.queue.done(rows[0])
    await bench.queue.fail(rows[1], "C000")
    assert await bench.queue.counts() == {"pacs": {"waiting": 2, "in_flight": 1, "delivered": 1, "failed": 1}}
    assert await bench.queue.oldest_waiting(bench.now) == {"pacs": 30.0}
    assert await bench.queue.referenced() == {spooled.name for spooled in items[1:]}


async def test_what_was_in_flight_waits_again_after_a_restart(tmp_path: Path, report_of: ReportOf) -> None:
    database, bench = await Database.open(tmp_path / "veil.db"), Bench()
    await bench.open(database)
    for n in range(3):
        await bench.queue.enqueue("p", ["pacs"], item(), report_of(str(n)))
    rows = await bench.claim(most=2)
    await bench.queue.done(rows[0])
    await database.close()
    database = await Database.open(tmp_path / "veil.db")
    await bench.open(database)
    assert {row.id for row in await bench.claim()} == {rows[1].id, rows[1].id + 1}
    await database.close()


async def test_in_any_order_of_operations_undelivered_rows_keep_their_files(bench: Bench, report_of: ReportOf) -> None:
    """Invariant: what a row may still send is never dropped; what no row refers to is."""
    rng, present, flying = random.Random(4), set(), []
    for _ in range(600):
        bench.now += 1
        action = rng.choice(["enqueue", "enqueue", "claim", "done", "retry", "fail", "requeue"])
        if action == "enqueue":
            spooled = item()
            present.add(spooled.name)
            some = rng.sample(["x", "y", "z"], rng.randint(1, 3))
            await bench.queue.enqueue("p", some, spooled, report_of(str(rng.randint(1, 6))))
        elif action == "claim":
            flying += await bench.claim(rng.choice("xyz"), 2)
        elif action == "requeue":
            await bench.queue.requeue_failed(rng.choice("xyz"))
        elif flying:
            row = flying.pop(rng.randrange(len(flying)))
            if action == "done" and await bench.queue.done(row):
                bench.dropped.append(row.spool_name)
            elif action == "retry":
                await bench.queue.retry(row, bench.now + rng.randint(0, 5), "A700")
            elif action == "fail":
                await bench.queue.fail(row, "C000")
        present -= set(bench.dropped)
        assert await bench.queue.referenced() == present


async def test_who_claims_side_by_side_gets_every_row_and_none_twice(database: Database, report_of: ReportOf) -> None:
    """Also those handed over in memory: all are delivered, long before anyone would ask the database again."""
    dropped: list[str] = []

    async def drop(name: str) -> None:
        dropped.append(name)

    queue, chance = await Queue.open(database, drop), random.Random(11)
    flying: set[int] = set()
    delivered: set[str] = set()

    async def lane() -> None:
        while len(delivered) < 150:
            for row in await queue.claim("pacs", chance.randint(1, 3), time.time()):
                assert row.id not in flying
                assert row.sop_instance_uid not in delivered
                flying.add(row.id)
                await asyncio.sleep(chance.random() * 0.003)
                flying.discard(row.id)
                if chance.random() < 0.3:
                    await queue.retry(row, time.time() + chance.random() * 0.02, "A700")
                else:
                    delivered.add(row.sop_instance_uid)
                    await queue.done(row)
            await asyncio.sleep(0.001)

    async def sender(first: int) -> None:
        for n in range(first, first + 50):
            await queue.enqueue("p", ["pacs", "elsewhere"], item(), report_of(str(n)))
            await asyncio.sleep(chance.random() * 0.004)

    async with asyncio.timeout(8):
        await asyncio.gather(*(lane() for _ in range(4)), *(sender(n * 50) for n in range(3)))
    assert delivered == {str(n) for n in range(150)}
    assert (await queue.counts())["pacs"] == {"delivered": 150}


@pytest.mark.parametrize("call", ["done", "retry", "fail"])
async def test_a_row_that_could_not_be_settled_stays_in_flight(
    bench: Bench, database: Database, report_of: ReportOf, call: str
) -> None:
    """Otherwise the disk being full would send it again, and again."""
    await bench.queue.enqueue("research", ["pacs"], item(), report_of("2.25.9"))
    (row,) = await bench.claim()
    full, written = True, database._connection.connection.driver_connection.total_changes

    def commit(connection: sa.Connection) -> None:
        """What only reads may end its transaction."""
        nonlocal written
        raw = connection.connection.driver_connection
        before, written = written, raw.total_changes
        if full and written > before:
            raw.rollback()
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise sa.exc.OperationalError("COMMIT", None, error)

    async def settle() -> None:
        if call == "done":
            await bench.queue.done(row)
        else:
            await (bench.queue.retry(row, bench.now, "x") if call == "retry" else bench.queue.fail(row, "x"))

    sa.event.listen(database._connection, "commit", commit)
    settling = asyncio.ensure_future(settle())
    claimed = await asyncio.gather(bench.claim(), bench.claim(), return_exceptions=True)
    with pytest.raises(Unavailable):
        await settling
    assert not [each for rows in claimed if isinstance(rows, list) for each in rows]
    full = False
    bench.now += 60
    assert await bench.claim() == []
    await settle()
    assert [each.id for each in await bench.claim()] == [row.id] * (call == "retry")
