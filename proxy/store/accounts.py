"""The file of accounts (JSON, mode 0600, in the data folder): names, password hashes, roles. Read, and changed.

A running proxy notices a change at the next request. A file that cannot be read lets nobody in; none is no account.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from proxy.errors import ConfigError
from proxy.service.people import Account, Role
from proxy.store.private_file import Reread, alone, publish, read_private

FILE = "accounts.json"
_NAME = r"^[a-z0-9][a-z0-9._-]{0,63}$"
_PROJECT = r"^(\*|[a-z][a-z0-9-]{0,31})$"


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, StringConstraints(pattern=_NAME)]
    password: Annotated[str, StringConstraints(pattern=r"^\$argon2id\$[!-~]{1,512}$")]
    roles: Annotated[dict[Annotated[str, StringConstraints(pattern=_PROJECT)], list[Role]], Field(min_length=1)]


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    accounts: list[_Entry] = Field(default_factory=list)


def named(name: str) -> str:
    """``name``, which an account may have; `ConfigError` otherwise."""
    if not re.fullmatch(_NAME, name):
        raise ConfigError("name", "an account's name has small letters, digits, '.', '_' and '-', 64 at most")
    return name


def load(path: Path) -> tuple[Account, ...]:
    """What ``path`` holds, nothing where it is not there; `ConfigError` for a file that is not as it should be."""
    if not path.exists():
        return ()
    try:
        found = _Document.model_validate_json(read_private(path, "veil user add makes one")).accounts
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ConfigError(f"{path}: {'.'.join(map(str, first['loc']))}", first["msg"]) from None
    if len({each.name for each in found}) < len(found):
        raise ConfigError(str(path), "two accounts have one name")
    return tuple(Account(e.name, {p: frozenset(r) for p, r in e.roles.items()}, e.password) for e in found)


@contextmanager
def changing(path: Path) -> Iterator[dict[str, Account]]:
    """The accounts of ``path`` by name; what the block has made of it is written, whole and durably."""
    with alone(path.parent):
        accounts = {each.name: each for each in load(path)}
        yield accounts
        publish(path, json.dumps({"accounts": [_plain(each) for each in accounts.values()]}, indent=1) + "\n")


def _plain(account: Account) -> dict[str, object]:
    roles = {project: sorted(map(str, held)) for project, held in account.roles.items()}
    return {"name": account.name, "password": account.password, "roles": roles}


class AccountsFile(Reread[tuple[Account, ...]]):
    """``path``, read again when it has changed."""

    def __init__(self, path: Path) -> None:
        """`ConfigError` as `load`."""
        super().__init__(path, load, "accounts")
