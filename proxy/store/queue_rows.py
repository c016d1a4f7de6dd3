"""Statements about queue rows, made once: SQLAlchemy would spend longer on making them than SQLite on running them.

For `proxy.store.queue`; nothing here knows a thread or a transaction.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from proxy.deid.types import Report
from proxy.service.ports import QueueRow, SpoolItem
from proxy.store.prepared import Prepared
from proxy.store.schema import DELIVERED, FAILED, WAITING, delivery

_ROW = [delivery.c[name] for name in QueueRow.__dataclass_fields__]
#: rows of a destination that are due and not in flight, the longest due first
DUE = (
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
#: when the next one after those is due
LATER = sa.select(sa.func.min(delivery.c.due_at)).where(
    delivery.c.destination == sa.bindparam("destination"),
    delivery.c.state == WAITING,
    delivery.c.due_at > sa.bindparam("now"),
)
_COPIED = ("sop_class_uid", "transfer_syntax_uid", "study_instance_uid", "series_instance_uid", "patient_id")


def values_of(project: str, destination: str, item: SpoolItem, report: Report, now: float) -> dict[str, Any]:
    """A new row, by column."""
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


def row_of(row_id: int, values: Mapping[str, Any]) -> QueueRow:
    """The row of ``values``, as a sender gets it."""
    return QueueRow(id=row_id, **{name: values[name] for name in QueueRow.__dataclass_fields__ if name != "id"})


_KEY = ("project", "destination", "sop_instance_uid", "sha256")
#: in the place of an older spool file: the row is new
NEW = ""
_SET = [column.name for column in delivery.c if column.name != "id"]
_ADD = Prepared(insert(delivery).on_conflict_do_nothing(index_elements=_KEY).returning(delivery.c.id), _SET)
_SAME = sa.select(delivery.c.id, delivery.c.state, delivery.c.spool_name).where(
    *(delivery.c[name] == sa.bindparam(name) for name in _KEY)
)
_WANTED = Prepared(
    sa.select(delivery.c.id)
    .where(delivery.c.spool_name == sa.bindparam("spool_name"), delivery.c.state != DELIVERED)
    .limit(1)
)
_DELIVERED = Prepared(
    sa.update(delivery).where(delivery.c.id == sa.bindparam("row")).values(state=DELIVERED, last_code="")
)


def upsert(connection: sa.Connection, values: dict[str, Any]) -> tuple[int, str]:
    """The row's id, and the spool file it referred to before, or `NEW`."""
    for (added,) in _ADD(connection, values):
        return int(added), NEW
    old = connection.execute(_SAME, {name: values[name] for name in _KEY}).one()
    if old.state in (DELIVERED, FAILED):
        connection.execute(sa.update(delivery).where(delivery.c.id == old.id).values(values))
    return int(old.id), str(old.spool_name)


def wanted(connection: sa.Connection, name: str) -> bool:
    """Whether an undelivered row still refers to the spool file ``name``."""
    return bool(_WANTED(connection, {"spool_name": name}))


def delivered(connection: sa.Connection, row_id: int) -> None:
    """The row is done with."""
    _DELIVERED(connection, {"row": row_id})


def tried(connection: sa.Connection, row_id: int, state: str, code: str, **more: float) -> None:
    """The row was tried once more, in vain."""
    values = {"state": state, "last_code": code, "attempts": delivery.c.attempts + 1, **more}
    connection.execute(sa.update(delivery).where(delivery.c.id == row_id).values(values))


def destinations(connection: sa.Connection) -> Iterator[str]:
    """All that there are rows of, in steps that an index answers however many rows there are."""
    after = ""
    while True:
        query = sa.select(sa.func.min(delivery.c.destination)).where(delivery.c.destination > after)
        found = connection.execute(query).scalar()
        if found is None:
            return
        yield found
        after = found
