"""A pause is a row: the first one stays, and it is there after the next start."""

from __future__ import annotations

from pathlib import Path

from proxy.store.database import Database
from proxy.store.pauses import Pause, PauseRows

FIRST = Pause("pacs", 1000.5, "maintenance", "CHG-1", "user:otto")


async def test_it_outlives_the_process(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "veil.db")
    rows = PauseRows(database)
    await rows.keep(FIRST)
    await rows.keep(Pause("pacs", 2000.0, "test", "", "cli"))
    await database.close()
    database = await Database.open(tmp_path / "veil.db")
    rows = PauseRows(database)
    assert await rows.all() == [FIRST]
    await rows.forget("pacs")
    await rows.forget("pacs")
    assert await rows.all() == []
    await database.close()
