"""Protocol data units of the DICOM upper layer (PS3.8 9.3): frames, fragments, and the short ones whole.

A-ASSOCIATE-RQ and -AC are in `associate_read` and `associate_write`. Pure. Lengths are judged by a PDU's first six
bytes, before anything else of it is taken.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from proxy.wire.negotiation import Rejection
from proxy.wire.upper_layer_table import Event

#: type, one reserved byte, length of what follows
HEADER_BYTES = 6
#: 128 presentation contexts with every transfer syntax in each make 170 KiB.
ASSOCIATE_BYTES = 256 << 10
#: what one fragment has before its data: item length, context ID, message control header
FRAGMENT_HEADER_BYTES = 6

COMMAND, LAST = 0x01, 0x02

_HEADER = struct.Struct(">BxI")
_FRAGMENT = struct.Struct(">IBB")
_P_DATA = 0x04
_SHORT = 4

#: PDU type → event, and the length that it must have (None: a limit that the caller knows)
_KINDS: dict[int, tuple[Event, int | None]] = {
    0x01: (Event.ASSOCIATE_RQ, None),
    0x02: (Event.ASSOCIATE_AC, None),
    0x03: (Event.ASSOCIATE_RJ, _SHORT),
    _P_DATA: (Event.P_DATA_TF, None),
    0x05: (Event.RELEASE_RQ, _SHORT),
    0x06: (Event.RELEASE_RP, _SHORT),
    0x07: (Event.ABORT_PDU, _SHORT),
}

RELEASE_RQ = bytes.fromhex("050000000004 00000000")
RELEASE_RP = bytes.fromhex("060000000004 00000000")
#: PS3.8 9.3.8: by the service user; by the provider: unexpected PDU, invalid PDU parameter value
ABORT_BY_USER = bytes.fromhex("070000000004 00000000")
ABORT_BY_PROVIDER = bytes.fromhex("070000000004 00000206")


class PduError(ValueError):
    """A PDU's body does not add up. The words carry no value."""


def event_of(head: bytes | bytearray | memoryview, largest: int) -> tuple[Event, int]:
    """What a PDU's first six bytes mean, and how many bytes follow; ``largest``: of P-DATA, in bytes.

    An unknown type or a length that is not allowed is `Event.INVALID_PDU`, with 0 bytes: nothing of it is to be read.
    """
    kind, length = _HEADER.unpack_from(head)
    event, exact = _KINDS.get(kind, (Event.INVALID_PDU, 0))
    limit = largest if event is Event.P_DATA_TF else ASSOCIATE_BYTES
    if event is Event.INVALID_PDU or (length != exact if exact is not None else length > limit):
        return Event.INVALID_PDU, 0
    return event, length


def fragments(body: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """(context ID, message control header, data) for each presentation data value of a P-DATA-TF. Raises `PduError`."""
    at, end = 0, len(body)
    if not end:
        raise PduError("a P-DATA-TF without a fragment")
    while at < end:
        if at + FRAGMENT_HEADER_BYTES > end:
            raise PduError("a fragment's header is cut off")
        length, context, control = _FRAGMENT.unpack_from(body, at)
        last = at + 4 + length
        if length < 2 or last > end:
            raise PduError("a fragment is longer than its PDU")
        yield context, control, body[at + FRAGMENT_HEADER_BYTES : last]
        at = last


def p_data_head(context: int, control: int, size: int) -> bytes:
    """What stands before ``size`` bytes of data in a P-DATA-TF of one fragment."""
    return _HEADER.pack(_P_DATA, size + FRAGMENT_HEADER_BYTES) + _FRAGMENT.pack(size + 2, context, control)


def pdu(kind: int, body: bytes) -> bytes:
    """A PDU of type ``kind``."""
    return _HEADER.pack(kind, len(body)) + body


def reject(rejection: Rejection) -> bytes:
    """A-ASSOCIATE-RJ (PS3.8 9.3.4)."""
    return pdu(0x03, bytes((0, rejection.result, rejection.source, rejection.reason)))


def rejection_in(body: memoryview) -> Rejection:
    """What an A-ASSOCIATE-RJ says; ``body``: its four bytes."""
    return Rejection(body[1], body[2], body[3])
