"""One connection, one thread, durable commits, and no way in for a second connection."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from proxy.errors import ConfigError, SpoolFull, Unavailable
from proxy.store import durable, sqlite
from proxy.store.database import Database
from proxy.store.schema import HEAD, key_check, metadata


def insert(name: str) -> sa.Insert:
    return sa.insert(key_check).values(name=name, value="value of " + name)


async def names(database: Database) -> set[str]:
    return set(await database.run(lambda c: c.execute(sa.select(key_check.c.name)).scalars().all()))


async def test_it_is_opened_as_the_durability_contract_needs(database: Database) -> None:
    wanted = {"journal_mode": "wal", "synchronous": 2, "locking_mode": "exclusive", "foreign_keys": 1}
    wanted["wal_autocheckpoint"] = 0
    found = await database.run(lambda c: {name: c.exec_driver_sql(f"PRAGMA {name}").scalar() for name in wanted})
    assert found == wanted


async def test_files_are_private(database: Database, tmp_path: Path) -> None:
    await database.run(lambda c: c.execute(insert("a")))
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in tmp_path.iterdir()}
    assert modes == {"veil.db": 0o600, "veil.db-wal": 0o600}


async def test_everything_runs_on_one_thread_that_is_not_the_loops(database: Database) -> None:
    threads = await asyncio.gather(*(database.run(lambda c: threading.get_ident()) for _ in range(20)))
    assert len(set(threads)) == 1
    assert threads[0] != threading.get_ident()


async def test_what_waits_together_shares_a_commit(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()
    blocker = asyncio.create_task(database.run(lambda c: go.wait()))
    await asyncio.sleep(0.05)
    waiting = [asyncio.create_task(database.run(lambda c, n=n: c.execute(insert(str(n))).rowcount)) for n in range(40)]
    await asyncio.sleep(0)
    before = database._commits
    go.set()
    assert await asyncio.gather(*waiting) == [1] * 40
    await blocker
    assert database._commits - before == 2
    assert len(await names(database)) == 40


async def test_one_that_fails_spoils_no_other(database: Database) -> None:
    def fail(connection: sa.Connection) -> None:
        connection.execute(insert("half done"))
        raise ValueError("mine")

    go = threading.Event()
    blocker = asyncio.create_task(database.run(lambda c: go.wait()))
    await asyncio.sleep(0.05)
    a, b = (database.run(lambda c, n=n: c.execute(insert(n)).rowcount) for n in "ab")
    together = asyncio.gather(a, database.run(fail), b, return_exceptions=True)
    await asyncio.sleep(0)
    go.set()
    await blocker
    first, failed, last = await together
    assert (first, last) == (1, 1)
    assert isinstance(failed, ValueError)
    assert await names(database) == {"a", "b"}


async def test_a_cancelled_wait_is_not_run(database: Database) -> None:
    go = threading.Event()
    blocker = asyncio.create_task(database.run(lambda c: go.wait()))
    await asyncio.sleep(0.05)
    given_up = asyncio.create_task(database.run(lambda c: c.execute(insert("given up"))))
    await asyncio.sleep(0)
    given_up.cancel()
    await asyncio.sleep(0)
    go.set()
    await blocker
    assert await names(database) == set()


async def test_close_finishes_what_waits_and_leaves_no_wal(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "veil.db")
    jobs = [asyncio.create_task(database.run(lambda c, n=n: c.execute(insert(str(n))))) for n in range(10)]
    await asyncio.sleep(0)
    await database.close()
    await database.close()
    await asyncio.gather(*jobs)
    with pytest.raises(Unavailable, match="closed"):
        await database.run(lambda c: None)
    assert [p.name for p in tmp_path.iterdir()] == ["veil.db"]
    with sqlite3.connect(tmp_path / "veil.db") as plain:
        assert plain.execute("SELECT count(*) FROM key_check").fetchone() == (10,)
        assert plain.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    plain.close()


async def test_checkpoints_keep_the_wal_short(tmp_path: Path, database: Database) -> None:
    for n in range(450):
        await database.run(lambda c, n=n: c.execute(insert(str(n))))
    await asyncio.sleep(0.05)
    assert (tmp_path / "veil.db-wal").stat().st_size < 3_000_000
    assert database._commits < 100


async def test_a_second_connection_is_shut_out(tmp_path: Path, database: Database) -> None:
    with pytest.raises(ConfigError, match="already in use"):
        await Database.open(tmp_path / "veil.db")
    script = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('SELECT * FROM key_check')"
    run = subprocess.run([sys.executable, "-c", script, str(tmp_path / "veil.db")], capture_output=True, text=True)
    assert "database is locked" in run.stderr
    await database.run(lambda c: c.execute(insert("still mine")))


async def test_a_database_that_is_none_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "veil.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(ConfigError, match="SQLITE_NOTADB"):
        await Database.open(tmp_path / "veil.db")
    (tmp_path / "folder.db").mkdir()
    with pytest.raises(ConfigError, match=r"folder\.db"):
        await Database.open(tmp_path / "folder.db")


async def test_a_newer_schema_stops_the_start(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "veil.db")
    await database.run(lambda c: c.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'").rowcount)
    await database.close()
    with pytest.raises(ConfigError, match="newer veil"):
        await Database.open(tmp_path / "veil.db")


async def test_migrations_make_the_schema_of_the_code(database: Database) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.config import Config
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(sqlite.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD
    assert await database.run(lambda c: compare_metadata(MigrationContext.configure(c), metadata)) == []
    query = "SELECT sql FROM sqlite_master WHERE name = 'delivery'"
    made = str(await database.run(lambda c: c.exec_driver_sql(query).scalar()))
    assert "AUTOINCREMENT" in made  # what compare_metadata does not look at
    assert "CONSTRAINT ck_delivery_state" in made


async def test_an_up_to_date_database_opens_without_alembic(tmp_path: Path) -> None:
    await (await Database.open(tmp_path / "veil.db")).close()
    script = """
