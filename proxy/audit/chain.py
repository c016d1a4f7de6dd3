"""The audit record and its hash chain. Pure: no file, no clock, no thread.

One record is one line of ASCII: canonical JSON (sorted keys, no blanks, integers and strings only, after RFC 8785) of
everything but the hash, with ``"hash"`` appended as the last member. ``hash = SHA-256(prev || canonical bytes without
hash)``, where ``prev`` is the 32-byte hash of the record before, 32 zero bytes for the first. Non-ASCII and control
characters are JSON-escaped, so a peer's AE title can neither forge a line nor steer a terminal.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from proxy.service.ports import AuditEvent, Concealed

#: 1 had no ``behalf``
VERSION = 2
#: what stands before the first record
GENESIS = "0" * 64
#: a record longer than this is not one of ours
MAX_LINE = 1 << 20

_TAIL = re.compile(rb',"hash":"([0-9a-f]{64})"}')
_TAIL_LENGTH = len(',"hash":""}') + 64


@dataclass(frozen=True, slots=True)
class Position:
    """Where a chain stands: the last record's number and hash. Kept elsewhere, it is an anchor against truncation."""

    seq: int = 0
    hash: str = GENESIS


#: project and original identifier → what is written in its place
Conceal = Callable[[str, str], str]


def hidden(project: str, value: str) -> str:
    """Where there is no key, nothing of an identifier is written at all."""
    return "hidden"


class BadRecord(ValueError):
    """A line is not a record. The text names what is wrong, never what the line says."""


def canonical(record: dict[str, Any], conceal: Conceal = hidden) -> bytes:
    """The one byte form of ``record``. ValueError, TypeError for a value JSON cannot carry exactly."""

    def other(value: object) -> str:
        if isinstance(value, Concealed):
            return conceal(value.project, value.value)
        raise TypeError("a record holds no such value")

    return json.dumps(record, sort_keys=True, separators=(",", ":"), allow_nan=False, default=other).encode("ascii")


def digest(prev: str, body: bytes) -> str:
    """SHA-256 over the previous hash (32 bytes) and the canonical bytes of a record without its hash."""
    return hashlib.sha256(bytes.fromhex(prev) + body).hexdigest()


def stamp(moment: datetime) -> str:
    """A moment as records state it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def seal(
    event: AuditEvent, last: Position, moment: datetime, node: str, conceal: Conceal = hidden
) -> tuple[bytes, Position]:
    """The line (without newline) that records ``event`` after ``last``, and where the chain stands then."""
    record = {
        "v": VERSION,
        "seq": last.seq + 1,
        "ts": stamp(moment),
        "node": node,
        "prev": last.hash,
        "type": event.type,
        "outcome": event.outcome,
        "project": event.project,
        "peer": dict(event.peer),
        "behalf": dict(event.behalf),
        "object": dict(event.object),
        "reason": str(event.reason),
        "policy_digest": event.policy_digest,
        "key_epoch": event.key_epoch,
        "counts": dict(event.counts),
    }
    body = canonical(record, conceal)
    position = Position(last.seq + 1, digest(last.hash, body))
    line = body[:-1] + b',"hash":"' + position.hash.encode("ascii") + b'"}'
    if len(line) >= MAX_LINE:
        raise ValueError("the event is too long for one record")
    return line, position


def unseal(line: bytes) -> tuple[dict[str, Any], Position]:
    """A record and its position, where ``line`` agrees with its own hash and ``prev``; `BadRecord` otherwise."""
    tail = _TAIL.fullmatch(line[-_TAIL_LENGTH:])
    if tail is None:
        raise BadRecord("the line does not end in a hash")
    body = line[:-_TAIL_LENGTH] + b"}"
    try:
        record = json.loads(body)
        prev, seq = record["prev"], record["seq"]
        stated = tail.group(1).decode("ascii")
        genuine = digest(prev, body) == stated
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BadRecord("the line is not a record") from None
    if not isinstance(seq, int) or not isinstance(record.get("node"), str):
        raise BadRecord("the line is not a record")
    if not genuine:
        raise BadRecord("the record does not match its hash")
    return record, Position(seq, stated)
