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
_MOST = 4096
#: what may stand where a ticket is named: no blanks, so that nobody writes a sentence
TICKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/#-]{0,31}")
_ID = re.compile(r"[0-9a-f]{32}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_COMMON = {"action": str, "project": str, "by": str, "at": int}
_MEMBERS: dict[str, dict[str, type]] = {
    REQUEST: {"pseudonyms": list, "purpose": str, "ticket": str, "hours": int, "nonce": str},
    APPROVE: {"request": str, "entry": str, "share": list},
    REVEAL: {"request": str},
}

#: reason → what says so over HTTP; 409 for those that are not here
STATUS = {
    **dict.fromkeys(("malformed", "bulk", "stale", "too-long"), HTTPStatus.BAD_REQUEST),
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
    """A statement as it was signed, and the signature in hexadecimal."""

    statement: str
    signature: str


def written(action: str, **members: Any) -> str:
    """The canonical text of a statement."""
    return json.dumps({"action": action, **members}, sort_keys=True, separators=(",", ":"))


def read(action: str, statement: str) -> Mapping[str, Any]:
    """The members of a statement of ``action``; `Refused` for what is not exactly one."""
    try:
        said = json.loads(statement) if len(statement) <= _MOST else None
    except (ValueError, RecursionError):
        said = None
    wanted = _COMMON | _MEMBERS[action]
    if not isinstance(said, dict) or said.keys() != wanted.keys() or said["action"] != action:
        raise Refused("malformed")
    if any(type(said[name]) is not kind for name, kind in wanted.items()) or not _sound(said):
        raise Refused("malformed")
    return said


def request_id(statement: str) -> str:
    """What a request is called: the same statement is the same request."""
    return hashlib.sha256(statement.encode()).hexdigest()[:32]


def sealed_for(request: str, key_id: str) -> bytes:
    """What an approver's share is bound to when it is sealed anew: one request of one requester."""
    return f"veil/v1/reidentify/{request}/{key_id}".encode()


def _sound(said: Mapping[str, Any]) -> bool:
    if said["action"] == REQUEST:
        words = said["purpose"] in PURPOSES and TICKET.fullmatch(said["ticket"])
        return bool(words and _ID.fullmatch(said["nonce"]) and all(_name(one) for one in said["pseudonyms"]))
    if said["action"] == APPROVE:
        share = said["share"]
        shaped = len(share) == 2 and type(share[0]) is int and type(share[1]) is str
        return bool(shaped and _DIGEST.fullmatch(said["entry"]) and _ID.fullmatch(said["request"]))
    return bool(_ID.fullmatch(said["request"]))


def _name(pseudonym: object) -> bool:
    return type(pseudonym) is str and pseudonym.isprintable()
