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
#: bytes that are read at once: most frames are shorter
_AT_ONCE = 64 << 10
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

    def __reduce__(self) -> tuple[Any, ...]:
        """As plain arguments: the state of a frozen class is put back field by field, which takes far longer."""
        rest = [getattr(self, name) for name in _REST]
        said = self.claimed
        return _job, (self.project, (said.sop_class_uid, said.sop_instance_uid, said.study_instance_uid), *rest)


_REST = [name for name in Job.__dataclass_fields__ if name not in ("project", "claimed")]


def _job(project: str, claimed: tuple[str, str, str], *rest: Any) -> Job:
    return Job(project, Claimed(*claimed), *rest)


def send(sock: socket.socket, value: object, fd: int = -1) -> None:
    """One frame, with ``fd`` beside its first bytes if there is one; in one piece, so that who waits wakes up once."""
    body = pickle.dumps(value, protocol=5)
    beside = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))] if fd >= 0 else []
    head = _LENGTH.pack(len(body))
    sent = sock.sendmsg([head, body], beside)
    if sent < len(head) + len(body):
        sock.sendall(head[sent:])
        sock.sendall(memoryview(body)[max(sent - len(head), 0) :])


def receive(sock: socket.socket, *, plain: bool, most: int = MAX_FRAME) -> tuple[Any, int]:
    """The next frame's value and the descriptor that came with it (-1: none). EOFError when the other side is gone.

    Nothing follows a frame before it is answered: what does makes no sense. ``plain``: refuse everything but builtin
    values.
    """
    data, fd = _first(sock)
    try:
        if len(data) < _LENGTH.size:
            data += _exactly(sock, _LENGTH.size - len(data))
        (length,) = _LENGTH.unpack_from(data)
        if length > most:
            raise ProtocolError(f"a frame of {length} bytes")
        missing = _LENGTH.size + length - len(data)
        if missing < 0:
            raise ProtocolError("more than one frame")
        body = memoryview(data + _exactly(sock, missing))[_LENGTH.size :]
        return (_plain(body) if plain else pickle.loads(body)), fd  # noqa: S301 - from our parent, see the file's head
    except BaseException:
        if fd >= 0:
            os.close(fd)
        raise


def _first(sock: socket.socket) -> tuple[bytes, int]:
    """What there is of a frame, and its descriptor."""
    fds = array.array("i")
    data, ancillary, _, _ = sock.recvmsg(_AT_ONCE, socket.CMSG_LEN(fds.itemsize), socket.MSG_CMSG_CLOEXEC)
    for level, kind, raw in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(raw[: len(raw) - len(raw) % fds.itemsize])
    if not data:
        raise EOFError
    return data, fds[0] if fds else -1


def _plain(body: memoryview) -> Any:
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
