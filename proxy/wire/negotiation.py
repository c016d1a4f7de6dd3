"""What two application entities agree on before the first message (PS3.8 7.1.1, PS3.7 D.3): values, no bytes.

`associate_read` and `associate_write` are their form on the wire; what is chosen, `proxy.dimse.contexts` says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

#: PS3.8 table 9-18: results of a presentation context
ACCEPTED, USER_REJECTION, NO_REASON, ABSTRACT_NOT_SUPPORTED, SYNTAXES_NOT_SUPPORTED = 0, 1, 2, 3, 4
#: PS3.7 D.3.3.7: user identity types
USERNAME, PASSCODE, KERBEROS, SAML, JWT = 1, 2, 3, 4, 5


@dataclass(frozen=True, slots=True)
class ProposedContext:
    """A SOP class and the transfer syntaxes that the requestor offers for it."""

    id: int
    abstract: str
    syntaxes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Context:
    """An accepted presentation context. ``scu``, ``scp``: the roles of the association's requestor in it."""

    id: int
    abstract: str
    syntax: str
    scu: bool = True
    scp: bool = False


@dataclass(frozen=True, slots=True)
class UserIdentity:
    """PS3.7 D.3.3.7. Never logged: ``primary`` and ``secondary`` are names, passcodes and tokens."""

    kind: int
    primary: bytes = field(repr=False)
    secondary: bytes = field(default=b"", repr=False)
    response_wanted: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """An A-ASSOCIATE-RQ. ``roles``: SOP class → (SCU, SCP); ``largest_pdu``: what its sender receives, 0 for any."""

    called: str
    calling: str
    contexts: tuple[ProposedContext, ...]
    largest_pdu: int = 0
    roles: Mapping[str, tuple[bool, bool]] = field(default_factory=dict)
    window: tuple[int, int] | None = None
    extended: Mapping[str, bytes] = field(default_factory=dict)
    identity: UserIdentity | None = None
    implementation: str = ""
    version: str = ""
    protocol: int = 1


@dataclass(frozen=True, slots=True)
class Acceptance:
    """An A-ASSOCIATE-AC. ``results``: context ID → (result, transfer syntax), as many as were proposed."""

    results: Mapping[int, tuple[int, str]]
    largest_pdu: int = 0
    roles: Mapping[str, tuple[bool, bool]] = field(default_factory=dict)
    window: tuple[int, int] | None = None
    extended: Mapping[str, bytes] = field(default_factory=dict)
    identity_response: bytes | None = None
    implementation: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Rejection:
    """An A-ASSOCIATE-RJ: result, source and reason of PS3.8 table 9-21."""

    result: int
    source: int
    reason: int


NO_REASON_GIVEN = Rejection(1, 1, 1)
CALLING_AE_UNKNOWN = Rejection(1, 1, 3)
CALLED_AE_UNKNOWN = Rejection(1, 1, 7)
CONTEXT_NAME_UNKNOWN = Rejection(1, 1, 2)
PROTOCOL_UNKNOWN = Rejection(1, 2, 2)
STOPPING = Rejection(2, 1, 1)
CONGESTION = Rejection(2, 3, 1)
LOCAL_LIMIT = Rejection(2, 3, 2)


def accepted(request: Request, acceptance: Acceptance) -> dict[int, Context]:
    """The contexts that both sides have agreed on, by ID; a role holds where it was both proposed and accepted."""
    found: dict[int, Context] = {}
    for proposed in request.contexts:
        result, syntax = acceptance.results.get(proposed.id, (NO_REASON, ""))
        if result != ACCEPTED or syntax not in proposed.syntaxes:
            continue
        wanted = request.roles.get(proposed.abstract)
        told = acceptance.roles.get(proposed.abstract)
        scu, scp = (True, False) if wanted is None or told is None else (wanted[0] and told[0], wanted[1] and told[1])
        found[proposed.id] = Context(proposed.id, proposed.abstract, syntax, scu, scp)
    return found
