"""A small DICOM upper layer client (PS3.8) of our own, on a plain socket: an independent peer, free to misbehave.

It sends data sets byte for byte as it is given them and can send any PDU, whole or in part.
"""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

VERIFICATION = "1.2.840.10008.1.1"
IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
_APPLICATION = "1.2.840.10008.3.1.1.1"


class Refused(Exception):
    """The association or the presentation context was not accepted."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status (0000,0900) and Error Comment (0000,0902)."""

    status: int
    comment: str


def split(part10: bytes) -> tuple[str, str, str, bytes]:
    """SOP class, SOP instance and transfer syntax of the file meta information, and the data set's bytes."""
    uids, position = {0x0002: "", 0x0003: "", 0x0010: ""}, 132
    while part10[position : position + 2] == b"\x02\x00":
        number, vr, length = struct.unpack_from("<H2sH", part10, position + 2)
        position += 8
        if vr in (b"OB", b"UN", b"UT"):
            (length,) = struct.unpack_from("<I", part10, position)
            position += 4
        if number in uids:
            uids[number] = part10[position : position + length].decode("ascii").rstrip("\0 ")
        position += length
    return uids[0x0002], uids[0x0003], uids[0x0010], part10[position:]


def _item(kind: int, body: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(body)) + body


def associate_rq(contexts: Sequence[tuple[str, Sequence[str]]], called: str = "VEIL", calling: str = "CT1") -> bytes:
    """An A-ASSOCIATE-RQ PDU (PS3.8 9.3.2); context ids are 1, 3, 5 ..."""
    items = _item(0x10, _APPLICATION.encode())
    for number, (abstract, syntaxes) in enumerate(contexts):
        inner = _item(0x30, abstract.encode()) + b"".join(_item(0x40, s.encode()) for s in syntaxes)
        items += _item(0x20, struct.pack(">BBBB", 2 * number + 1, 0, 0, 0) + inner)
    user = _item(0x51, struct.pack(">I", 16384)) + _item(0x52, b"1.2.3.4.5") + _item(0x55, b"MODALITY")
    head = struct.pack(">HH", 1, 0) + called.ljust(16).encode() + calling.ljust(16).encode() + bytes(32)
    body = head + items + _item(0x50, user)
    return struct.pack(">BBI", 1, 0, len(body)) + body


def p_data(context: int, flags: int, data: bytes) -> bytes:
    """A P-DATA-TF PDU with one value; ``flags`` 1: command, 2: last fragment."""
    value = struct.pack(">IBB", len(data) + 2, context, flags) + data
    return struct.pack(">BBI", 4, 0, len(value)) + value


def command(elements: Iterable[tuple[int, bytes]]) -> bytes:
    """A command set (PS3.7 6.3.1): implicit VR little endian, group length first."""
    body = b"".join(struct.pack("<HHI", 0, number, len(value)) + value for number, value in elements)
    return struct.pack("<HHII", 0, 0, 4, len(body)) + body


def _uid(text: str) -> bytes:
    raw = text.encode()
    return raw + b"\0" * (len(raw) % 2)


def store_rq(sop_class: str, sop_instance: str, message: int = 1) -> bytes:
    """A C-STORE-RQ command set (PS3.7 9.3.1.1)."""
    us = struct.Struct("<H").pack
    return command(
        [
            (0x0002, _uid(sop_class)),
            (0x0100, us(0x0001)),
            (0x0110, us(message)),
            (0x0700, us(0)),
            (0x0800, us(0)),
            (0x1000, _uid(sop_instance)),
        ]
    )


class Modality:
    """One association. ``contexts`` maps each abstract syntax to the transfer syntaxes proposed for it."""

    def __init__(
        self,
        port: int,
        contexts: Sequence[tuple[str, Sequence[str]]],
        called: str = "VEIL",
        timeout: float = 60,
        calling: str = "CT1",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if tls is not None:
                self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
            self.socket.sendall(associate_rq(contexts, called, calling))
            kind, body = self._pdu()
            if kind != 2:
                raise Refused(f"PDU {kind} {body[1:4].hex()}")
        except BaseException:
            self.socket.close()
            raise
        self.accepted = self._accepted(body)
        self._abstract = {a: 2 * n + 1 for n, (a, _) in enumerate(contexts)}

    def store(self, sop_class: str, sop_instance: str, dataset: bytes, context: int = 0, piece: int = 16000) -> Answer:
        """C-STORE ``dataset``; `Refused` without an accepted context, OSError when the peer goes away."""
        context = context or self._abstract[sop_class]
        if context not in self.accepted:
            raise Refused("presentation context")
        pdus = [p_data(context, 3, store_rq(sop_class, sop_instance))]
        starts = range(0, max(len(dataset), 1), piece)
        pdus += [p_data(context, 2 * (at + piece >= len(dataset)), dataset[at : at + piece]) for at in starts]
        self.socket.sendall(b"".join(pdus))
        return self.answer()

    def echo(self) -> Answer:
        """C-ECHO."""
        us = struct.Struct("<H").pack
        rq = command([(0x0002, _uid(VERIFICATION)), (0x0100, us(0x0030)), (0x0110, us(9)), (0x0800, us(0x0101))])
        self.socket.sendall(p_data(self._abstract[VERIFICATION], 3, rq))
        return self.answer()

    def answer(self) -> Answer:
        """Read one response message."""
        data = b""
        while True:
            kind, body = self._pdu()
            if kind != 4:
                raise ConnectionResetError(f"PDU {kind} instead of a response")
            while body:
                (length,) = struct.unpack_from(">I", body)
                flags, data = body[5], data + body[6 : 4 + length]
                body = body[4 + length :]
                if flags & 2:
                    return _parsed(data)

    def release(self) -> None:
        """A-RELEASE and close."""
        try:
            self.socket.sendall(struct.pack(">BBII", 5, 0, 4, 0))
            self._pdu()
        finally:
            self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.socket.close()

    def _pdu(self) -> tuple[int, bytes]:
        kind, _, length = struct.unpack(">BBI", self._exactly(6))
        return kind, self._exactly(length)

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = self.socket.recv(count - len(data))
            if not piece:
                raise ConnectionResetError("closed by the peer")
            data += piece
        return data

    @staticmethod
    def _accepted(body: bytes) -> dict[int, str]:
        accepted, position = {}, 68
        while position < len(body):
            kind, _, length = struct.unpack_from(">BBH", body, position)
            if kind == 0x21 and body[position + 6] == 0:
                accepted[body[position + 4]] = body[position + 12 : position + 4 + length].decode("ascii").rstrip("\0")
            position += 4 + length
        return accepted


def _parsed(data: bytes) -> Answer:
    values, position = {}, 0
    while position < len(data):
        _, number, length = struct.unpack_from("<HHI", data, position)
        values[number] = data[position + 8 : position + 8 + length]
        position += 8 + length
    return Answer(struct.unpack("<H", values[0x0900])[0], values.get(0x0902, b"").decode("ascii").strip())


def c_store(port: int, part10: bytes, called: str = "VEIL", timeout: float = 60) -> Answer:
    """One instance on an association of its own, in its own transfer syntax, byte for byte."""
    sop_class, sop_instance, syntax, dataset = split(part10)
    with Modality(port, [(sop_class, [syntax])], called, timeout) as modality:
        answer = modality.store(sop_class, sop_instance, dataset)
        modality.release()
        return answer


def c_echo(port: int, called: str = "VEIL") -> Answer:
    """C-ECHO on an association of its own."""
    with Modality(port, [(VERIFICATION, [IMPLICIT])], called) as modality:
        answer = modality.echo()
        modality.release()
        return answer
