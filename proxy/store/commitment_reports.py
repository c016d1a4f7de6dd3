"""Reports of storage commitment that are owed to application entities (PS3.4 J.3.3), kept over restarts.

States: waiting (instances are under way) → owed (settled, to be sent) → reported | given_up. The transaction UID is the
requester's, so it is sealed like the request itself; see `proxy.store.commitments`, which writes the first row.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from proxy.store.commitments import Commitments, Named, report_name
from proxy.store.database import Database
from proxy.store.schema import commitment_report as report

WAITING, OWED, REPORTED, GIVEN_UP = "waiting", "owed", "reported", "given_up"


@dataclass(frozen=True, slots=True)
class Owed:
    """One report. ``request`` is the keyed name of the transaction; ``requester`` asked, ``provider`` was asked."""

    project: str
    request: str
    requester: str
    provider: str
    asked_at: float
    settled_at: float  # 0: instances are under way
    attempts: int


_OWED = [report.c[name] for name in Owed.__dataclass_fields__]
_OPEN = report.c.state.in_((WAITING, OWED))


class CommitmentReports:
    """The reports in ``database``; ``requests`` keeps what they are about."""

    def __init__(self, database: Database, requests: Commitments) -> None:
        self._database, self._requests = database, requests

    async def due(self, now: float, most: int, busy: Collection[str]) -> list[Owed]:
        """Reports due at ``now``, the longest due first, but for those to a requester in ``busy``."""
        query = (
            sa.select(*_OWED)
            .where(_OPEN, report.c.due_at <= now, report.c.requester.not_in(busy))
            .order_by(report.c.due_at)
            .limit(most)
        )
        rows = await self._database.run(lambda connection: connection.execute(query).mappings().all())
        return [Owed(**row) for row in rows]

    async def next_due(self, busy: Collection[str]) -> float | None:
        """When the next of such reports is due; None while there is none."""
        query = sa.select(sa.func.min(report.c.due_at)).where(_OPEN, report.c.requester.not_in(busy))
        found: float | None = await self._database.run(lambda connection: connection.execute(query).scalar())
        return found

    async def hurry(self, now: float) -> None:
        """Whatever is settled and not yet reported is due now."""
        change = sa.update(report).where(report.c.state == OWED, report.c.due_at > now).values(due_at=now)
        await self._database.run(lambda connection: connection.execute(change))

    async def open(self, owed: Owed) -> tuple[str, list[Named]]:
        """The transaction UID and the instances of a report. `SealBroken` where a row was altered."""
        query = sa.select(report.c.sealed).where(*_is(owed))
        sealed = await self._database.run(lambda connection: connection.execute(query).scalar_one())
        transaction: str = self._requests.opened(report_name(owed.request), bytes(sealed))
        return transaction, await self._requests.get(owed.project, transaction) or []

    async def keep(self, owed: Owed, state: str, due_at: float, code: str = "") -> None:
        """The report stands as ``owed`` says; ``state`` and ``code`` say what became of it."""
        values = {"settled_at": owed.settled_at, "attempts": owed.attempts}
        change = sa.update(report).where(*_is(owed)).values(state=state, due_at=due_at, last_code=code, **values)
        await self._database.run(lambda connection: connection.execute(change))

    async def counts(self) -> Mapping[str, int]:
        """State → reports; states without reports are left out."""
        query = sa.select(report.c.state, sa.func.count()).group_by(report.c.state)
        rows = await self._database.run(lambda connection: connection.execute(query).all())
        return {row.state: row[1] for row in rows}


def _is(owed: Owed) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    return report.c.project == owed.project, report.c.request == owed.request
