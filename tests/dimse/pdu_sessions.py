"""Sessions as well-behaved peers have them, and what becomes of them when bits, lengths and PDUs are changed."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from io import BytesIO

from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import CTImageStorage

from proxy.wire import dimse_pdu
from proxy.wire.associate_write import write_acceptance, write_request
from proxy.wire.command import C_ECHO_RQ, C_FIND_RQ, C_STORE_RQ, N_EVENT_REPORT_RQ, RESPONSE, Command
from proxy.wire.messages import split
from proxy.wire.negotiation import JWT, Acceptance, ProposedContext, Rejection, Request, UserIdentity

VERIFICATION, FIND = "1.2.840.10008.1.1", "1.2.840.10008.5.1.4.1.2.2.1"
IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
CT = str(CTImageStorage)
PDU = 16384
REQUEST = Request(
    "VEIL",
    "MODALITY",
    (
        ProposedContext(1, VERIFICATION, (IMPLICIT,)),
        ProposedContext(3, CT, (EXPLICIT, IMPLICIT)),
        ProposedContext(5, FIND, (IMPLICIT,)),
    ),
    PDU,
    {CT: (True, True)},
    (4, 4),
    {FIND: b"\x01\x00"},
    UserIdentity(JWT, b"header.body.signature", b"", True),
    "1.2.3.4",
    "FUZZ",
)
ACCEPTANCE = Acceptance(
    {1: (0, IMPLICIT), 3: (0, EXPLICIT), 5: (0, IMPLICIT)},
    PDU,
    {CT: (True, True)},
    (1, 1),
    {FIND: b"\x01\x00"},
    b"yes",
    "1.2.3.5",
    "PEER",
)
#: lengths and numbers that have hurt others
_NUMBERS = (0, 1, 2, 3, 5, 6, 7, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFFF)

Session = list[bytes]


def message(context: int, command: Command, data: bytes | None = None) -> Session:
    """P-DATA-TF PDUs of one message."""
    parts = list(split(context, True, memoryview(command.encode(data is not None)), PDU))
    if data is not None:
        parts += split(context, False, memoryview(data), PDU)
    return [bytes(head) + bytes(part) for head, part in zip(parts[::2], parts[1::2], strict=True)]


def _small_ct() -> bytes:
    path = get_testdata_file("CT_small.dcm")
    assert isinstance(path, str)
    stream = DicomBytesIO()
    stream.is_little_endian, stream.is_implicit_VR = True, False
    write_dataset(stream, dcmread(path))
    return stream.getvalue()


def _identifier(level: str) -> bytes:
    keys, stream = Dataset(), DicomBytesIO()
    keys.QueryRetrieveLevel, keys.PatientID, keys.StudyInstanceUID = level, "*", ""
    stream.is_little_endian, stream.is_implicit_VR = True, True
    write_dataset(stream, keys)
    return stream.getvalue()


def asking() -> list[Session]:
    """What a requestor sends."""
    hello, goodbye = [write_request(REQUEST)], [dimse_pdu.RELEASE_RQ]
    echo = message(1, Command(C_ECHO_RQ, MessageID=1, AffectedSOPClassUID=VERIFICATION))
    what = {"AffectedSOPClassUID": CT, "AffectedSOPInstanceUID": "1.2.3.4", "Priority": 0}
    store = message(3, Command(C_STORE_RQ, MessageID=2, **what), _small_ct())
    find = message(5, Command(C_FIND_RQ, MessageID=3, Priority=0, AffectedSOPClassUID=FIND), _identifier("STUDY"))
    return [
        hello + echo + goodbye,
        hello + echo + store + goodbye,
        hello + find + echo + goodbye,
        hello + store[:2] + [dimse_pdu.ABORT_BY_USER],
        hello + find + store + find + echo + goodbye,
    ]


def answering() -> list[Session]:
    """What an acceptor says to C-ECHO, C-STORE, C-FIND and a release; one reports an event in between."""
    hello, goodbye = [write_acceptance(REQUEST, ACCEPTANCE)], [dimse_pdu.RELEASE_RP]
    echo = message(1, Command(C_ECHO_RQ | RESPONSE, MessageIDBeingRespondedTo=1, Status=0))
    store = message(3, Command(C_STORE_RQ | RESPONSE, MessageIDBeingRespondedTo=2, Status=0, ErrorComment="fine"))
    pending = message(
        5, Command(C_FIND_RQ | RESPONSE, MessageIDBeingRespondedTo=3, Status=0xFF00), _identifier("STUDY")
    )
    last = message(5, Command(C_FIND_RQ | RESPONSE, MessageIDBeingRespondedTo=3, Status=0))
    event = message(5, Command(N_EVENT_REPORT_RQ, MessageID=9, EventTypeID=1), _identifier("STUDY"))
    return [
        hello + echo + store + pending + pending + last + goodbye,
        hello + echo + event + store + pending + last + goodbye,
        hello + echo + store + pending + [dimse_pdu.RELEASE_RQ, *goodbye],
        [dimse_pdu.reject(Rejection(1, 1, 7))],
    ]


def _bits(chance: random.Random, session: Session) -> None:
    """Flip some, mostly where lengths and types are."""
    for _ in range(chance.choice((1, 1, 2, 8))):
        n = chance.randrange(len(session))
        changed = bytearray(session[n])
        if changed:
            at = chance.randrange(min(len(changed), chance.choice((6, 12, 120, 1 << 20))))
            changed[at] ^= 1 << chance.randrange(8)
            session[n] = bytes(changed)


def _number(chance: random.Random, session: Session) -> None:
    n = chance.randrange(len(session))
    form = chance.choice((">I", ">H", "<I", "<H"))
    size = struct.calcsize(form)
    at = chance.choice((2, 6, 8, 12, 20, chance.randrange(max(1, min(len(session[n]), 400)))))
    number = chance.choice(_NUMBERS) & ((1 << 8 * size) - 1)
    session[n] = session[n][:at] + struct.pack(form, number) + session[n][at + size :]


def _cut(chance: random.Random, session: Session) -> None:
    n = chance.randrange(len(session))
    session[n] = session[n][: chance.randrange(len(session[n]) + 1)]


def _twice(chance: random.Random, session: Session) -> None:
    session.insert(chance.randrange(len(session) + 1), chance.choice(session))


def _order(chance: random.Random, session: Session) -> None:
    n, m = chance.randrange(len(session)), chance.randrange(len(session))
    session[n], session[m] = session[m], session[n]


def _less(chance: random.Random, session: Session) -> None:
    if len(session) > 1:
        del session[chance.randrange(len(session))]


def _noise(chance: random.Random, session: Session) -> None:
    n = chance.randrange(len(session))
    at = chance.randrange(len(session[n]) + 1)
    session[n] = session[n][:at] + chance.randbytes(chance.choice((1, 2, 4, 64, 5000))) + session[n][at:]


def _splice(chance: random.Random, session: Session) -> None:
    """The beginning of one PDU with the end of another."""
    n, m = chance.randrange(len(session)), chance.randrange(len(session))
    session[n] = (
        session[n][: chance.randrange(len(session[n]) + 1)] + session[m][chance.randrange(len(session[m]) + 1) :]
    )


_CHANGES: tuple[Callable[[random.Random, Session], None], ...] = (
    _bits, _bits, _number, _number, _cut, _twice, _order, _less, _noise, _splice,
)  # fmt: skip


def mutated(chance: random.Random, sessions: list[Session]) -> Session:
    """One of ``sessions``, changed in one to four ways."""
    session = list(chance.choice(sessions))
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        chance.choice(_CHANGES)(chance, session)
    return session


def reads(chance: random.Random, data: bytes) -> Iterator[bytes]:
    """``data`` as a socket may give it."""
    stream, size = BytesIO(data), chance.choice((1 << 20, 1 << 20, 1 << 20, 20_000, 2000, 300))
    while part := stream.read(chance.randrange(1, size + 1)):
        yield part
