"""The translation drawer: what is put comes back, nothing lies there in clear, no row opens in another's place."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from proxy.errors import SealBroken
from proxy.store.crosswalk import KINDS, Crosswalk, Key
from proxy.store.database import Database
from proxy.store.schema import translation

NODE_KEY = bytes(range(32))
ORIGINALS = {Key("research", 1, kind, f"2.25.{n}"): f"1.2.826.77.{n}" for n, kind in enumerate(KINDS)}


async def test_what_is_put_comes_back_and_the_rest_is_unknown(database: Database) -> None:
    crosswalk = Crosswalk(database, NODE_KEY)
    await crosswalk.put(ORIGINALS)
    unknown = Key("research", 1, "study", "2.25.99")
    assert await crosswalk.get([*ORIGINALS, unknown]) == ORIGINALS
    assert await crosswalk.get([]) == {}


async def test_projects_epochs_and_kinds_see_nothing_of_each_other(database: Database) -> None:
    crosswalk = Crosswalk(database, NODE_KEY)
    await crosswalk.put({Key("a", 1, "study", "2.25.1"): "1.2.3"})
    others = [Key("b", 1, "study", "2.25.1"), Key("a", 2, "study", "2.25.1"), Key("a", 1, "series", "2.25.1")]
    assert await crosswalk.get(others) == {}


async def test_a_second_put_changes_nothing(database: Database) -> None:
    crosswalk = Crosswalk(database, NODE_KEY)
    await crosswalk.put(ORIGINALS)
    before = await database.run(lambda c: c.execute(sa.select(translation)).all())
    await crosswalk.put(dict.fromkeys(ORIGINALS, "something else"))
    assert await database.run(lambda c: c.execute(sa.select(translation)).all()) == before


async def test_many_rows_at_once(database: Database) -> None:
    many = {Key("a", 1, "instance", f"2.25.{n}"): f"1.2.{n}" for n in range(1000)}
    crosswalk = Crosswalk(database, NODE_KEY)
    await crosswalk.put(many)
    assert await crosswalk.get(many) == many


async def test_no_original_is_in_the_files(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "clear.db")
    await Crosswalk(database, NODE_KEY).put({Key("a", 1, "patient", "P1"): "Hospital\\ZQXIDENT1 Ä"})
    before = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    await database.close()
    after = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"P1" in before + after  # the row is there
    for planted in ("ZQXIDENT1", "Hospital", "Ä"):
        assert planted.encode() not in before + after


async def test_sealed_rows_of_unlike_originals_are_of_one_length(database: Database) -> None:
    crosswalk = Crosswalk(database, NODE_KEY)
    await crosswalk.put({Key("a", 1, "patient", "P1"): "\\1", Key("a", 1, "patient", "P2"): "\\1234567890123456789"})
    rows = await database.run(lambda c: c.execute(sa.select(translation.c.sealed)).scalars().all())
    assert len({len(row) for row in rows}) == 1
    assert len(set(rows)) == 2


@pytest.mark.parametrize("change", [{"pseudonym": "2.25.9"}, {"project": "b"}, {"kind": "series"}, {"key_epoch": 2}])
async def test_a_row_that_was_moved_does_not_open(database: Database, change: dict[str, object]) -> None:
    crosswalk = Crosswalk(database, NODE_KEY)
    await crosswalk.put({Key("a", 1, "study", "2.25.1"): "1.2.3"})
    await database.run(lambda c: c.execute(sa.update(translation).values(**change)))
    named = {"project": "a", "key_epoch": 1, "kind": "study", "pseudonym": "2.25.1"} | change
    with pytest.raises(SealBroken):
        await crosswalk.get([Key(*named.values())])  # type: ignore[arg-type]


async def test_another_node_key_opens_nothing(database: Database) -> None:
    await Crosswalk(database, NODE_KEY).put(ORIGINALS)
    with pytest.raises(SealBroken):
        await Crosswalk(database, bytes(32)).get(ORIGINALS)
