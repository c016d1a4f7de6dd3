"""A prepared statement does what SQLAlchemy would do with it, in the same transaction."""

from __future__ import annotations

import sqlite3

import pytest
import sqlalchemy as sa

from proxy.errors import Unavailable
from proxy.store.database import Database
from proxy.store.prepared import Prepared
from proxy.store.schema import key_check

ADD = Prepared(sa.insert(key_check), ["name", "value"])
OTHERS = Prepared(sa.select(key_check.c.name).where(key_check.c.name != sa.bindparam("name"), key_check.c.value != "c"))
RENAME = Prepared(sa.update(key_check).where(key_check.c.name == sa.bindparam("old")).values(value="constant"))


async def test_values_constants_and_rows(database: Database) -> None:
    def work(connection: sa.Connection) -> list[tuple[str]]:
        for name in "abc":
            assert ADD(connection, {"name": name, "value": name, "unasked": 1}) == []
        RENAME(connection, {"old": "b"})
        return OTHERS(connection, {"name": "a"})

    assert await database.run(work) == [("b",)]
    values = await database.run(lambda c: c.execute(sa.select(key_check.c.value)).scalars().all())
    assert sorted(values) == ["a", "c", "constant"]


async def test_a_value_that_lacks_is_never_another(database: Database) -> None:
    with pytest.raises(KeyError, match="value"):
        await database.run(lambda c: ADD(c, {"name": "a"}))


async def test_it_is_part_of_the_transaction(database: Database) -> None:
    def work(connection: sa.Connection) -> None:
        ADD(connection, {"name": "a", "value": "1"})
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        await database.run(work)
    assert await database.run(lambda c: c.execute(sa.select(key_check)).all()) == []


async def test_its_errors_are_those_of_the_database(database: Database) -> None:
    await database.run(lambda c: ADD(c, {"name": "a", "value": "1"}))
    with pytest.raises(sqlite3.IntegrityError):
        await database.run(lambda c: ADD(c, {"name": "a", "value": "1"}))

    def full(connection: sa.Connection) -> None:
        connection.exec_driver_sql("PRAGMA query_only = ON")
        try:
            ADD(connection, {"name": "b", "value": "2"})
        finally:
            connection.exec_driver_sql("PRAGMA query_only = OFF")

    with pytest.raises(Unavailable, match="SQLITE_READONLY"):
        await database.run(full)
