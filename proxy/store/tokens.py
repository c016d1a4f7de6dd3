"""The file of static tokens (YAML, mode 0600): names, hashes and grants, never a token. Read, added to, taken from.

A running proxy notices that the file has changed by its inode, time and size, so a revoked token is refused at the next
request. A file that cannot be read lets nobody in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from proxy.errors import ConfigError
from proxy.service.callers import StoredToken, Verb
from proxy.store.private_file import Reread, alone, publish, read_private

_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
_HEAD = (
    "# Static tokens of veil: made with `veil token new`, revoked with `veil token revoke`. Holds hashes, no token.\n"
)
_Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, StringConstraints(pattern=_NAME)]
    sha256: _Digest | None = None
    certificate: _Digest | None = None
    projects: dict[Annotated[str, StringConstraints(pattern=r"^(\*|[a-z][a-z0-9-]{0,31})$")], list[Verb]]
    expires: AwareDatetime | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> _Entry:
        if (self.sha256 is None) == (self.certificate is None):
            raise ValueError("an entry has sha256 or certificate, one of the two")
        return self

    @property
    def digest(self) -> str:
        return self.sha256 or self.certificate or ""


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    tokens: list[_Entry] = Field(default_factory=list)


def named(name: str) -> str:
    """``name``, which a token may have; `ConfigError` otherwise."""
    if not re.fullmatch(_NAME, name):
        raise ConfigError("name", "a token's name has letters, digits, '.', '_' and '-', 64 at most")
    return name


def load(path: Path) -> tuple[StoredToken, ...]:
    """What ``path`` holds; `ConfigError` for a file that others can read, or that is not as `save` writes it."""
    return _parsed(path, read_private(path, "veil token new makes one"))


def _parsed(path: Path, text: bytes) -> tuple[StoredToken, ...]:
    try:
        loaded = yaml.safe_load(text)
        found = _Document.model_validate({} if loaded is None else loaded).tokens
    except (yaml.YAMLError, UnicodeDecodeError):
        raise ConfigError(str(path), "not valid YAML") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ConfigError(f"{path}: {'.'.join(map(str, first['loc']))}", first["msg"]) from None
    for what in ([each.name for each in found], [each.digest for each in found]):
        if len(set(what)) < len(what):
            raise ConfigError(str(path), "two tokens have one name, or one hash has two names")
    return tuple(
        StoredToken(
            each.name,
            each.digest,
            {project: frozenset(verbs) for project, verbs in each.projects.items()},
            each.expires.timestamp() if each.expires else None,
            certificate=each.certificate is not None,
        )
        for each in found
    )


@contextmanager
def changing(path: Path) -> Iterator[list[StoredToken]]:
    """The tokens of ``path`` as a list; what the block has made of it is written, whole and durably.

    Two who change it at the same time wait for each other. A file that is not there is empty.
    """
    with alone(path.parent):
        tokens = list(load(path)) if path.exists() else []
        yield tokens
        _save(path, tokens)


def _save(path: Path, tokens: Sequence[StoredToken]) -> None:
    text = _HEAD + yaml.safe_dump({"tokens": [_plain(each) for each in tokens]}, sort_keys=False)
    publish(path, text)


def _plain(token: StoredToken) -> dict[str, object]:
    projects = {project: sorted(map(str, verbs)) for project, verbs in token.grants.items()}
    kind = "certificate" if token.certificate else "sha256"
    plain: dict[str, object] = {"name": token.name, kind: token.sha256, "projects": projects}
    if token.expires is not None:
        plain["expires"] = datetime.fromtimestamp(token.expires, UTC).isoformat()
    return plain


class TokensFile(Reread[tuple[StoredToken, ...]]):
    """``path``, read again when it has changed."""

    def __init__(self, path: Path) -> None:
        """`ConfigError` as `load`."""
        super().__init__(path, load, "tokens")
