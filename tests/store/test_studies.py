"""Arrivals are counted with the rows of the queue; what is held, and what leaves quarantine, beside them."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace

import pytest
import sqlalchemy as sa

from proxy.deid.types import Report
from proxy.service.ports import SpoolItem
from proxy.store import study_rows
from proxy.store.database import Database
from proxy.store.history import History
from proxy.store.queue import Queue
from proxy.store.schema import held_instance
from proxy.store.studies import Studies
from proxy.store.study_look import StudyLook
from proxy.store.study_rows import Study

ReportOf = Callable[[str], Report]


class Bench:
    """A queue and the counts beside it; they have one clock."""

    def __init__(self, database: Database, queue: Queue, report_of: ReportOf, moment: list[float]) -> None:
        self._moment = moment
        self.database, self.queue, self.report_of = database, queue, report_of
        self.studies = Studies(database, lambda: self.now)

    @property
    def now(self) -> float:
        return self._moment[0]

    @now.setter
    def now(self, moment: float) -> None:
        self._moment[0] = moment

    async def came(self, uid: str, study: str = "2.25.1", digest: str = "a", to: tuple[str, ...] = ("pacs",)) -> None:
        report = replace(self.report_of(uid), study_instance_uid=study)
        item = SpoolItem(f"{secrets.token_hex(8)}.dcm", digest * 64, 10)
        await self.queue.enqueue("research", list(to), item, report)

    async def one(self, uid: str = "2.25.1") -> Study:
        (found,) = await self.studies.found(["research"], uid, "", None, 10)
        return found


@pytest.fixture
async def bench(database: Database, report_of: ReportOf) -> Bench:
    async def drop(name: str) -> None: ...

    moment = [1000.0]
    return Bench(database, await Queue.open(database, drop, lambda: moment[0]), report_of, moment)


async def test_arrivals_repetitions_and_what_became_of_them(bench: Bench) -> None:
    for uid in ("1", "2", "3"):
        await bench.came(uid, to=("pacs", "archive"))
    bench.now = 1060.0
    await bench.came("3", to=("pacs", "archive"))
    (row, *_) = await bench.queue.claim("pacs", 1, bench.now)
    await bench.queue.done(row)
    (row, *_) = await bench.queue.claim("archive", 1, bench.now)
    await bench.queue.fail(row, "A900")
    assert await bench.one() == Study(
        "research", "2.25.1", 4, 1, False, 1000.0, 1060.0, 3,
        {"pacs": {"waiting": 2, "delivered": 1, "failed": 0}, "archive": {"waiting": 2, "delivered": 0, "failed": 1}},
    )  # fmt: skip


async def test_the_same_instance_under_other_rules_is_another_one(bench: Bench) -> None:
    await bench.came("1", digest="a")
    await bench.came("1", digest="b")
    study = await bench.one()
    assert (study.received, study.again, study.instances) == (2, 0, 2)


async def test_held_replayed_purged(bench: Bench) -> None:
    for entry in ("e1", "e2", "e3"):
        await bench.studies.kept("research", "2.25.1", entry, arrival=True)
    await bench.studies.kept("research", "2.25.1", "e3", arrival=True)  # sent again
    await bench.studies.kept("research", "2.25.1", "e3", arrival=False)  # replayed in vain
    study = await bench.one()
    assert (study.received, study.again, study.entries) == (4, 1, {"e1": "held", "e2": "held", "e3": "held"})
    await bench.came("1")  # what the replay of e1 brings
    await bench.studies.gone("e1", replayed=True)
    await bench.studies.gone("e2", replayed=False)
    await bench.studies.gone("unknown", replayed=True)
    study = await bench.one()
    assert (study.received, study.again, study.instances) == (4, 1, 1)
    assert study.entries == {"e1": "replayed", "e2": "purged", "e3": "held"}
    await bench.studies.kept("research", "2.25.1", "e2", arrival=True)  # sent again, and held again
    study = await bench.one()
    assert (study.received, study.again, study.entries["e2"]) == (5, 2, "held")


async def test_an_instance_that_cannot_be_queued_is_not_counted(bench: Bench) -> None:
    report = replace(bench.report_of("1"), patient_id=None)  # type: ignore[arg-type]
    with pytest.raises(Exception, match="NOT NULL"):
        await bench.queue.enqueue("research", ["pacs"], SpoolItem("x.dcm", "a" * 64, 10), report)
    assert await bench.studies.found(["research"], "", "", None, 10) == []


async def test_pages_the_last_first_by_uid_and_by_state(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(7):
        bench.now = 1000.0 + number // 2  # some at the same moment
        await bench.came(f"{number}", study=f"2.25.{number}")
    for _ in range(3):
        (row, *_) = await bench.queue.claim("pacs", 1, bench.now)
        await bench.queue.done(row)
    uids: list[str] = []
    after = None
    while page := await bench.studies.found(["research"], "", "", after, 3):
        uids += [each.uid for each in page]
        after = page[-1].place
    assert uids == ["2.25.6", "2.25.5", "2.25.4", "2.25.3", "2.25.2", "2.25.1", "2.25.0"]
    waiting = await bench.studies.found(["research"], "", "waiting", None, 10)
    assert [each.uid for each in waiting] == ["2.25.6", "2.25.5", "2.25.4", "2.25.3"]
    assert await bench.studies.found(["research"], "", "failed", None, 10) == []
    monkeypatch.setattr(study_rows, "_MOST", 3)
    assert len(await bench.studies.found(["research"], "", "waiting", None, 10)) == 7  # too many to look at
    assert [each.uid for each in await bench.studies.found(["research"], "2.25.3", "", None, 10)] == ["2.25.3"]
    assert await bench.studies.found(["other"], "", "", None, 10) == []


async def test_of_what_is_forgotten_no_sum_is_left_and_then_nothing(bench: Bench) -> None:
    await bench.came("1")
    await bench.came("2")
    await bench.came("3", study="2.25.7")
    await bench.studies.kept("research", "2.25.1", "e1", arrival=True)
    for row in await bench.queue.claim("pacs", 9, bench.now):
        await bench.queue.done(row)
    history = History(bench.database)
    assert await history.forget(0.0, 10) == 0
    assert not (await bench.one()).forgotten
    assert await history.forget(2000.0, 1) == 1
    study = await bench.one()
    assert (study.forgotten, study.instances) == (True, 1)
    assert await history.forget(2000.0, 10) == 2
    assert (await bench.one()).entries == {"e1": "held"}  # what is held stays
    assert await bench.studies.found(["research"], "2.25.7", "", None, 10) == []
    await bench.studies.gone("e1", replayed=False)
    await history.forget(2000.0, 10)
    assert await bench.studies.found(["research"], "", "", None, 10) == []
    count = sa.select(sa.func.count()).select_from(held_instance)
    assert await bench.database.run(lambda connection: connection.execute(count).scalar()) == 0


async def test_rows_of_one_study_what_failed_first(bench: Bench) -> None:
    for uid in ("1", "2", "3"):
        await bench.came(uid)
    await bench.came("4", study="2.25.2")
    first, second, *_ = await bench.queue.claim("pacs", 3, bench.now)
    await bench.queue.done(first)
    await bench.queue.fail(second, "A900")
    look = StudyLook(bench.database)
    found = await look.of("research", "2.25.1", 10)
    assert [(each.sop_instance_uid, each.state, each.last_code) for each in found] == [
        ("2", "failed", "A900"), ("3", "waiting", ""), ("1", "delivered", ""),
    ]  # fmt: skip
    assert len(await look.of("research", "2.25.1", 2)) == 2
    assert await look.of("other", "2.25.1", 10) == []
    assert await look.delivered("research", "2.25.1") == {"pacs": frozenset({"1"})}
    assert await look.delivered("other", "2.25.1") == {}


async def test_no_question_reads_the_whole_queue(bench: Bench) -> None:
    def plans(connection):  # type: ignore[no-untyped-def]
        by_study = "SELECT count(*) FROM delivery WHERE project = 'p' AND study_instance_uid IN ('1', '2')"
        newest = "SELECT * FROM study WHERE project IN ('p') ORDER BY last_at DESC LIMIT 20"
        found = [connection.exec_driver_sql("EXPLAIN QUERY PLAN " + query).all() for query in (by_study, newest)]
        return [" ".join(row[3] for row in rows) for rows in found]

    first, second = await bench.database.run(plans)
    assert "ix_delivery_study" in first
    assert "ix_study_last_at" in second or "pk" in second.lower() or "autoindex" in second
