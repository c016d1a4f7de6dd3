"""Queue rows: one per (instance, destination), durable before anyone is told. Implements `DeliveryQueue`.

States: waiting → in_flight → delivered | waiting again | failed. Every change is one transaction of `Database`, but for
*in flight*: that is over with the process, so it is remembered here and never written.
A row's ``spool_name`` belongs to one `Spool.write` and is never used again, so no delivery can unlink the file that a
resend of the same instance has just spooled.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from proxy.deid.types import Report
from proxy.service.ports import QueueRow, SpoolItem
from proxy.store.database import Database
from proxy.store.queue_rows import DUE, LATER, NEW, delivered, row_of, tried, upsert, values_of, wanted
from proxy.store.ready import Ready
from proxy.store.schema import DELIVERED, FAILED, IN_FLIGHT, WAITING, delivery
from proxy.store.study_rows import arrived

#: values in one statement
_CHUNK = 400


class Queue:
    """``await Queue.open(database, spool.remove)``."""

    def __init__(
        self, database: Database, drop: Callable[[str], Awaitable[None]], clock: Callable[[], float] = time.time
    ) -> None:
        """Use `open`."""
        self._db, self._drop, self._clock = database, drop, clock
        self._flying: dict[int, str] = {}  # row id → destination
        self._ready: defaultdict[str, Ready] = defaultdict(Ready)

    @classmethod
    async def open(
        cls, database: Database, drop: Callable[[str], Awaitable[None]], clock: Callable[[], float] = time.time
    ) -> Queue:
        """What was in flight when the last process ended waits again. ``drop`` takes spool files no row wants."""
        queue = cls(database, drop, clock)
        back = sa.update(delivery).where(delivery.c.state == IN_FLIGHT).values(state=WAITING)
        await database.run(lambda connection: connection.execute(back).rowcount)
        return queue

    @property
    def database(self) -> Database:
        """Where the rows are, for who only reads them: `QueueLook`."""
        return self._db

    async def enqueue(self, project: str, destinations: Sequence[str], item: SpoolItem, report: Report) -> list[int]:
        """See `DeliveryQueue.enqueue`. A file that no row took, and one that lost its last row, are dropped."""
        now = self._clock()
        every = [values_of(project, each, item, report, now) for each in destinations]

        def work(connection: sa.Connection) -> tuple[list[tuple[int, str]], set[str]]:
            rows = [upsert(connection, values) for values in every]
            replaced = {name for _, name in rows}
            arrived(connection, project, report.study_instance_uid, replaced != {NEW}, now)
            doubtful = replaced - {NEW} | (set() if NEW in replaced else {item.name})  # a new row wants its file
            return rows, {name for name in doubtful if not wanted(connection, name)}

        rows, unwanted = await self._db.run(work)
        for (row_id, replaced), values in zip(rows, every, strict=True):
            if replaced == NEW:
                self._ready[values["destination"]].add(row_of(row_id, values))
            else:
                self._ready[values["destination"]].doubt()
        for name in unwanted:
            await self._drop(name)
        return [row_id for row_id, _ in rows]

    async def claim(self, destination: str, most: int, now: float) -> list[QueueRow]:
        """Rows due at ``now``, the longest due first, marked as in flight."""
        ready = self._ready[destination]
        known = ready.take(most, now)
        if known is not None:
            self._flying |= {row.id: destination for row in known}
            return known
        taken: list[int] = []

        def work(connection: sa.Connection) -> tuple[list[QueueRow], float | None]:
            asked = {"destination": destination, "now": now, "most": most, "flying": list(self._flying)}
            rows = [QueueRow(**row) for row in connection.execute(DUE, asked).mappings()]
            taken.extend(row.id for row in rows)
            self._flying |= {row.id: destination for row in rows}
            later = connection.execute(LATER, {"destination": destination, "now": now}).scalar()
            return rows, later

        def undo() -> None:
            self._land(taken)
            taken.clear()

        ready.ask()
        found, later = None, None
        try:
            found, later = await self._db.run(work, undo=undo)
        finally:
            ready.asked(found, most, now)
            if later is not None:
                ready.due(later)
        return found

    async def done(self, row: QueueRow) -> bool:
        """Delivered. True when no undelivered row refers to the spool file any more."""
        return await self._settle(row, lambda connection: delivered(connection, row.id), patient=True)

    async def retry(self, row: QueueRow, at: float, code: str) -> None:
        """Wait until ``at``; one attempt more."""
        await self._settle(row, lambda connection: tried(connection, row.id, WAITING, code, due_at=at))
        self._ready[row.destination].due(at)

    async def fail(self, row: QueueRow, code: str) -> None:
        """Given up; the row and its spool file stay until `requeue_failed` or a resend."""
        await self._settle(row, lambda connection: tried(connection, row.id, FAILED, code))

    async def requeue_failed(self, destination: str) -> int:
        """Let every failed row of ``destination`` wait again, with its attempts forgotten; returns how many."""
        again = (
            sa.update(delivery)
            .where(delivery.c.destination == destination, delivery.c.state == FAILED)
            .values(state=WAITING, due_at=self._clock(), attempts=0)
        )
        count = await self._db.run(lambda connection: int(connection.execute(again).rowcount))
        self._ready[destination].doubt()
        return count

    async def standing(self, project: str, uids: Sequence[str]) -> Mapping[str, tuple[str, frozenset[str]]]:
        """Pseudonymous SOP Instance UID → SOP class, and the states of its latest row at each destination."""
        columns = (delivery.c.sop_instance_uid, delivery.c.sop_class_uid, delivery.c.destination, delivery.c.state)

        def work(connection: sa.Connection) -> list[Any]:
            found: list[Any] = []
            for start in range(0, len(uids), _CHUNK):
                some = delivery.c.sop_instance_uid.in_(uids[start : start + _CHUNK])
                query = sa.select(*columns).where(delivery.c.project == project, some).order_by(delivery.c.id)
                found += connection.execute(query).all()
            return found

        latest: dict[str, dict[str, str]] = {}
        classes: dict[str, str] = {}
        for uid, kind, destination, state in await self._db.run(work):
            latest.setdefault(uid, {})[destination] = state
            classes[uid] = kind
        return {uid: (classes[uid], frozenset(states.values())) for uid, states in latest.items()}

    async def counts(self) -> Mapping[str, Mapping[str, int]]:
        """destination → state → rows; states without rows are left out."""
        query = sa.select(delivery.c.destination, delivery.c.state, sa.func.count()).group_by(
            delivery.c.destination, delivery.c.state
        )

        def work(connection: sa.Connection) -> tuple[Sequence[Any], Counter[str]]:
            return connection.execute(query).all(), Counter(self._flying.values())

        rows, flying = await self._db.run(work)
        found: dict[str, dict[str, int]] = {}
        for destination, state, count in rows:
            found.setdefault(destination, {})[state] = count
        for destination, count in flying.items():
            states = found[destination]
            states[IN_FLIGHT] = count
            states[WAITING] -= count
        return {name: {state: n for state, n in states.items() if n} for name, states in found.items()}

    async def oldest_waiting(self, now: float) -> Mapping[str, float]:
        """destination → age in seconds of its oldest row that waits or is in flight."""
        query = (
            sa.select(delivery.c.destination, sa.func.min(delivery.c.queued_at))
            .where(delivery.c.state.in_((WAITING, IN_FLIGHT)))
            .group_by(delivery.c.destination)
        )
        rows = await self._db.run(lambda connection: connection.execute(query).all())
        return {destination: max(0.0, now - queued_at) for destination, queued_at in rows}

    async def referenced(self) -> set[str]:
        """Spool files that an undelivered row still needs."""
        query = sa.select(delivery.c.spool_name).where(delivery.c.state != DELIVERED).distinct()
        return await self._db.run(lambda connection: set(connection.execute(query).scalars()))

    async def _settle(self, row: QueueRow, change: Callable[[sa.Connection], None], patient: bool = False) -> bool:
        """Write down what became of ``row``: in flight until that is committed. Whether nothing wants its file."""

        def work(connection: sa.Connection) -> bool:
            change(connection)
            self._land([row.id])
            return not wanted(connection, row.spool_name)

        return await self._db.run(work, patient, lambda: self._flying.update({row.id: row.destination}))

    def _land(self, ids: Iterable[int]) -> None:
        for each in ids:
            self._flying.pop(each, None)
