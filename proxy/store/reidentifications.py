"""Requests to read an entry of the identity drawer, and how they stand: asked, approved, revealed.

Each change of state is one conditional update: of two that come at once, one finds the state that it needs. Statements
are one line each; in their columns what else belongs to them follows, line by line.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from proxy.store.database import Database
from proxy.store.schema import reidentification

ASKED, APPROVED, REVEALED = "asked", "approved", "revealed"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. ``statement``: what the requester signed; ``approval``: what the approver did. Times: since 1970.

    ``attached``, ``shares``: what came with the one and the other, where it is for many patients.
    """

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
    approval_signature: str = ""
    shares: str = ""
    attached: str = ""


class Reidentifications:
    """The requests in ``database``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, asked: Asked) -> bool:
        """Keep a new request, durably; False where it is known already."""
        row = {column.name: getattr(asked, column.name) for column in reidentification.columns}
        row["statement"] = _lines(asked.statement, asked.attached)

        def work(connection: sa.Connection) -> bool:
            if connection.execute(_one(asked.request)).first() is not None:
                return False
            connection.execute(sa.insert(reidentification), [row])
            return True

        return await self._database.run(work)

    async def get(self, request: str) -> Asked | None:
        """One request."""
        row = await self._database.run(lambda connection: connection.execute(_one(request)).first())
        return None if row is None else _asked(row)

    async def newest(self, projects: Collection[str] | None, most: int) -> list[Asked]:
        """The ``most`` newest requests of ``projects`` (None: of all), oldest first."""
        columns = reidentification.c
        query = sa.select(reidentification).order_by(columns.asked_at.desc(), columns.request).limit(most)
        if projects is not None:
            query = query.where(columns.project.in_(sorted(projects)))
        rows = await self._database.run(lambda connection: connection.execute(query).all())
        return [_asked(row) for row in reversed(rows)]

    async def since(self, project: str, requester: str, when: float, action: str) -> int:
        """How many requests by statements of ``action`` ``requester`` has made after ``when``."""
        columns = reidentification.c
        kind = columns.statement.startswith(f'{{"action":"{action}",', autoescape=True)
        mine = (columns.project == project, columns.requester == requester, columns.asked_at > when, kind)
        query = sa.select(sa.func.count()).select_from(reidentification).where(*mine)
        return int(await self._database.run(lambda connection: connection.execute(query).scalar_one()))

    async def approve(self, request: str, approver: str, *approval: str) -> bool:
        """From asked to approved, durably; False where it was not asked any more.

        ``approval``: the statement, its signature, and what came with it.
        """
        to = {"state": APPROVED, "approver": approver, "approval": _lines(*approval)}
        return await self._move(request, ASKED, to)

    async def spend(self, request: str) -> bool:
        """From approved to revealed, durably; False where somebody was there before."""
        return await self._move(request, APPROVED, {"state": REVEALED})

    async def forget(self, before: float) -> None:
        """Those whose time was over before then, read or not."""
        old = sa.delete(reidentification).where(reidentification.c.expires_at < before)
        await self._database.run(lambda connection: connection.execute(old))

    async def _move(self, request: str, state: str, to: dict[str, str]) -> bool:
        here = (reidentification.c.request == request, reidentification.c.state == state)
        update = sa.update(reidentification).where(*here).values(**to)
        return await self._database.run(lambda connection: connection.execute(update).rowcount == 1)


def _one(request: str) -> sa.Select[tuple[object, ...]]:
    return sa.select(reidentification).where(reidentification.c.request == request)


def _lines(*texts: str) -> str:
    return "\n".join(texts).rstrip("\n")


def _asked(row: sa.Row[Any]) -> Asked:
    found = dict(row._mapping)
    found["statement"], _, found["attached"] = found["statement"].partition("\n")
    found["attached"] += "\n" if found["attached"] else ""
    approval = (*found["approval"].split("\n", 2), "", "")[:3]
    found["approval"], found["approval_signature"], found["shares"] = approval
    return Asked(**found)
