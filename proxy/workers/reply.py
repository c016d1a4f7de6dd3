"""A worker's reply as plain values, and back: the verdict, and how much memory the worker has afterwards.

Large replacements (a re-deflated data set) do not pass the socket as a pickle: they come in a memfd that the parent
seals before it reads, so that a worker which went wrong can neither change nor shrink it any more.
"""

from __future__ import annotations

import fcntl
import os
import socket
from dataclasses import astuple, dataclass
from typing import Any

from proxy.deid.device import Device
from proxy.deid.pixels.rendering import Rendered
from proxy.deid.previewed import Previewed
from proxy.deid.release import Release
from proxy.deid.types import Chunk, Original, Report, Slice
from proxy.errors import Reason
from proxy.service.ports import Held, Released, Verdict
from proxy.workers import previewing
from proxy.workers.describing import Outcome, plain, restored
from proxy.workers.protocol import BROKEN, ProtocolError, receive, send

#: chunks from this size on come by descriptor
SPILL = 256 << 10
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


#: a verdict, a picture, descriptions or a preview
Answer = Verdict | Rendered | Previewed | list[Outcome]


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one job, and the worker's resident memory afterwards, in bytes."""

    verdict: Answer
    resident: int


def send_reply(sock: socket.socket, reply: Reply) -> None:
    """The worker's side: ``reply`` as plain values, large chunks in a sealed memfd."""
    verdict = reply.verdict
    if isinstance(verdict, Held):
        original = _plain_original(verdict.original)
        device = astuple(verdict.device) if verdict.device is not None else None
        body = (str(verdict.reason), verdict.detail, original, verdict.milliseconds, device)
        send(sock, (reply.resident, "held", body))
        return
    if isinstance(verdict, list):
        send(sock, (reply.resident, "described", plain(verdict)))
        return
    chunks, fd = _spilled(_chunks(verdict))
    try:
        if isinstance(verdict, Previewed):
            send(sock, (reply.resident, "previewed", (previewing.plain(verdict), chunks)), fd)
            return
        if isinstance(verdict, Rendered):
            send(sock, (reply.resident, "rendered", (verdict.frames, verdict.uids, chunks, verdict.missing)), fd)
            return
        report = {name: getattr(verdict.report, name) for name in Report.__dataclass_fields__}
        report["counts"] = dict(verdict.report.counts)
        original = _plain_original(verdict.original)
        told = (astuple(verdict.release), chunks, original, report, verdict.milliseconds)
        send(sock, (reply.resident, "released", told), fd)
    finally:
        if fd >= 0:
            os.close(fd)


def receive_reply(sock: socket.socket, most: int) -> Reply:
    """The parent's side. ``most``: bytes that may come by descriptor. `ProtocolError` for what is no reply."""
    value, fd = receive(sock, plain=True)
    try:
        resident, kind, body = value
        if kind == "held":
            reason, detail, original, spent, device = body
            made_by = Device(*device) if device is not None else None
            return Reply(Held(Reason(reason), detail, _original(original), spent, made_by), resident)
        if kind == "described":
            return Reply(restored(body), resident)
        if kind == "previewed":
            return Reply(previewing.restored(body[0], _sent(body[1], fd, most)), resident)
        if kind == "rendered":
            return Reply(_rendered(body, fd, most), resident)
        release, chunks, original, report, spent = body
        pieces = _unspilled(chunks, fd, most)
        whose = _original(original)
        if kind != "released" or whose is None:
            raise ProtocolError("an unknown verdict")
        return Reply(Released(Release(*release), pieces, whose, Report(**report), spent), resident)
    except (*BROKEN, OSError) as error:
        raise ProtocolError(type(error).__name__) from None
    finally:
        if fd >= 0:
            os.close(fd)


def _rendered(body: Any, fd: int, most: int) -> Rendered:
    frames, uids, chunks, missing = body
    study, series, own = map(str, uids)
    return Rendered(int(frames), (study, series, own), _sent(chunks, fd, most), str(missing))


def _sent(chunks: list[tuple[str, Any, Any]], fd: int, most: int) -> bytes:
    """One picture."""
    (data,) = _unspilled(chunks, fd, most)
    if not isinstance(data, bytes):
        raise ProtocolError("a picture that was not sent")
    return data


def _chunks(verdict: Released | Rendered | Previewed) -> tuple[Chunk, ...]:
    if isinstance(verdict, Previewed):
        return (verdict.picture.png,)
    return (verdict.data,) if isinstance(verdict, Rendered) else verdict.chunks


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
