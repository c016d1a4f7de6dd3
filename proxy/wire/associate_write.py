"""A-ASSOCIATE-RQ and -AC to bytes (PS3.8 9.3.2, 9.3.3, PS3.7 D.3.3). Pure; the other half is `associate_read`."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from proxy.wire.associate_read import APPLICATION_CONTEXT
from proxy.wire.dimse_pdu import pdu
from proxy.wire.negotiation import Acceptance, Request, UserIdentity


def write_request(request: Request) -> bytes:
    """The whole PDU."""
    items = [_item(0x10, APPLICATION_CONTEXT.encode())]
    for context in request.contexts:
        inner = _item(0x30, context.abstract.encode())
        inner += b"".join(_item(0x40, syntax.encode()) for syntax in context.syntaxes)
        items.append(_item(0x20, bytes((context.id, 0, 0, 0)) + inner))
    user = _common(request)
    if request.identity is not None:
        user += _identity(request.identity)
    return _associate(0x01, request.called, request.calling, b"".join(items), user)


def write_acceptance(request: Request, acceptance: Acceptance) -> bytes:
    """The whole PDU; ``request`` is what it answers, whose AE titles it repeats."""
    items = [_item(0x10, APPLICATION_CONTEXT.encode())]
    for number, (result, syntax) in acceptance.results.items():
        items.append(_item(0x21, bytes((number, 0, result, 0)) + _item(0x40, syntax.encode())))
    user = _common(acceptance)
    if acceptance.identity_response is not None:
        user += _item(0x59, _counted(acceptance.identity_response))
    return _associate(0x02, request.called, request.calling, b"".join(items), user)


def _associate(kind: int, called: str, calling: str, items: bytes, user: bytes) -> bytes:
    titles = called.encode("ascii").ljust(16)[:16], calling.encode("ascii").ljust(16)[:16]
    fixed = struct.pack(">HH16s16s32x", 1, 0, *titles)
    return pdu(kind, fixed + items + _item(0x50, user))


def _common(side: Request | Acceptance) -> bytes:
    user = _item(0x51, struct.pack(">I", side.largest_pdu)) + _item(0x52, side.implementation.encode())
    if side.window is not None:
        user += _item(0x53, struct.pack(">HH", *side.window))
    user += _roles(side.roles)
    if side.version:
        user += _item(0x55, side.version.encode())
    for uid, information in side.extended.items():
        user += _item(0x56, _counted(uid.encode()) + information)
    return user


def _roles(roles: Mapping[str, tuple[bool, bool]]) -> bytes:
    return b"".join(_item(0x54, _counted(uid.encode()) + bytes((scu, scp))) for uid, (scu, scp) in roles.items())


def _identity(identity: UserIdentity) -> bytes:
    head = bytes((identity.kind, identity.response_wanted))
    return _item(0x58, head + _counted(identity.primary) + _counted(identity.secondary))


def _counted(value: bytes) -> bytes:
    return struct.pack(">H", len(value)) + value


def _item(kind: int, body: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(body)) + body
