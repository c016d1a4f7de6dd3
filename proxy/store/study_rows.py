"""What is known of each study, for the reconciliation: how often something of it came, and what was held of it.

Pseudonymous Study Instance UIDs only. `arrived` is part of the transaction that queues an instance, so that a count and
what it counts cannot part. What became of instances is asked of the rows of the queue, which are the truth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from proxy.store.prepared import Prepared
from proxy.store.queue_rows import destinations
from proxy.store.schema import DELIVERED, FAILED, WAITING, delivery, held_instance, study

#: of an entry of quarantine
HELD, REPLAYED, PURGED = "held", "replayed", "purged"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page of studies goes on: what came last, newest first."""

    last_at: float
    project: str
    uid: str


@dataclass(slots=True)
class Study:
    """One study. ``received``: arrivals, ``again``: those of them that were there already; moments since the epoch.

    ``forgotten``: not all of its rows are there any more, they were over for long.
    ``instances``: different ones in the queue; ``states``: destination → state → rows; ``entries``: id of each entry of
    quarantine → what became of it.
    """

    project: str
    uid: str
    received: int
    again: int
    forgotten: bool
    first_at: float
    last_at: float
    instances: int = 0
    states: dict[str, dict[str, int]] = field(default_factory=dict)
    entries: dict[str, str] = field(default_factory=dict)

    @property
    def place(self) -> Place:
        """After it the next page begins."""
        return Place(self.last_at, self.project, self.uid)


_KEY = ("project", "study_instance_uid")
_new = insert(study)
_ARRIVED = Prepared(
    _new.on_conflict_do_update(
        index_elements=_KEY,
        set_={
            "received": study.c.received + _new.excluded.received,
            "again": study.c.again + _new.excluded.again,
            "last_at": sa.func.max(study.c.last_at, _new.excluded.last_at),
        },
    ),
    study.c.keys(),
)


def arrived(connection: sa.Connection, project: str, uid: str, again: bool, now: float) -> None:
    """An instance of the study came; ``again``: it was there already."""
    values = {"project": project, "study_instance_uid": uid, "received": 1, "again": int(again), "forgotten": False}
    _ARRIVED(connection, values | {"first_at": now, "last_at": now})


def kept(connection: sa.Connection, project: str, uid: str, entry: str, arrival: bool, now: float) -> None:
    """``entry`` is in quarantine; ``arrival``: somebody sent it just now."""
    known = connection.execute(sa.select(held_instance.c.state).where(held_instance.c.entry == entry)).scalar()
    if known is None:
        row = {"entry": entry, "project": project, "study_instance_uid": uid, "state": HELD}
        connection.execute(sa.insert(held_instance), row)
    elif known != HELD:
        connection.execute(sa.update(held_instance).where(held_instance.c.entry == entry).values(state=HELD))
    if arrival:
        arrived(connection, project, uid, known is not None, now)


def gone(connection: sa.Connection, entry: str, state: str) -> None:
    """``entry`` is about to leave quarantine. What was replayed has been counted once more, as released."""
    mine = held_instance.c.entry == entry
    row = connection.execute(sa.select(*(held_instance.c[name] for name in _KEY)).where(mine)).first()
    if row is not None:
        connection.execute(sa.update(held_instance).where(mine).values(state=state))
    if row is not None and state == REPLAYED:
        of = sa.and_(study.c.project == row.project, study.c.study_instance_uid == row.study_instance_uid)
        connection.execute(sa.update(study).where(of).values(received=study.c.received - 1))


#: rows of the queue that are looked at to find the studies of those in one state
_MOST = 2000


def studies(
    connection: sa.Connection, projects: Sequence[str], uid: str, state: str, after: Place | None, most: int
) -> list[Study]:
    """Counts of at most ``most`` studies, those that came last first. ``uid``: that one.

    ``state``: those with rows in it, where such rows are few; where there are many, the others are not left out.
    """
    where: list[sa.ColumnElement[bool]] = [study.c.project.in_(projects)]
    if uid:
        where.append(study.c.study_instance_uid == uid)
    few = _few(connection, state) if state else None
    if few is not None:
        where.append(sa.tuple_(study.c.project, study.c.study_instance_uid).in_(few))
    if after is not None:
        order = sa.tuple_(study.c.last_at, study.c.project, study.c.study_instance_uid)
        where.append(order < sa.tuple_(after.last_at, after.project, after.uid))
    by = (study.c.last_at.desc(), study.c.project.desc(), study.c.study_instance_uid.desc())
    query = sa.select(study).where(*where).order_by(*by).limit(most)
    found = [Study(*row) for row in connection.execute(query).all()]
    for project in {each.project for each in found}:
        _fill(connection, project, {each.uid: each for each in found if each.project == project})
    return found


def _few(connection: sa.Connection, state: str) -> list[tuple[str, str]] | None:
    """Projects and studies with rows in ``state``; None where there are too many rows to look at."""
    found: set[tuple[str, str]] = set()
    left = _MOST
    for destination in destinations(connection):
        of = sa.and_(delivery.c.destination == destination, delivery.c.state == state)
        query = sa.select(delivery.c.project, delivery.c.study_instance_uid).where(of).limit(left + 1)
        rows = connection.execute(query).all()
        found |= {(project, uid) for project, uid in rows}
        left -= len(rows)
        if left < 0:
            return None
    return sorted(found)


def _fill(connection: sa.Connection, project: str, found: Mapping[str, Study]) -> None:
    """What became of the instances of ``found``."""

    def rows(table: sa.Table, *columns: Any, by: Sequence[Any] = ()) -> Sequence[Any]:
        uid = table.c.study_instance_uid
        query = sa.select(uid, *columns).where(table.c.project == project, uid.in_(list(found)))
        return connection.execute(query.group_by(uid, *by) if by or table is delivery else query).all()

    one = delivery.c.sop_instance_uid + delivery.c.sha256
    for uid, count in rows(delivery, sa.func.count(sa.distinct(one))):
        found[uid].instances = count
    by = (delivery.c.destination, delivery.c.state)
    for uid, destination, state, count in rows(delivery, *by, sa.func.count(), by=by):
        found[uid].states.setdefault(destination, {WAITING: 0, DELIVERED: 0, FAILED: 0})[state] = count
    for uid, entry, state in rows(held_instance, held_instance.c.entry, held_instance.c.state):
        found[uid].entries[entry] = state
