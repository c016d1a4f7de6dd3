"""The part of veil.yaml about the console. It is off unless it is asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, model_validator

from proxy.config_auth import LOOPBACK, Claim
from proxy.config_types import HttpUrl, Strict

_EVERY = "*"
_ROLE = r"^(\*|[a-z][a-z0-9-]{0,31}):(viewer|operator|officer|administrator)$"
_Words = Annotated[str, StringConstraints(pattern=r"^[^\s\x00-\x1f\x7f]([^\x00-\x1f\x7f]{0,62}[^\s\x00-\x1f\x7f])?$")]
_ProjectRole = Annotated[str, StringConstraints(pattern=_ROLE)]


class ConsoleOidc(Strict):
    """The OpenID provider at which people sign in, and which of its groups mean which roles here."""

    issuer: HttpUrl
    client_id: Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,255}$")]
    client_secret_file: Path | None = None
    name: _Words | None = None
    ca_file: Path | None = None
    roles_claim: Claim = "groups"
    name_claim: Claim = "sub"
    leeway_seconds: Annotated[int, Field(ge=0, le=300)] = 30
    always_ask: bool = False
    roles: Annotated[
        dict[str, Annotated[list[_ProjectRole], Field(min_length=1)]],
        Field(min_length=1),
    ]

    @property
    def words(self) -> str:
        """What people know the provider by."""
        return self.name or urlsplit(self.issuer).hostname or self.issuer


class Console(Strict):
    """Pages for people below ``/console``; how long they stay signed in, and where they can sign in."""

    enabled: bool = False
    idle_minutes: Annotated[int, Field(ge=1, le=1440)] = 30
    session_hours: Annotated[int, Field(ge=1, le=168)] = 12
    dry_run_mib: Annotated[int, Field(ge=1, le=1024)] = 128
    local_accounts: bool = True
    oidc: ConsoleOidc | None = None

    @model_validator(mode="after")
    def _somebody(self) -> Console:
        if self.oidc is None and not self.local_accounts:
            raise ValueError("nobody could sign in: local_accounts is false, and there is no oidc")
        if self.oidc is not None and not _private(self.oidc.issuer):
            raise ValueError("oidc.issuer must be https: who can change its answers on their way can be anybody")
        return self


def console(part: Console, public_url: str | None, projects: Collection[str]) -> Iterator[str]:
    """What of ``part`` does not go together with the rest of the document."""
    if part.oidc is None:
        return
    if public_url is None:
        yield "console.oidc: http.public_url is missing: the provider must know where it sends people back to"
    elif not _private(public_url):
        yield "console.oidc: http.public_url must be https: codes to sign in with go there"
    for group, roles in part.oidc.roles.items():
        for project in (role.partition(":")[0] for role in roles):
            if project != _EVERY and project not in projects:
                yield f"console.oidc.roles.{group}: no project is called '{project}'"


def console_at(part: Console, base: Path) -> Console:
    """``part`` with its paths relative to ``base``."""
    if part.oidc is None:
        return part
    files = {"client_secret_file": part.oidc.client_secret_file, "ca_file": part.oidc.ca_file}
    placed = {key: base / file for key, file in files.items() if file is not None}
    return part.model_copy(update={"oidc": part.oidc.model_copy(update=placed)})


def _private(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" or parts.hostname in LOOPBACK
