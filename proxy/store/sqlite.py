"""SQLite as Veil needs it: how the connection is opened, migrated, and what its errors mean. Blocks; no threads here.

Everything that is particular to SQLite is in this file; PostgreSQL would be a second one.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from proxy.errors import ConfigError, SpoolFull, Unavailable, VeilError
from proxy.store import durable
from proxy.store.schema import HEAD

_PRAGMAS = (
    "PRAGMA locking_mode = EXCLUSIVE",  # first: then WAL needs no shared memory, and nobody else gets in
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # fsync of the WAL at every commit
    "PRAGMA wal_autocheckpoint = 0",  # the automatic one swallows its errors; ours is told
    "PRAGMA foreign_keys = ON",
)
_PLAIN_MASK = 0xFF  # the low byte of an extended result code is the plain one
#: result codes that say something about the disk or the file, not about the statement
_TROUBLE = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_READONLY,
    }
)


def connect(path: Path) -> sa.Connection:
    """The one connection to ``path``, which is made (0600) if it is missing and brought to the newest schema."""
    durable.make_folder(path.parent)
    # SQLite gives the WAL the mode of the database, so the database exists with the right one before SQLite sees it
    with suppress(FileExistsError):  # only a new one is opened here: closing it would drop SQLite's locks on an old one
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    url = sa.URL.create("sqlite", database=str(path))
    engine = sa.create_engine(url, poolclass=NullPool, hide_parameters=True, connect_args={"timeout": 0})
    sa.event.listen(engine, "connect", _configure)
    sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    connection = engine.connect()
    try:
        with connection.begin():
            _migrate(connection, path)
        durable.sync_folder(path.parent)  # the names of database and WAL; SQLite ignores what this returns
    except BaseException:
        connection.close()
        raise
    return connection


def _configure(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # transactions are begun by the event above, not guessed by the driver
    for pragma in _PRAGMAS:
        connection.execute(pragma).fetchall()


def _migrate(connection: sa.Connection, path: Path) -> None:
    known = sa.inspect(connection).has_table("alembic_version")
    version = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() if known else None
    if version == HEAD:
        return
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError:
        raise ConfigError(str(path), f"schema '{version}' is not known", "made by a newer veil?") from None


def translated(error: Exception) -> Exception:
    """What the caller gets for ``error``; does not return when SQLite could not make bytes durable."""
    cause = _sqlite_error(error)
    if cause is None:
        return error
    code = getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    if code in (sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC):
        durable.end_process("fsync of the database failed")
    if code & _PLAIN_MASK == sqlite3.SQLITE_FULL:
        return SpoolFull("database: disk full")
    if code & _PLAIN_MASK in _TROUBLE:
        return Unavailable(f"database: {getattr(cause, 'sqlite_errorname', 'error')}")
    return error


def cannot_open(path: Path, error: Exception) -> Exception:
    """The one line that says why the database at ``path`` cannot be used."""
    if isinstance(error, VeilError):
        return error
    problem = getattr(error, "strerror", None) or f"cannot be opened ({type(error).__name__})"
    if cause := _sqlite_error(error):
        name = getattr(cause, "sqlite_errorname", "error")
        locked = name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))
        problem = "already in use by another process" if locked else f"cannot be opened ({name})"
    return ConfigError(str(path), problem)


def _sqlite_error(error: Exception) -> sqlite3.Error | None:
    cause = error.orig if isinstance(error, DBAPIError) else error
    return cause if isinstance(cause, sqlite3.Error) else None
