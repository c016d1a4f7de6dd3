"""A statement compiled once: for the few that run for every instance, where SQLAlchemy's own share is most of the cost.

What they say stays in SQLAlchemy's words; only the way to the driver is shorter. They run in the transaction of the
connection, as everything does (see `proxy.store.database`), and raise the driver's errors, which are translated there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql.compiler import SQLCompiler


class Prepared:
    """``Prepared(statement)(connection, values)``: the rows that it gives."""

    def __init__(self, statement: sa.ClauseElement, columns: Collection[str] = ()) -> None:
        """``columns``: those an INSERT sets, each from the value of its name. No type may need a conversion."""
        # for None every column would be inserted, also one that the database numbers
        compiled = cast(SQLCompiler, statement.compile(dialect=sqlite.dialect(), column_keys=list(columns) or None))
        self._sql, self._names = str(compiled), tuple(compiled.positiontup or ())
        self._constants = {name: bind.value for name, bind in compiled.binds.items() if not bind.required}

    def __call__(self, connection: sa.Connection, values: Mapping[str, Any]) -> list[Any]:
        """KeyError for a value that the statement needs and ``values`` lacks."""
        driver = cast(sqlite3.Connection, connection.connection.driver_connection)
        constants = self._constants
        wanted = [constants[name] if name in constants else values[name] for name in self._names]
        return driver.execute(self._sql, wanted).fetchall()  # all: a statement that is not over would hold the commit
