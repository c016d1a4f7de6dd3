"""Who may call, and what they may do: verbs, grants, and what tells a caller from a stranger.

Decisions only: no HTTP, no files, no clock. A project in which a caller has no grant does not exist for that caller.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from proxy.errors import Unavailable

#: As a project: every one of the site.
EVERY = "*"
#: What a client certificate stands as among tokens, before the SHA-256 of its DER. No bearer token can have a colon.
CERTIFICATE = "certificate:"
_SCOPE = "veil"


class Verb(StrEnum):
    """What can be granted in a project."""

    SEARCH = "search"
    RETRIEVE = "retrieve"
    STORE = "store"
    OPERATE = "operate"
    AUDIT = "audit"
    REIDENTIFY = "reidentify"
    ADMIN = "admin"


Grants = Mapping[str, frozenset[Verb]]


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody known. ``name`` goes to the audit trail; ``grants``: project or `EVERY` → verbs."""

    name: str
    grants: Grants = field(default_factory=dict)

    def verbs(self, project: str) -> frozenset[Verb]:
        """What the caller may do in ``project``."""
        return self.grants.get(project, frozenset()) | self.grants.get(EVERY, frozenset())

    def sees(self, project: str) -> bool:
        """Whether ``project`` exists for the caller."""
        return bool(self.verbs(project))

    def where(self, verb: Verb) -> frozenset[str] | None:
        """For what is no project's: in which projects the caller may ``verb``; None for every one of the site."""
        if verb in self.grants.get(EVERY, ()):
            return None
        return frozenset(project for project, verbs in self.grants.items() if verb in verbs)


#: Who calls where nobody is asked for a name.
ANYBODY = Caller("", {EVERY: frozenset(Verb)})


@dataclass(frozen=True, slots=True)
class StoredToken:
    """A static token as it is kept: ``sha256`` of it in hexadecimal, ``expires`` in seconds since the epoch.

    ``certificate``: it is no token but a client certificate, and the hash that of its DER.
    """

    name: str
    sha256: str
    grants: Grants
    expires: float | None = None
    certificate: bool = False


class Unknown(Exception):
    """The token makes nobody known. ``reason``: a word for the audit trail, not for who called."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class CannotJudge(Unavailable):
    """What tokens are judged by cannot be had right now: nobody is let in, and nobody is told off."""


class Callers(Protocol):
    """Those of one kind of token."""

    def claims(self, token: str) -> bool:
        """Whether ``token`` looks like one of this kind. Decides nothing else."""
        ...

    async def caller(self, token: str) -> Caller:
        """Whose ``token`` is. `Unknown` for a stranger's, `CannotJudge` when that cannot be told."""
        ...


def scope_of(project: str, verb: Verb) -> str:
    """A grant as a scope (RFC 6749 3.3)."""
    return f"{_SCOPE}:{project}:{verb}"


def scopes_of(grants: Grants) -> list[str]:
    """``grants`` as scopes, in a fixed order."""
    return [scope_of(project, verb) for project in sorted(grants) for verb in Verb if verb in grants[project]]


def grants_of(scopes: Iterable[str]) -> Grants:
    """The grants among ``scopes``; what is no scope of ours, or names no verb, grants nothing."""
    found: dict[str, frozenset[Verb]] = {}
    for scope in scopes:
        kind, _, rest = scope.partition(":")
        project, _, verb = rest.partition(":")
        if kind == _SCOPE and project and verb in frozenset(Verb):
            found[project] = found.get(project, frozenset()) | {Verb(verb)}
    return found
