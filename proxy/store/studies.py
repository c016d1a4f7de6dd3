"""The reconciliation's questions and notes, each in a transaction of `Database`. See `proxy.store.study_rows`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from proxy.store.database import Database
from proxy.store.study_rows import PURGED, REPLAYED, Place, Study, gone, kept, studies


class Studies:
    """On ``database``. Every method may raise `Unavailable`."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._db, self._clock = database, clock

    async def kept(self, project: str, uid: str, entry: str, arrival: bool) -> None:
        """``entry`` of quarantine is of study ``uid``, or of nobody knows which: ""."""
        now = self._clock()
        await self._db.run(lambda connection: kept(connection, project, uid, entry, arrival, now))

    async def gone(self, entry: str, replayed: bool) -> None:
        """``entry`` is about to leave quarantine: it passed, or is destroyed."""
        await self._db.run(lambda connection: gone(connection, entry, REPLAYED if replayed else PURGED))

    async def found(self, projects: Sequence[str], uid: str, state: str, after: Place | None, most: int) -> list[Study]:
        """See `proxy.store.study_rows.studies`."""
        return await self._db.run(lambda connection: studies(connection, projects, uid, state, after, most))
