"""Queue rows: one per (instance, destination), durable before anyone is told. Implements `DeliveryQueue`.

States: waiting → in_flight → delivered | waiting again | failed. Every change is one transaction of `Database`, but for
*in flight*: that is over with the process, so it is remembered here and never written.
A row's ``spool_name`` belongs to one `Spool.write` and is never used again, so no delivery can unlink the file that a
resend of the same instance has just spooled.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from proxy.deid.types import Report
from proxy.service.ports import QueueRow, SpoolItem
from proxy.store.database import Database
from proxy.store.schema import DELIVERED, FAILED, IN_FLIGHT, WAITING, delivery

_ROW = [delivery.c[name] for name in QueueRow.__dataclass_fields__]
#: values in one statement
_CHUNK = 400
_DUE = (
    sa.select(*_ROW)
    .where(
        delivery.c.destination == sa.bindparam("destination"),
        delivery.c.state == WAITING,
        delivery.c.due_at <= sa.bindparam("now"),
        delivery.c.id.not_in(sa.bindparam("flying", expanding=True)),
    )
    .order_by(delivery.c.due_at, delivery.c.id)
    .limit(sa.bindparam("most"))
)
_COPIED = ("sop_class_uid", "transfer_syntax_uid", "study_instance_uid", "series_instance_uid", "patient_id")


class Queue:
    """``await Queue.open(database, spool.remove)``."""

    def __init__(
        self, database: Database, drop: Callable[[str], Awaitable[None]], clock: Callable[[], float] = time.time
    ) -> None:
        """Use `open`."""
        self._db, self._drop, self._clock = database, drop, clock
        self._flying: dict[int, str] = {}  # row id → destination; touched on the database's thread only

    @classmethod
    async def open(
        cls, database: Database, drop: Callable[[str], Awaitable[None]], clock: Callable[[], float] = time.time
    ) -> Queue:
        """What was in flight when the last process ended waits again. ``drop`` takes spool files no row wants."""
        queue = cls(database, drop, clock)
        back = sa.update(delivery).where(delivery.c.state == IN_FLIGHT).values(state=WAITING)
        await database.run(lambda connection: connection.execute(back).rowcount)
        return queue

    async def enqueue(self, project: str, destinations: Sequence[str], item: SpoolItem, report: Report) -> list[int]:
        """See `DeliveryQueue.enqueue`. A file that no row took, and one that lost its last row, are dropped."""
        now = self._clock()

        def work(connection: sa.Connection) -> tuple[list[int], set[str]]:
            rows = [_upsert(connection, _values(project, each, item, report, now)) for each in destinations]
            ids, replaced = [row_id for row_id, _ in rows], {name for _, name in rows}
            doubtful = replaced - {""} | (set() if "" in replaced else {item.name})  # a new row wants its file
            return ids, {name for name in doubtful if not _wanted(connection, name)}

        ids, unwanted = await self._db.run(work)
        for name in unwanted:
            await self._drop(name)
        return ids

    async def claim(self, destination: str, most: int, now: float) -> list[QueueRow]:
        """Rows due at ``now``, the longest due first, marked as in flight."""
        taken: list[int] = []

        def work(connection: sa.Connection) -> list[QueueRow]:
            self._land(taken)  # `Database.run` may call a second time
            wanted = {"destination": destination, "now": now, "most": most, "flying": list(self._flying)}
            rows = [QueueRow(**row) for row in connection.execute(_DUE, wanted).mappings()]
            taken.extend(row.id for row in rows)
            self._flying |= {row.id: destination for row in rows}
            return rows

        return await self._db.run(work)

    async def done(self, row: QueueRow) -> bool:
        """Delivered. True when no undelivered row refers to the spool file any more."""

        def work(connection: sa.Connection) -> bool:
            self._set(connection, row, state=DELIVERED, last_code="")
            return not _wanted(connection, row.spool_name)

        return await self._db.run(work, patient=True)

    async def retry(self, row: QueueRow, at: float, code: str) -> None:
        """Wait until ``at``; one attempt more."""
        attempts = delivery.c.attempts + 1
        await self._db.run(
            lambda connection: self._set(connection, row, state=WAITING, due_at=at, last_code=code, attempts=attempts)
        )

    async def fail(self, row: QueueRow, code: str) -> None:
        """Given up; the row and its spool file stay until `requeue_failed` or a resend."""
        attempts = delivery.c.attempts + 1
        await self._db.run(
            lambda connection: self._set(connection, row, state=FAILED, last_code=code, attempts=attempts)
        )

    async def requeue_failed(self, destination: str) -> int:
        """Let every failed row of ``destination`` wait again, with its attempts forgotten; returns how many."""
        again = (
            sa.update(delivery)
            .where(delivery.c.destination == destination, delivery.c.state == FAILED)
            .values(state=WAITING, due_at=self._clock(), attempts=0)
        )
        return await self._db.run(lambda connection: int(connection.execute(again).rowcount))

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

    def _set(self, connection: sa.Connection, row: QueueRow, **values: Any) -> None:
        connection.execute(sa.update(delivery).where(delivery.c.id == row.id).values(values))
        self._land([row.id])

    def _land(self, ids: Iterable[int]) -> None:
        for each in ids:
            self._flying.pop(each, None)


def _values(project: str, destination: str, item: SpoolItem, report: Report, now: float) -> dict[str, Any]:
    return {
        "project": project,
        "destination": destination,
        "sop_instance_uid": report.sop_instance_uid,
        "sha256": item.sha256,
        "spool_name": item.name,
        "size": item.size,
        **{name: getattr(report, name) for name in _COPIED},
        "state": WAITING,
        "attempts": 0,
        "queued_at": now,
        "due_at": now,
        "last_code": "",
    }


_KEY = ("project", "destination", "sop_instance_uid", "sha256")
# made once: SQLAlchemy would spend longer on making them than SQLite on running them
_SAME = sa.select(delivery.c.id, delivery.c.state, delivery.c.spool_name).where(
    *(delivery.c[name] == sa.bindparam(name) for name in _KEY)
)
_ADD = sa.insert(delivery).returning(delivery.c.id)
_WANTED = (
    sa.select(delivery.c.id)
    .where(delivery.c.spool_name == sa.bindparam("spool_name"), delivery.c.state != DELIVERED)
    .limit(1)
)


def _upsert(connection: sa.Connection, values: dict[str, Any]) -> tuple[int, str]:
    """The row's id, and the spool file it referred to before; "" when the row is new."""
    old = connection.execute(_SAME, {name: values[name] for name in _KEY}).first()
    if old is None:
        return int(connection.execute(_ADD, values).scalar_one()), ""
    if old.state in (DELIVERED, FAILED):
        connection.execute(sa.update(delivery).where(delivery.c.id == old.id).values(values))
    return int(old.id), str(old.spool_name)


def _wanted(connection: sa.Connection, name: str) -> bool:
    return connection.execute(_WANTED, {"spool_name": name}).first() is not None
