"""The identity drawer: two officers read what neither can alone, and the files hold nothing in clear."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric import ec

from proxy.errors import ConfigError, SealBroken
from proxy.store.crosswalk import Key, bound
from proxy.store.database import Database
from proxy.store.identities import Entry, Identities, entry_of, plain_of, seal
from proxy.store.officers import officer, opened, sign
from proxy.store.schema import identity
from tests.security_officers import Person, certificate, person

KEY = Key("research", 1, "patient", "YNWP0844VBQ198DA8")
ORIGINAL = ("Hospital^1.2.3^ISO", "ZQXIDENT1 Ä")
PEOPLE = [person("anna"), person("ben"), person("cleo")]
OFFICERS = [each.officer for each in PEOPLE]


def read(entry: Entry, *people: Person) -> tuple[str, str]:
    shares = {}
    for each in people:
        x, sealed = entry.shares[each.officer.key_id]
        shares[x] = opened(each.private, bytes.fromhex(sealed), bound(entry.key))
    return entry.opened(shares)


async def kept(database: Database) -> list[str]:
    rows = await database.run(lambda c: c.execute(sa.select(identity)).all())
    return [repr(row) for row in rows]


async def test_any_two_officers_read_it_and_none_alone(database: Database) -> None:
    drawer = Identities(database)
    await drawer.put(KEY, ORIGINAL, OFFICERS)
    entry = await drawer.get("research", KEY.pseudonym)
    assert entry is not None
    for pair in itertools.combinations(PEOPLE, 2):
        assert read(entry, *pair) == ORIGINAL
    with pytest.raises(SealBroken):
        read(entry, PEOPLE[0])
    _, sealed = entry.shares[OFFICERS[0].key_id]
    with pytest.raises(SealBroken):
        opened(PEOPLE[1].private, bytes.fromhex(sealed), bound(entry.key))


async def test_what_is_unknown_is_unknown_and_projects_are_apart(database: Database) -> None:
    drawer = Identities(database)
    await drawer.put(KEY, ORIGINAL, OFFICERS)
    assert await drawer.get("other", KEY.pseudonym) is None
    assert await drawer.get("research", "other") is None


async def test_one_entry_a_patient_however_often_he_comes(database: Database) -> None:
    await Identities(database).put(KEY, ORIGINAL, OFFICERS)
    before = await kept(database)
    drawer = Identities(database)
    for _ in range(3):
        await drawer.put(KEY, ORIGINAL, OFFICERS[::-1])
    assert await kept(database) == before
    assert len(before) == 1


async def test_another_set_of_officers_gets_an_entry_of_its_own(database: Database) -> None:
    drawer = Identities(database)
    await drawer.put(KEY, ORIGINAL, OFFICERS[:2])
    await drawer.put(KEY, ORIGINAL, OFFICERS[1:])
    entry = await drawer.get("research", KEY.pseudonym)
    assert entry is not None
    assert read(entry, *PEOPLE[1:]) == ORIGINAL
    assert OFFICERS[0].key_id not in entry.shares
    assert len(await kept(database)) == 1


async def test_no_original_is_in_the_files(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "clear.db")
    await Identities(database).put(KEY, ORIGINAL, OFFICERS)
    before = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    await database.close()
    after = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert KEY.pseudonym.encode() in before + after  # the row is there
    for planted in ("ZQXIDENT1", "Hospital"):
        assert planted.encode() not in before + after
        assert planted.encode().hex().encode() not in before + after


def test_entries_of_unlike_originals_are_of_one_length() -> None:
    assert len({len(seal(KEY, ("", "1" * n), OFFICERS).sealed) for n in (1, 20, 50)}) == 1


@pytest.mark.parametrize("change", [{"pseudonym": "2"}, {"project": "b"}, {"epoch": 2}])
def test_an_entry_that_was_moved_does_not_open(change: dict[str, str]) -> None:
    entry = seal(KEY, ORIGINAL, OFFICERS)
    with pytest.raises(SealBroken):
        read(replace(entry, key=replace(KEY, **change)), *PEOPLE[:2])  # type: ignore[arg-type]


def test_the_digest_is_of_the_whole_entry() -> None:
    entry = seal(KEY, ORIGINAL, OFFICERS)
    assert entry_of(KEY, json.loads(json.dumps(plain_of(entry)))).digest == entry.digest
    assert replace(entry, sealed=entry.sealed[:-2] + "00").digest != entry.digest
    assert replace(entry, shares=dict(list(entry.shares.items())[:2])).digest != entry.digest


def test_signatures_are_of_one_person_and_one_text() -> None:
    anna, ben, _ = PEOPLE
    signature = sign(anna.private, "text")
    assert anna.officer.signed("text", signature)
    assert not anna.officer.signed("texts", signature)
    assert not ben.officer.signed("text", signature)
    for wrong in ("", "zz", "00"):
        assert not anna.officer.signed("text", wrong)


def test_officers_have_keys_on_p_256() -> None:
    assert officer("anna", PEOPLE[0].certificate, "here") == OFFICERS[0]
    for wrong in ("", "nonsense", certificate(ec.generate_private_key(ec.SECP384R1()), "anna")):
        with pytest.raises(ConfigError, match="openssl"):
            officer("anna", wrong, "here")
