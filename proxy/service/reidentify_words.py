"""What officers sign: a request, an approval, a call for the value. Canonical JSON, read strictly. No I/O, no clock.

Members are words, numbers and pseudonyms, so that all of it may be recorded; the purpose is one of a few words, because
free text would hold names.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from proxy.errors import VeilError

PURPOSES = ("treatment", "incidental-finding", "safety", "subject-request", "legal", "quality")
STEPS = REQUEST, APPROVE, REVEAL = "request", "approve", "reveal"
#: the same for many patients at once, whose list comes attached
EXPORTS = EXPORT, APPROVE_EXPORT, COLLECT = "export", "approve-export", "collect"
_MOST = 4096
_BEYOND = 1 << 53  # no number of a statement is negative, or larger than JSON is sure to carry
#: what may stand where a ticket is named: no blanks, so that nobody writes a sentence
TICKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/#-]{0,31}")
_ID = re.compile(r"[0-9a-f]{32}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_COMMON = {"action": str, "project": str, "by": str, "at": int}
_WHY = {"purpose": str, "ticket": str, "hours": int, "nonce": str}
_MEMBERS: dict[str, dict[str, type]] = {
    REQUEST: {"pseudonyms": list, **_WHY},
    APPROVE: {"request": str, "entry": str, "share": list},
    REVEAL: {"request": str},
    EXPORT: {"list": str, "patients": int, **_WHY},
    APPROVE_EXPORT: {"request": str, "entries": str, "shares": str},
    COLLECT: {"request": str},
}
#: what members that are texts look like
_SHAPES = {
    **dict.fromkeys(("nonce", "request"), _ID),
    **dict.fromkeys(("entry", "entries", "list", "shares"), _DIGEST),
    "ticket": TICKET,
}

#: reason → what says so over HTTP; 409 for those that are not here
STATUS = {
    **dict.fromkeys(("malformed", "bulk", "stale", "too-long", "too-large", "attachment"), HTTPStatus.BAD_REQUEST),
    **dict.fromkeys(
        ("self-approval", "unknown-officer", "bad-signature", "another-account", "not-the-requester"),
        HTTPStatus.FORBIDDEN,
    ),
    **dict.fromkeys(("no-such-request", "no-such-patient"), HTTPStatus.NOT_FOUND),
    **dict.fromkeys(("too-many", "too-often"), HTTPStatus.TOO_MANY_REQUESTS),
    "expired": HTTPStatus.GONE,
}


class Refused(VeilError):
    """Not done, and recorded. ``reason``: a code of docs/reidentification.md."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"refused: {reason}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Message:
    """A statement as it was signed, and the signature in hexadecimal.

    ``attached``: what the statement has the SHA-256 of: the list of an export, or the shares of its approval.
    """

    statement: str
    signature: str
    attached: str = ""


def written(action: str, **members: Any) -> str:
    """The canonical text of a statement."""
    return canonical({"action": action, **members})


def canonical(value: Any) -> str:
    """As JSON in the one way that counts."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def digest(text: str) -> str:
    """SHA-256, in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def read(action: str, statement: str) -> Mapping[str, Any]:
    """The members of a statement of ``action``; `Refused` for what is not exactly one, in its canonical text."""
    said = _parsed(statement)
    wanted = _COMMON | _MEMBERS[action]
    if not isinstance(said, dict) or said.keys() != wanted.keys() or said["action"] != action:
        raise Refused("malformed")
    if any(type(said[name]) is not kind for name, kind in wanted.items()) or not _sound(said):
        raise Refused("malformed")
    if canonical(said) != statement:
        raise Refused("malformed")
    return said


def asked_in(statement: str) -> Mapping[str, Any]:
    """The members of a request, for one patient or many."""
    said = _parsed(statement)
    many = isinstance(said, dict) and said.get("action") == EXPORT
    return read(EXPORT if many else REQUEST, statement)


def _parsed(statement: str) -> Any:
    try:
        return json.loads(statement) if len(statement) <= _MOST else None
    except (ValueError, RecursionError):
        return None


def request_id(statement: str) -> str:
    """What a request is called: the same statement is the same request."""
    return digest(statement)[:32]


def sealed_for(request: str, key_id: str) -> bytes:
    """What an approver's share is bound to when it is sealed anew: one request of one requester."""
    return f"veil/v1/reidentify/{request}/{key_id}".encode()


def _sound(said: Mapping[str, Any]) -> bool:
    if "purpose" in said and said["purpose"] not in PURPOSES:
        return False
    if any(type(value) is int and not 0 <= value < _BEYOND for value in said.values()):
        return False
    if any(not shape.fullmatch(said[name]) for name, shape in _SHAPES.items() if name in said):
        return False
    share = said.get("share", [0, ""])
    shaped = len(share) == 2 and type(share[0]) is int and type(share[1]) is str
    return shaped and all(_name(one) for one in said.get("pseudonyms", ()))


def _name(pseudonym: object) -> bool:
    return type(pseudonym) is str and pseudonym.isprintable()
