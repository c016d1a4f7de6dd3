"""What the proxy and a worker say to each other over their socket pair: length-prefixed frames, a descriptor beside.

The worker reads its parent's pickles; the parent reads nothing but plain values from a worker (no class can be named
in a reply), since a worker has run foreign bytes through parsers and codecs. What a reply says: `proxy.workers.reply`.
Blocking.
"""

from __future__ import annotations

import array
import io
import os
import pickle
import socket
import struct
from dataclasses import dataclass
from typing import Any, NoReturn

from proxy.deid.pixels.rendering import Rendering
from proxy.deid.previewed import Wish
from proxy.deid.profile import Policy
from proxy.deid.types import Claimed

_LENGTH = struct.Struct(">Q")
#: a reply's frame; whatever is larger comes by descriptor
MAX_FRAME = 64 << 20
#: what unpickling and unpacking of nonsense can raise
BROKEN = (AttributeError, ImportError, IndexError, KeyError, MemoryError, OverflowError, TypeError, ValueError)


class ProtocolError(Exception):
    """The other side said something that makes no sense."""


@dataclass(frozen=True, slots=True)
class Job:
    """One instance for a worker; its bytes come as the descriptor beside the frame.

    With ``rendering`` it is de-identified already, and a picture of it is wanted. ``describing``: the bytes are a JSON
    array of DICOM JSON objects, whose metadata is wanted.
    """

    project: str
    claimed: Claimed
    size: int
    rendering: Rendering | None = None
    describing: bool = False
    #: it is de-identified already, and is only to be let pass: with (True) or without the gate's check
    passing: bool | None = None
    #: it was released before, and its pixel data is to be decompressed
    decoding: bool = False
    #: what would become of it is to be told; under ``policy``, where the project's own is not meant
    preview: Wish | None = None
    policy: Policy | None = None


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
    except (pickle.UnpicklingError, EOFError, *BROKEN) as error:
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
