"""Which destinations somebody has paused, one row each. Implements `Pauses` of `proxy.service.destinations`."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from proxy.store.database import Database
from proxy.store.schema import destination_pause


@dataclass(frozen=True, slots=True)
class Pause:
    """A destination that somebody has paused: when (seconds since the epoch), why, and who as in the audit trail."""

    destination: str
    at: float
    why: str
    ticket: str
    by: str


_FIELDS = tuple(Pause.__dataclass_fields__)


class PauseRows:
    """On ``database``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def all(self) -> list[Pause]:
        """Those in force, by name."""
        query = sa.select(*(destination_pause.c[name] for name in _FIELDS)).order_by(destination_pause.c.destination)
        rows = await self._db.run(lambda connection: connection.execute(query).mappings().all())
        return [Pause(**row) for row in rows]

    async def keep(self, pause: Pause) -> None:
        """The first one stays."""
        values = {name: getattr(pause, name) for name in _FIELDS}
        await self._db.run(lambda c: c.execute(insert(destination_pause).on_conflict_do_nothing(), values).rowcount)

    async def forget(self, destination: str) -> None:
        """Where there is none, nothing happens."""
        gone = sa.delete(destination_pause).where(destination_pause.c.destination == destination)
        await self._db.run(lambda connection: connection.execute(gone).rowcount)
