"""What is left of a study when rows of its instances are forgotten. For `proxy.store.history`, in its transactions."""

from __future__ import annotations

import sqlalchemy as sa

from proxy.store.schema import delivery, held_instance, study
from proxy.store.study_rows import HELD

_KEY = (study.c.project, study.c.study_instance_uid)


def forgotten(connection: sa.Connection, rows: sa.Select[tuple[int]]) -> None:
    """The rows of the queue with the ids of ``rows`` are about to go: their studies can no longer be counted."""
    of = sa.select(delivery.c.project, delivery.c.study_instance_uid).where(delivery.c.id.in_(rows))
    connection.execute(sa.update(study).where(sa.tuple_(*_KEY).in_(of), ~study.c.forgotten).values(forgotten=True))


def forget_studies(connection: sa.Connection, most: int) -> None:
    """Up to ``most`` of those that nothing is left of."""
    rows, held = (
        sa.exists().where(table.c.project == study.c.project, table.c.study_instance_uid == study.c.study_instance_uid)
        for table in (delivery, held_instance)
    )
    gone = sa.select(*_KEY).where(study.c.forgotten, ~rows, ~held.where(held_instance.c.state == HELD)).limit(most)
    found = [tuple(row) for row in connection.execute(gone)]
    if found:
        of = sa.tuple_(held_instance.c.project, held_instance.c.study_instance_uid)
        connection.execute(sa.delete(held_instance).where(of.in_(found)))
        connection.execute(sa.delete(study).where(sa.tuple_(*_KEY).in_(found)))
