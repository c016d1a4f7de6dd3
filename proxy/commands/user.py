"""``veil user``: the accounts of the console: added, listed, changed, removed. Passwords are typed, never arguments.

A running proxy takes notice at its next request and records what changed; a changed password ends sessions.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from proxy.commands.options import config_option
from proxy.config import Config, load_config
from proxy.errors import ConfigError
from proxy.service.callers import EVERY
from proxy.service.passwords import Passwords, unfit
from proxy.service.people import Account, Role, Roles, said
from proxy.store.accounts import FILE, changing, load, named

_stdin = click.option("--stdin", is_flag=True, help="read the password from the first line of standard input")


@click.group("user")
def user() -> None:
    """Add, list, change and remove the accounts by which people sign in at the console."""


@user.command("add")
@click.argument("name")
@click.option("--role", "roles", multiple=True, required=True, help="PROJECT:ROLE, repeatable; * is every project")
@_stdin
@config_option
def add(name: str, roles: tuple[str, ...], stdin: bool, config_path: Path) -> None:
    """Make an account called NAME; its password is asked for."""
    config = load_config(config_path)
    held = _roles(roles, config)
    file = _file(config)
    if any(each.name == named(name) for each in load(file)):
        raise _taken(name)
    password = Passwords().hashed(_typed(name, stdin))
    with changing(file) as accounts:
        if name in accounts:
            raise _taken(name)
        accounts[name] = Account(name, held, password)
    click.echo(f"added {name}: {', '.join(said(held))}")


@user.command("list")
@config_option
@click.option("--json", "as_json", is_flag=True, help="one JSON array")
def list_accounts(config_path: Path, as_json: bool) -> None:
    """Show whose accounts there are, and their roles."""
    rows = [(each.name, said(each.roles)) for each in load(_file(load_config(config_path)))]
    if as_json:
        click.echo(json.dumps([{"name": name, "roles": roles} for name, roles in rows], indent=2))
        return
    table = Table("name", "roles")
    for name, roles in rows:
        table.add_row(name, "\n".join(roles))
    Console().print(table)


@user.command("passwd")
@click.argument("name")
@_stdin
@config_option
def passwd(name: str, stdin: bool, config_path: Path) -> None:
    """Give NAME another password; sessions with the old one end."""
    file = _file(load_config(config_path))
    if all(each.name != name for each in load(file)):
        raise _missing(name)
    password = Passwords().hashed(_typed(name, stdin))
    with changing(file) as accounts:
        if name not in accounts:
            raise _missing(name)
        accounts[name] = replace(accounts[name], password=password)
    click.echo(f"changed the password of {name}")


@user.command("remove")
@click.argument("name")
@config_option
def remove(name: str, config_path: Path) -> None:
    """Forget the account called NAME; its sessions end."""
    with changing(_file(load_config(config_path))) as accounts:
        if accounts.pop(name, None) is None:
            raise _missing(name)
    click.echo(f"removed {name}")


def _file(config: Config) -> Path:
    config.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    return config.data_dir / FILE


def _typed(name: str, stdin: bool) -> str:
    if stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = str(click.prompt(f"password of {name}", hide_input=True, confirmation_prompt=True))
    if problem := unfit(password, name):
        raise ConfigError("password", problem)
    return password


def _roles(words: Sequence[str], config: Config) -> Roles:
    found: dict[str, frozenset[Role]] = {}
    for word in words:
        project, _, role = word.rpartition(":")
        if project != EVERY and project not in config.projects:
            raise ConfigError("role", f"no project is called '{project}'", "PROJECT:ROLE, such as research:officer")
        if role not in frozenset(Role):
            raise ConfigError("role", f"'{role}' is no role", f"one of {', '.join(Role)}")
        found[project] = found.get(project, frozenset()) | {Role(role)}
    return found


def _taken(name: str) -> ConfigError:
    return ConfigError("name", f"there is an account called '{name}'", "veil user passwd gives it another password")


def _missing(name: str) -> ConfigError:
    return ConfigError("name", f"no account is called '{name}'", "veil user list shows them")
