"""What the proxy and a worker say to each other over their socket pair: length-prefixed frames, a descriptor beside.

The worker reads its parent's pickles; the parent reads nothing but plain values from a worker (no class can be named
in a reply), since a worker has run foreign bytes through parsers and codecs. Large replacements (a re-deflated data
set) do not pass the socket: they come in a sealed memfd. Blocking; a socket time-out is the caller's deadline.
"""

from __future__ import annotations

import array
import fcntl
import io
import os
import pickle
import socket
import struct
from dataclasses import astuple, dataclass
from typing import Any, NoReturn

from proxy.deid.types import Chunk, Claimed, Original, Report, Slice
from proxy.deid.verify import Release
from proxy.errors import Reason
from proxy.service.ports import Held, Released, Verdict

_LENGTH = struct.Struct(">Q")
#: a reply's frame; whatever is larger comes by descriptor
MAX_FRAME = 64 << 20
#: chunks from this size on come by descriptor
SPILL = 256 << 10
#: what unpickling and unpacking of nonsense can raise
_BROKEN = (AttributeError, ImportError, IndexError, KeyError, MemoryError, OverflowError, TypeError, ValueError)
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


class ProtocolError(Exception):
    """The other side said something that makes no sense."""


@dataclass(frozen=True, slots=True)
class Job:
    """One instance for a worker; its bytes come as the descriptor beside the frame."""

    project: str
    claimed: Claimed
    size: int


@dataclass(frozen=True, slots=True)
class Reply:
    """A verdict and the worker's resident memory afterwards, in bytes."""

    verdict: Verdict
    resident: int


def send(sock: socket.socket, value: object, fd: int = -1) -> None:
    """One frame, with ``fd`` beside its first bytes if there is one."""
    body = pickle.dumps(value, protocol=5)
    head = _LENGTH.pack(len(body))
    sent = socket.send_fds(sock, [head], [fd]) if fd >= 0 else sock.send(head)
    sock.sendall(head[sent:])
    sock.sendall(body)


def receive(sock: socket.socket, *, plain: bool, most: int = MAX_FRAME) -> tuple[Any, int]:
    """The next frame's value and the descriptor that came with it (-1: none). EOFError when the other side is gone.

    ``plain``: refuse everything but builtin values.
    """
    head, fd = _head(sock)
    try:
        (length,) = _LENGTH.unpack(head + _exactly(sock, _LENGTH.size - len(head)))
        if length > most:
            raise ProtocolError(f"a frame of {length} bytes")
        body = _exactly(sock, length)
        return (_plain(body) if plain else pickle.loads(body)), fd  # noqa: S301 - from our parent, see the file's head
    except BaseException:
        if fd >= 0:
            os.close(fd)
        raise


def _head(sock: socket.socket) -> tuple[bytes, int]:
    """The first bytes of a frame, and its descriptor."""
    fds = array.array("i")
    data, ancillary, _, _ = sock.recvmsg(_LENGTH.size, socket.CMSG_LEN(fds.itemsize), socket.MSG_CMSG_CLOEXEC)
    for level, kind, raw in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(raw[: len(raw) - len(raw) % fds.itemsize])
    if not data:
        raise EOFError
    return data, fds[0] if fds else -1


def _plain(body: bytes) -> Any:
    try:
        return _PlainUnpickler(io.BytesIO(body)).load()
    except (pickle.UnpicklingError, EOFError, *_BROKEN) as error:
        raise ProtocolError(type(error).__name__) from None


def _exactly(sock: socket.socket, length: int) -> bytes:
    pieces, missing = [], length
    while missing:
        piece = sock.recv(min(missing, 1 << 20))
        if not piece:
            raise EOFError
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> NoReturn:
        raise ProtocolError("a reply names a class")


def send_reply(sock: socket.socket, reply: Reply) -> None:
    """The worker's side: ``reply`` as plain values, large chunks in a sealed memfd."""
    verdict = reply.verdict
    if isinstance(verdict, Held):
        original = _plain_original(verdict.original)
        send(sock, (reply.resident, "held", (str(verdict.reason), verdict.detail, original, verdict.milliseconds)))
        return
    chunks, fd = _spilled(verdict.chunks)
    try:
        report = {name: getattr(verdict.report, name) for name in Report.__dataclass_fields__}
        report["counts"] = dict(verdict.report.counts)
        original = _plain_original(verdict.original)
        body = (astuple(verdict.release), chunks, original, report, verdict.milliseconds)
        send(sock, (reply.resident, "released", body), fd)
    finally:
        if fd >= 0:
            os.close(fd)


def receive_reply(sock: socket.socket, most: int) -> Reply:
    """The parent's side. ``most``: bytes that may come by descriptor. `ProtocolError` for what is no reply."""
    value, fd = receive(sock, plain=True)
    try:
        resident, kind, body = value
        if kind == "held":
            reason, detail, original, spent = body
            return Reply(Held(Reason(reason), detail, _original(original), spent), resident)
        release, chunks, original, report, spent = body
        pieces = _unspilled(chunks, fd, most)
        whose = _original(original)
        if kind != "released" or whose is None:
            raise ProtocolError("an unknown verdict")
        return Reply(Released(Release(*release), pieces, whose, Report(**report), spent), resident)
    except (*_BROKEN, OSError) as error:
        raise ProtocolError(type(error).__name__) from None
    finally:
        if fd >= 0:
            os.close(fd)


def _plain_original(original: Original | None) -> tuple[str, ...] | None:
    return None if original is None else astuple(original)


def _original(plain: tuple[str, ...] | None) -> Original | None:
    return None if plain is None else Original(*plain)


def _spilled(chunks: tuple[Chunk, ...]) -> tuple[list[tuple[str, Any, Any]], int]:
    """Chunks as ``("slice", offset, length)``, ``("bytes", data, 0)`` or ``("file", offset, length)``, and the file."""
    plain: list[tuple[str, Any, Any]] = []
    fd, end = -1, 0
    for chunk in chunks:
        if isinstance(chunk, Slice):
            plain.append(("slice", chunk.offset, chunk.length))
        elif len(chunk) < SPILL:
            plain.append(("bytes", bytes(chunk), 0))
        else:
            if fd < 0:
                fd = os.memfd_create("veil-reply", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
            _write(fd, chunk)
            plain.append(("file", end, len(chunk)))
            end += len(chunk)
    return plain, fd


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _unspilled(chunks: list[tuple[str, Any, Any]], fd: int, most: int) -> tuple[Chunk, ...]:
    if fd >= 0:
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)  # refused while a worker could still write to it
        if os.fstat(fd).st_size > most:
            raise ProtocolError("more bytes than a worker can have made")
    pieces: list[Chunk] = []
    for kind, first, second in chunks:
        if kind == "slice":
            pieces.append(Slice(first, second))
        elif kind == "bytes":
            pieces.append(first)
        else:
            pieces.append(_read(fd, first, second))
    return tuple(pieces)


def _read(fd: int, offset: int, length: int) -> bytes:
    if fd < 0 or length > os.fstat(fd).st_size:
        raise ProtocolError("a chunk that was not sent")
    pieces = []
    while length:
        piece = os.pread(fd, min(length, 64 << 20), offset)
        if not piece:
            raise ProtocolError("a chunk that was not sent")
        pieces.append(piece)
        offset, length = offset + len(piece), length - len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
