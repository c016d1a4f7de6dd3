"""A-ASSOCIATE-RQ and -AC from bytes (PS3.8 9.3.2, 9.3.3, PS3.7 D.3.3), from a peer whom nobody knows yet.

Counts are bounded before anything is kept: who sends 256 KiB of empty items is told off within a millisecond or so
(a general decoder takes 90). Items that no standard knows are passed over. Pure; raises `PduError`, without values.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from proxy.wire.dimse_pdu import PduError
from proxy.wire.negotiation import Acceptance, ProposedContext, Request, UserIdentity

#: PS3.8 9.3.2.2: odd IDs from 1 to 255
MOST_CONTEXTS = 128
#: PS3.6 has seventy transfer syntaxes
_MOST_SYNTAXES, _MOST_SYNTAXES_IN_ALL = 256, 128 * 72
_MOST_ITEMS = 1024
APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"

_FIXED = struct.Struct(">HH16s16s32x")
_ITEM = struct.Struct(">BxH")
_U16 = struct.Struct(">H")
_U32 = struct.Struct(">I")

Item = tuple[int, memoryview]


class OtherApplication(PduError):
    """Somebody who does not want to speak DICOM: rejected, where other errors abort."""


@dataclass(slots=True)
class _User:
    """User information (0x50), of either PDU."""

    largest_pdu: int = 0
    implementation: str = ""
    version: str = ""
    window: tuple[int, int] | None = None
    roles: dict[str, tuple[bool, bool]] = field(default_factory=dict)
    extended: dict[str, bytes] = field(default_factory=dict)
    identity: UserIdentity | None = None
    identity_response: bytes | None = None


def read_request(body: memoryview) -> Request:
    """An A-ASSOCIATE-RQ; ``body``: what follows its six bytes of header."""
    protocol, called, calling = _fixed(body)
    application, contexts, user, syntaxes = "", [], _User(), 0
    for kind, value in _items(body[_FIXED.size :], MOST_CONTEXTS + 16):
        if kind == 0x10:
            application = _text(value)
        elif kind == 0x20:
            contexts.append(_proposed(value))
            syntaxes += len(contexts[-1].syntaxes)
            if syntaxes > _MOST_SYNTAXES_IN_ALL:
                raise PduError("too many transfer syntaxes")
        elif kind == 0x50:
            user = _user(value)
    ids = {context.id for context in contexts}
    if application != APPLICATION_CONTEXT:
        raise (OtherApplication if application else PduError)("not the DICOM application context")
    if not contexts or len(contexts) > MOST_CONTEXTS or len(ids) != len(contexts):
        raise PduError("no presentation context, too many, or one ID twice")
    return Request(
        called,
        calling,
        tuple(contexts),
        user.largest_pdu,
        user.roles,
        user.window,
        user.extended,
        user.identity,
        user.implementation,
        user.version,
        protocol,
    )


def read_acceptance(body: memoryview) -> Acceptance:
    """An A-ASSOCIATE-AC; ``body``: what follows its six bytes of header."""
    _fixed(body)
    results: dict[int, tuple[int, str]] = {}
    user = _User()
    for kind, value in _items(body[_FIXED.size :], MOST_CONTEXTS + 16):
        if kind == 0x21:
            number, result, syntax = _answered(value)
            results[number] = (result, syntax)
        elif kind == 0x50:
            user = _user(value)
    return Acceptance(
        results,
        user.largest_pdu,
        user.roles,
        user.window,
        user.extended,
        user.identity_response,
        user.implementation,
        user.version,
    )


def _fixed(body: memoryview) -> tuple[int, str, str]:
    if len(body) < _FIXED.size:
        raise PduError("shorter than its fixed fields")
    protocol, _, called, calling = _FIXED.unpack_from(body)
    return protocol, _title(called), _title(calling)


def _items(body: memoryview, most: int) -> Iterator[Item]:
    at, end = 0, len(body)
    while at < end:
        if at + 4 > end or most <= 0:
            raise PduError("an item is cut off, or there are too many")
        kind, length = _ITEM.unpack_from(body, at)
        at += 4
        if at + length > end:
            raise PduError("an item is longer than what holds it")
        yield kind, body[at : at + length]
        at += length
        most -= 1


def _proposed(value: memoryview) -> ProposedContext:
    if len(value) < 4 or not value[0] % 2:
        raise PduError("a presentation context with an even ID, or none")
    abstract, syntaxes = "", []
    for kind, inner in _items(value[4:], _MOST_SYNTAXES):
        if kind == 0x30:
            abstract = _text(inner)
        elif kind == 0x40:
            syntaxes.append(_text(inner))
    if not abstract or not syntaxes:
        raise PduError("a presentation context without a SOP class or a transfer syntax")
    return ProposedContext(value[0], abstract, tuple(syntaxes))


def _answered(value: memoryview) -> tuple[int, int, str]:
    if len(value) < 4:
        raise PduError("a presentation context is cut off")
    # the transfer syntax of a context that was refused means nothing, and some peers leave it out (PS3.8 9.3.3.2)
    syntax = next((_text(inner) for kind, inner in _items(value[4:], 4) if kind == 0x40), "")
    return value[0], value[2], syntax


def _user(value: memoryview) -> _User:
    user = _User()
    try:
        for kind, inner in _items(value, _MOST_ITEMS):
            _take(user, kind, inner)
    except (struct.error, IndexError):
        raise PduError("user information is cut off") from None
    return user


def _take(user: _User, kind: int, value: memoryview) -> None:
    match kind:
        case 0x51:
            (user.largest_pdu,) = _U32.unpack(value)
        case 0x52:
            user.implementation = _text(value)
        case 0x53:
            invoked, performed = struct.unpack(">HH", value)
            user.window = (invoked, performed)
        case 0x54:
            uid, rest = _counted(value)
            user.roles[_text(uid)] = (rest[0] == 1, rest[1] == 1)
        case 0x55:
            user.version = bytes(value).decode("ascii", "replace").strip(" \0")
        case 0x56:
            uid, rest = _counted(value)
            user.extended[_text(uid)] = bytes(rest)
        case 0x58:
            primary, rest = _counted(value[2:])
            secondary, _ = _counted(rest)
            user.identity = UserIdentity(value[0], bytes(primary), bytes(secondary), value[1] == 1)
        case 0x59:
            user.identity_response = bytes(_counted(value)[0])


def _counted(value: memoryview) -> tuple[memoryview, memoryview]:
    """What two bytes of length announce, and what comes after it."""
    (length,) = _U16.unpack_from(value)
    if 2 + length > len(value):
        raise PduError("user information is cut off")
    return value[2 : 2 + length], value[2 + length :]


def _text(value: memoryview) -> str:
    if len(value) > 64:
        raise PduError("a UID has 64 characters at most")
    try:
        return str(value, "ascii").strip(" \0")
    except UnicodeDecodeError:
        raise PduError("a UID that is not ASCII") from None


def _title(value: bytes) -> str:
    try:
        return value.decode("ascii").strip(" \0")
    except UnicodeDecodeError:
        raise PduError("an AE title that is not ASCII") from None