import asyncio, sys
from pathlib import Path
from proxy.store.database import Database
async def main(): await (await Database.open(Path(sys.argv[1]))).close()
asyncio.run(main())
print("alembic" in sys.modules)
"""
    command = [sys.executable, "-c", script, str(tmp_path / "veil.db")]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"


async def test_a_full_disk_is_told_and_survived(database: Database) -> None:
    await database.run(lambda c: c.execute(insert("before")))
    pages = await database.run(lambda c: c.exec_driver_sql("PRAGMA page_count").scalar())

    def limit(connection: sa.Connection, most: int) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {most}").scalar()

    await database.run(lambda c: limit(c, int(pages or 0)))
    with pytest.raises(SpoolFull):
        await database.run(lambda c: c.execute(sa.insert(key_check).values(name="x" * 100_000, value="y")))
    await database.run(lambda c: limit(c, 1 << 20))
    await database.run(lambda c: c.execute(insert("after")))
    assert await names(database) == {"before", "after"}


@pytest.mark.parametrize(
    ("code", "name", "expected"),
    [
        (sqlite3.SQLITE_IOERR_WRITE, "SQLITE_IOERR_WRITE", Unavailable),
        (sqlite3.SQLITE_CORRUPT, "SQLITE_CORRUPT", Unavailable),
        (sqlite3.SQLITE_FULL, "SQLITE_FULL", SpoolFull),
        (sqlite3.SQLITE_CONSTRAINT_UNIQUE, "SQLITE_CONSTRAINT_UNIQUE", sqlite3.OperationalError),
    ],
)
def test_what_sqlite_errors_mean(code: int, name: str, expected: type[Exception]) -> None:
    error = sqlite3.OperationalError("injected")
    error.sqlite_errorcode, error.sqlite_errorname = code, name
    assert type(sqlite.translated(error)) is expected


@pytest.mark.parametrize("code", [sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC])
def test_a_failed_fsync_of_sqlite_is_the_end(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    class Ended(BaseException):
        pass

    def end(what: str) -> None:
        raise Ended(what)

    monkeypatch.setattr(durable, "end_process", end)
    error = sqlite3.OperationalError("injected")
    error.sqlite_errorcode = code
    with pytest.raises(Ended):
        sqlite.translated(error)


async def test_errors_carry_no_values(database: Database) -> None:
    await database.run(lambda c: c.execute(insert("secret")))
    with pytest.raises(sa.exc.IntegrityError) as caught:
        await database.run(lambda c: c.execute(insert("secret")))
    assert "secret" not in str(caught.value)
