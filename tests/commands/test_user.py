from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from proxy.cli import veil
from proxy.commands.init import write_site
from proxy.errors import ConfigError
from proxy.service.passwords import Passwords
from proxy.service.people import Role
from proxy.store.accounts import load

SECRET = "correct horse battery"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return write_site(tmp_path / "site")


def run(site: Path, *arguments: str, typed: str | None = None) -> Any:
    result = CliRunner().invoke(veil, ["user", *arguments, "-c", str(site)], input=typed)
    if isinstance(result.exception, ConfigError):
        raise result.exception
    return result


def add(site: Path, name: str, *roles: str, password: str = SECRET) -> Any:
    words = [part for role in roles for part in ("--role", role)]
    return run(site, "add", name, *words, "--stdin", typed=password + "\n")


def file_of(site: Path) -> Path:
    return site.parent / "data" / "accounts.json"


async def test_an_account_is_a_name_roles_and_a_hash(site: Path) -> None:
    assert add(site, "alice", "research:officer", "*:viewer").exit_code == 0
    (account,) = load(file_of(site))
    assert (account.name, account.roles) == (
        "alice",
        {"research": frozenset({Role.OFFICER}), "*": frozenset({Role.VIEWER})},
    )
    assert await Passwords().match(account.password, SECRET)
    assert SECRET not in file_of(site).read_text()
    assert stat.S_IMODE(os.stat(file_of(site)).st_mode) == 0o600


async def test_a_password_is_typed_twice_and_not_shown(site: Path) -> None:
    done = run(site, "add", "bob", "--role", "research:viewer", typed=f"{SECRET}\n{SECRET}\n")
    assert (done.exit_code, SECRET in done.output) == (0, False)
    assert await Passwords().match(load(file_of(site))[0].password, SECRET)
    differs = run(site, "passwd", "bob", typed=f"{SECRET}\n{SECRET}s\n")
    assert differs.exit_code != 0


def test_a_site_begins_without_accounts(site: Path) -> None:
    assert json.loads(run(site, "list", "--json").output) == []
    assert not file_of(site).exists()


async def test_a_password_is_changed_and_the_roles_stay(site: Path) -> None:
    add(site, "alice", "research:officer")
    assert run(site, "passwd", "alice", "--stdin", typed="another horse battery\n").exit_code == 0
    (account,) = load(file_of(site))
    assert account.roles == {"research": frozenset({Role.OFFICER})}
    assert await Passwords().match(account.password, "another horse battery")
    assert not await Passwords().match(account.password, SECRET)


def test_accounts_are_listed_and_removed(site: Path) -> None:
    add(site, "alice", "research:officer")
    add(site, "bob", "research:viewer")
    run(site, "remove", "alice")
    assert json.loads(run(site, "list", "--json").output) == [{"name": "bob", "roles": ["research:viewer"]}]
    assert "research:viewer" in run(site, "list").output


@pytest.mark.parametrize(
    ("arguments", "typed", "problem"),
    [
        (["add", "Alice", "--role", "*:viewer", "--stdin"], SECRET, "small letters"),
        (["add", "alice", "--role", "*:king", "--stdin"], SECRET, "no role"),
        (["add", "alice", "--role", "nowhere:viewer", "--stdin"], SECRET, "no project"),
        (["add", "alice", "--role", "*:viewer", "--stdin"], "short", "12 characters"),
        (["add", "bob", "--role", "*:viewer", "--stdin"], SECRET, "there is an account"),
        (["passwd", "alice", "--stdin"], SECRET, "no account"),
        (["remove", "alice"], "", "no account"),
    ],
)
def test_what_cannot_be_is_said(site: Path, arguments: list[str], typed: str, problem: str) -> None:
    add(site, "bob", "research:viewer")
    before = file_of(site).read_text()
    with pytest.raises(ConfigError, match=problem):
        run(site, *arguments, typed=typed + "\n")
    assert file_of(site).read_text() == before


def test_no_password_is_an_argument(site: Path) -> None:
    assert run(site, "add", "alice", "--role", "*:viewer", "--password", SECRET).exit_code == 2
    assert run(site, "add", "alice", SECRET, "--role", "*:viewer").exit_code == 2
