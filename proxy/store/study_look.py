"""The rows of the queue of one study, for who looks after it: what failed first, then what waits, then what arrived."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from proxy.store.database import Database
from proxy.store.schema import DELIVERED, FAILED, delivery


@dataclass(frozen=True, slots=True)
class Queued:
    """One instance at one destination; ``last_code``: its last answer, "" where there was no trouble."""

    sop_instance_uid: str
    destination: str
    state: str
    attempts: int
    queued_at: float
    last_code: str


_STATE = sa.case({FAILED: 0, DELIVERED: 2}, value=delivery.c.state, else_=1)
_ROWS = (
    sa.select(*(delivery.c[name] for name in Queued.__dataclass_fields__))
    .where(
        delivery.c.project == sa.bindparam("project"),
        delivery.c.study_instance_uid == sa.bindparam("uid"),
    )
    .order_by(_STATE, delivery.c.id)
    .limit(sa.bindparam("most"))
)
_ACCEPTED = sa.select(delivery.c.destination, delivery.c.sop_instance_uid).where(
    delivery.c.project == sa.bindparam("project"),
    delivery.c.study_instance_uid == sa.bindparam("uid"),
    delivery.c.state == DELIVERED,
)


class StudyLook:
    """Of the queue in ``database``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, project: str, uid: str, most: int) -> list[Queued]:
        """At most ``most`` rows. May raise `Unavailable`."""
        asked = {"project": project, "uid": uid, "most": most}
        return await self._database.run(
            lambda connection: [Queued(*row) for row in connection.execute(_ROWS, asked).all()]
        )

    async def delivered(self, project: str, uid: str) -> dict[str, frozenset[str]]:
        """Destination → SOP Instance UIDs that it accepted. May raise `Unavailable`."""
        asked = {"project": project, "uid": uid}
        rows = await self._database.run(lambda connection: connection.execute(_ACCEPTED, asked).all())
        found: dict[str, set[str]] = {}
        for destination, instance in rows:
            found.setdefault(destination, set()).add(instance)
        return {destination: frozenset(uids) for destination, uids in found.items()}
