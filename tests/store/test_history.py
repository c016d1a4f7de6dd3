from __future__ import annotations

import itertools
from typing import Any

import sqlalchemy as sa

from proxy.store.commitment_reports import CommitmentReports
from proxy.store.commitments import Commitments
from proxy.store.database import Database
from proxy.store.history import History
from proxy.store.schema import commitment, commitment_report, delivery

_NUMBERS = itertools.count()


def row(destination: str, state: str, due_at: float) -> dict[str, Any]:
    text = {column.name: "" for column in delivery.c if isinstance(column.type, sa.Text)}
    numbers = {"size": 1, "attempts": 0, "queued_at": due_at, "due_at": due_at}
    return text | numbers | {"destination": destination, "state": state, "sha256": str(next(_NUMBERS))}


async def kept(database: Database) -> list[tuple[str, str, float]]:
    query = sa.select(delivery.c.destination, delivery.c.state, delivery.c.due_at).order_by(delivery.c.id)
    return [tuple(each) for each in await database.run(lambda connection: connection.execute(query).all())]


async def test_only_what_was_delivered_long_ago_is_forgotten(database: Database) -> None:
    rows = [
        row("a", "delivered", 1), row("a", "delivered", 2), row("a", "delivered", 9), row("b", "delivered", 1),
        row("a", "waiting", 1), row("a", "failed", 1), row("a", "in_flight", 1),
    ]  # fmt: skip
    await database.run(lambda connection: connection.execute(sa.insert(delivery), rows))
    history = History(database)
    assert await history.over(5) == {"deliveries": 3, "commitments": 0}
    assert await history.forget(5, 1) == 2, "one of each destination"
    assert await history.forget(5, 1) == 1
    assert await history.forget(5, 1) == 0
    assert await kept(database) == [
        ("a", "delivered", 9), ("a", "waiting", 1), ("a", "failed", 1), ("a", "in_flight", 1)
    ]  # fmt: skip


async def count(database: Database, table: sa.Table) -> int:
    query = sa.select(sa.func.count()).select_from(table)
    return int(await database.run(lambda connection: connection.execute(query).scalar_one()))


async def test_a_request_is_kept_while_its_report_is_owed(database: Database) -> None:
    requests = Commitments(database, bytes(32), lambda: 100.0)
    reports, history = CommitmentReports(database, requests), History(database)
    await requests.add("research", "1.1", [("1.2", "1.3")])  # over the web: whoever asks is answered
    await requests.add("research", "1.2", [("1.2", "1.3")], ("CT1", "VEIL"))
    assert await history.forget(100.0, 10) == 0
    assert await history.over(101.0) == {"deliveries": 0, "commitments": 1}
    assert await history.forget(101.0, 10) == 1
    assert (await count(database, commitment), await count(database, commitment_report)) == (1, 1)
    (owed,) = await reports.due(1000.0, 10, ())
    await reports.keep(owed, "reported", 1000.0)
    assert await history.forget(101.0, 10) == 2, "the request and its report"
    assert (await count(database, commitment), await count(database, commitment_report)) == (0, 0)
