"""People with accounts: their roles, and which verbs a role means. Types and tables; no HTTP, no files, no clock.

Who looks after the machinery cannot re-identify, and who may re-identify cannot change the machinery.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from proxy.service.callers import Caller, Grants, Verb
from proxy.service.ports import AuditEvent, Peer


class Role(StrEnum):
    """What an account is in a project."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    OFFICER = "officer"
    ADMINISTRATOR = "administrator"


_READ = frozenset({Verb.SEARCH, Verb.RETRIEVE})
VERBS: Mapping[Role, frozenset[Verb]] = {
    Role.VIEWER: _READ,
    Role.OPERATOR: _READ | {Verb.STORE, Verb.OPERATE},
    Role.OFFICER: _READ | {Verb.AUDIT, Verb.REIDENTIFY},
    Role.ADMINISTRATOR: frozenset(Verb) - {Verb.REIDENTIFY},
}

#: project or `callers.EVERY` → roles
Roles = Mapping[str, frozenset[Role]]


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who signs in: with a password, of which ``password`` is the encoded argon2id hash, or at a provider.

    ``kind``: ``user`` is an account of this site, ``oidc`` one of its OpenID provider, which has no password here.
    """

    name: str
    roles: Roles
    password: str = field(repr=False)
    kind: Literal["user", "oidc"] = "user"

    @property
    def known_as(self) -> str:
        """As audit records name the account."""
        return f"{self.kind}:{self.name}"

    def caller(self) -> Caller:
        """Who that is to everything that asks for verbs."""
        return Caller(self.known_as, grants_of_roles(self.roles))


def grants_of_roles(roles: Roles) -> Grants:
    """What ``roles`` allow."""
    return {project: frozenset().union(*(VERBS[role] for role in held)) for project, held in roles.items()}


def said(roles: Roles) -> list[str]:
    """``roles`` as ``project:role``, in a fixed order."""
    return [f"{project}:{role}" for project in sorted(roles) for role in Role if role in roles[project]]


def signed_in(peer: Peer) -> AuditEvent:
    """Written before there is a session."""
    return _about("login", peer)


def turned_away(peer: Peer, why: str) -> AuditEvent:
    """No session. ``peer`` has a name only where an account is called so: people type passwords in the wrong field."""
    return _about("login", peer, why, "failure")


def signed_out(peer: Peer, why: str = "") -> AuditEvent:
    """A session ended: by whom it was of, or by itself (``why``)."""
    return _about("logout", peer, why)


def accounts_changed(before: Sequence[Account], now: Sequence[Account]) -> AuditEvent:
    """Who may sign in is not who might before."""
    old, new = ({each.name: each for each in accounts} for accounts in (before, now))
    both = new.keys() & old.keys()
    about = {
        "kind": "accounts",
        "added": {name: said(new[name].roles) for name in sorted(new.keys() - old.keys())},
        "changed": {name: said(new[name].roles) for name in sorted(both) if new[name].roles != old[name].roles},
        "password": sorted(name for name in both if new[name].password != old[name].password),
        "removed": sorted(old.keys() - new.keys()),
    }
    return AuditEvent("user-changed", object=about)


def _about(event: str, peer: Peer, why: str = "", outcome: str = "success") -> AuditEvent:
    who = {"transport": peer.transport, "address": peer.address, "caller": peer.name}
    return AuditEvent(event, outcome, "", {k: v for k, v in who.items() if v}, {"kind": "session"}, why)
