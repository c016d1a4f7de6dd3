"""What the queue says of one instance, for who looks after it. Reads; pseudonymous UIDs, states and codes only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from proxy.store.database import Database
from proxy.store.schema import delivery

_SHOWN = [delivery.c[name] for name in ("destination", "state", "attempts", "queued_at", "due_at", "last_code")]
_ROWS = (
    sa.select(*_SHOWN)
    .where(
        delivery.c.project == sa.bindparam("project"),
        # every destination is named: the index of the table begins with project and destination
        delivery.c.destination.in_(sa.bindparam("destinations", expanding=True)),
        delivery.c.sop_instance_uid == sa.bindparam("uid"),
    )
    .order_by(delivery.c.destination, delivery.c.id)
)


class QueueLook:
    """Of the queue in ``database``."""

    def __init__(self, database: Database, destinations: Mapping[str, Sequence[str]]) -> None:
        """``destinations``: of each project."""
        self._database, self._destinations = database, destinations

    async def of(self, project: str, uid: str) -> list[Mapping[str, Any]]:
        """The rows of one instance, the oldest of a destination first; their newest counts. Times since the epoch."""
        asked = {"project": project, "destinations": list(self._destinations.get(project, ())), "uid": uid}
        return await self._database.run(lambda connection: [*connection.execute(_ROWS, asked).mappings()])
