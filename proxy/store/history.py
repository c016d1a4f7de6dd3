"""What is over and kept for a while only: delivered rows, and requests for storage commitment that were answered.

Nothing that waits, failed or is owed is ever removed. Each call is one small transaction, so that intake gets between.
"""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from proxy.store.commitment_reports import GIVEN_UP, REPORTED
from proxy.store.database import Database
from proxy.store.queue_rows import destinations
from proxy.store.schema import DELIVERED, commitment, commitment_report, delivery
from proxy.store.study_history import forget_studies, forgotten


class History:
    """The past in ``database``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def over(self, before: float) -> Mapping[str, int]:
        """What was over before then: kind → how many."""

        def work(connection: sa.Connection) -> dict[str, int]:
            requests = connection.execute(sa.select(sa.func.count()).where(_answered(before))).scalar_one()
            rows = [
                connection.execute(sa.select(sa.func.count()).where(_delivered(where, before))).scalar_one()
                for where in destinations(connection)
            ]
            return {"deliveries": sum(rows), "commitments": requests}

        return await self._database.run(work, patient=True)

    async def forget(self, before: float, most: int) -> int:
        """Remove up to ``most`` requests, and rows of each destination, that were over before then; how many in all."""
        requests = sa.select(*_REQUEST).where(_answered(before)).limit(most)
        changes = (
            sa.delete(commitment).where(sa.tuple_(*_REQUEST).in_(requests)),
            sa.delete(commitment_report).where(_SETTLED, sa.tuple_(*_REPORT).not_in(sa.select(*_REQUEST))),
        )

        def work(connection: sa.Connection) -> int:
            gone = sum(connection.execute(change).rowcount for change in changes)
            for where in destinations(connection):
                rows = sa.select(delivery.c.id).where(_delivered(where, before)).limit(most)
                forgotten(connection, rows)
                gone += connection.execute(sa.delete(delivery).where(delivery.c.id.in_(rows))).rowcount
            forget_studies(connection, most)
            return gone

        return await self._database.run(work, patient=True)


_REQUEST = (commitment.c.project, commitment.c.request)
_REPORT = (commitment_report.c.project, commitment_report.c.request)
_SETTLED = commitment_report.c.state.in_((REPORTED, GIVEN_UP))


def _delivered(destination: str, before: float) -> sa.ColumnElement[bool]:
    of = delivery.c.destination == destination
    return sa.and_(of, delivery.c.state == DELIVERED, delivery.c.due_at < before)


def _answered(before: float) -> sa.ColumnElement[bool]:
    owed = sa.select(*_REPORT).where(~_SETTLED)
    return sa.and_(commitment.c.asked_at < before, sa.tuple_(*_REQUEST).not_in(owed))
