from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from proxy.errors import ConfigError
from proxy.service.people import Account, Role
from proxy.store.accounts import FILE, AccountsFile, changing, load, named

ALICE = Account(
    "alice", {"research": frozenset({Role.OFFICER, Role.VIEWER})}, "$argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA"
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    with changing(tmp_path / FILE) as accounts:
        accounts["alice"] = ALICE
    return tmp_path / FILE


def test_what_is_kept_is_read_again(file: Path) -> None:
    assert load(file) == (ALICE,)
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600


def test_no_file_is_no_account(tmp_path: Path) -> None:
    assert load(tmp_path / FILE) == ()
    kept = AccountsFile(tmp_path / FILE)
    assert kept.read() == ()
    with changing(tmp_path / FILE) as accounts:
        accounts["alice"] = ALICE
    assert kept.read() == (ALICE,)


def test_a_change_that_fails_changes_nothing(file: Path) -> None:
    def break_off() -> None:
        with changing(file) as accounts:
            accounts.clear()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_off()
    assert load(file) == (ALICE,)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Alice"}, {"name": ""}, {"password": "clear text"}, {"password": "$argon2i$v=19$x"}, {"roles": {}},
        {"roles": {"research": ["king"]}}, {"roles": {"../x": ["viewer"]}}, {"more": 1},
    ],
)  # fmt: skip
def test_what_is_not_as_it_should_be_is_refused(file: Path, change: dict[str, object]) -> None:
    document = json.loads(file.read_text())
    document["accounts"][0] |= change
    file.write_text(json.dumps(document))
    with pytest.raises(ConfigError) as error:
        load(file)
    assert "clear text" not in str(error.value)


def test_a_name_stands_once(file: Path) -> None:
    document = json.loads(file.read_text())
    file.write_text(json.dumps({"accounts": document["accounts"] * 2}))
    with pytest.raises(ConfigError, match="one name"):
        load(file)


@pytest.mark.parametrize("name", ["Alice", "", "a b", "a\n", "-a", "x" * 65, "ä"])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(ConfigError, match="name"):
        named(name)
