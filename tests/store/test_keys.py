"""Keys: private, exact, never overwritten, never exchanged."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from proxy.deid.pseudonym import key_check_value
from proxy.errors import ConfigError
from proxy.store.database import Database
from proxy.store.keys import check_key, create_key, load_key, project_key_name


def test_a_created_key_loads(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "node.key"
    create_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert load_key(path) == bytes.fromhex(path.read_text().removesuffix("\n"))
    assert len(load_key(path)) == 32


def test_no_two_keys_are_alike(tmp_path: Path) -> None:
    for n in range(5):
        create_key(tmp_path / str(n))
    assert len({load_key(tmp_path / str(n)) for n in range(5)}) == 5


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    create_key(tmp_path / "k")
    before = load_key(tmp_path / "k")
    with pytest.raises(ConfigError, match="never overwritten"):
        create_key(tmp_path / "k")
    os.symlink(tmp_path / "elsewhere", tmp_path / "link")
    with pytest.raises(ConfigError):
        create_key(tmp_path / "link")
    assert load_key(tmp_path / "k") == before
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o644, 0o660])
def test_a_key_that_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    create_key(tmp_path / "k")
    (tmp_path / "k").chmod(mode)
    with pytest.raises(ConfigError, match="chmod 600"):
        load_key(tmp_path / "k")


@pytest.mark.parametrize(
    "text",
    [b"", b"00" * 31, b"00" * 33, b"00" * 32 + b"\n\n", b"0" * 63 + b"\n", b"zz" * 32, b" " + b"00" * 32, bytes(32)],
)
def test_what_is_not_64_hexadecimal_characters_is_refused(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "k"
    path.write_bytes(text)
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="64 hexadecimal") as caught:
        load_key(path)
    assert "zz" not in str(caught.value)


def test_a_missing_key_or_one_that_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load_key(tmp_path / "k")
    with pytest.raises(ConfigError, match="regular file"):
        load_key(tmp_path)
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(ConfigError, match="regular file"):
        load_key(tmp_path / "pipe")


async def test_a_changed_key_is_refused_also_after_a_restart(tmp_path: Path) -> None:
    name = project_key_name("research", 1)
    first, second = key_check_value(bytes(32)), key_check_value(bytes(31) + b"\1")
    database = await Database.open(tmp_path / "veil.db")
    await check_key(database, name, first)
    await check_key(database, name, first)
    await database.close()
    database = await Database.open(tmp_path / "veil.db")
    with pytest.raises(ConfigError, match="not the one"):
        await check_key(database, name, second)
    await check_key(database, project_key_name("research", 2), second)  # a new epoch has a new key
    await check_key(database, name, first)
    await database.close()


async def test_one_key_under_two_names_is_refused(database: Database) -> None:
    value = key_check_value(bytes(32))
    await check_key(database, project_key_name("a", 1), value)
    for other in (project_key_name("b", 1), project_key_name("a", 2), "node"):
        with pytest.raises(ConfigError, match="already the key 'project/a/1'"):
            await check_key(database, other, value)
