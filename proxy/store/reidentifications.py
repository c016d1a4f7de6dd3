"""Requests to read an entry of the identity drawer, and how they stand: asked, approved, revealed. Kept for good.

Each change of state is one conditional update: of two that come at once, one finds the state that it needs.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa

from proxy.store.database import Database
from proxy.store.schema import reidentification

ASKED, APPROVED, REVEALED = "asked", "approved", "revealed"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. ``statement``: what the requester signed; ``approval``: what the approver did. Times: since 1970."""

    request: str
    project: str
    requester: str
    statement: str
    signature: str
    asked_at: float
    expires_at: float
    state: str = ASKED
    approver: str = ""
    approval: str = ""


class Reidentifications:
    """The requests in ``database``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, asked: Asked) -> bool:
        """Keep a new request, durably; False where it is known already."""
        row = {name: getattr(asked, name) for name in Asked.__dataclass_fields__}

        def work(connection: sa.Connection) -> bool:
            if connection.execute(_one(asked.request)).first() is not None:
                return False
            connection.execute(sa.insert(reidentification), [row])
            return True

        return await self._database.run(work)

    async def get(self, request: str) -> Asked | None:
        """One request."""
        row = await self._database.run(lambda connection: connection.execute(_one(request)).first())
        return None if row is None else Asked(**row._mapping)

    async def newest(self, projects: Collection[str] | None, most: int) -> list[Asked]:
        """The ``most`` newest requests of ``projects`` (None: of all), oldest first."""
        columns = reidentification.c
        query = sa.select(reidentification).order_by(columns.asked_at.desc(), columns.request).limit(most)
        if projects is not None:
            query = query.where(columns.project.in_(sorted(projects)))
        rows = await self._database.run(lambda connection: connection.execute(query).all())
        return [Asked(**row._mapping) for row in reversed(rows)]

    async def since(self, project: str, requester: str, when: float) -> int:
        """How many requests ``requester`` has made after ``when``."""
        columns = reidentification.c
        mine = (columns.project == project, columns.requester == requester, columns.asked_at > when)
        query = sa.select(sa.func.count()).select_from(reidentification).where(*mine)
        return int(await self._database.run(lambda connection: connection.execute(query).scalar_one()))

    async def approve(self, request: str, approver: str, approval: str) -> bool:
        """From asked to approved, durably; False where it was not asked any more."""
        return await self._move(request, ASKED, {"state": APPROVED, "approver": approver, "approval": approval})

    async def spend(self, request: str) -> bool:
        """From approved to revealed, durably; False where somebody was there before."""
        return await self._move(request, APPROVED, {"state": REVEALED})

    async def _move(self, request: str, state: str, to: dict[str, str]) -> bool:
        here = (reidentification.c.request == request, reidentification.c.state == state)
        update = sa.update(reidentification).where(*here).values(**to)
        return await self._database.run(lambda connection: connection.execute(update).rowcount == 1)


def _one(request: str) -> sa.Select[tuple[object, ...]]:
    return sa.select(reidentification).where(reidentification.c.request == request)
