"""The bytes of one release on their way into a file: gathered, copied by the kernel, read back. Knows no name.

Never maps an arena: a process that shrinks one must not kill this one (SIGBUS).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence

from proxy.deid.seal import Seal
from proxy.deid.types import Chunk, Slice
from proxy.errors import InstanceHeld, Reason
from proxy.store.durable import write_all

_PIECE = 1 << 20  # bytes that are in our own memory at once
_SMALL = 1 << 16  # slices below this are gathered, larger ones are copied by the kernel


def length_of(chunks: Sequence[Chunk], limit: int) -> int:
    """The chunks' total length; `InstanceHeld` for a slice outside the arena."""
    total = 0
    for chunk in chunks:
        if isinstance(chunk, Slice):
            if chunk.offset < 0 or chunk.length < 0 or chunk.offset + chunk.length > limit:
                raise InstanceHeld(Reason.ENGINE_ERROR, "a slice lies outside the instance")
            total += chunk.length
        else:
            total += len(chunk)
    return total


def copy(fd: int, chunks: tuple[Chunk, ...], source: int) -> None:
    """Write the chunks in order to ``fd``; slices are of the arena ``source``."""
    gathered: list[bytes] = []
    waiting = 0
    for chunk in chunks:
        if isinstance(chunk, Slice) and chunk.length >= _SMALL:
            write_all(fd, [b"".join(gathered)])
            gathered, waiting = [], 0
            _copy_run(fd, source, chunk)
            continue
        piece = os.pread(source, chunk.length, chunk.offset) if isinstance(chunk, Slice) else chunk
        gathered.append(piece)
        waiting += len(piece)
        if waiting >= _PIECE:
            write_all(fd, [b"".join(gathered)])
            gathered, waiting = [], 0
    write_all(fd, [b"".join(gathered)])


def _copy_run(fd: int, source: int, run: Slice) -> None:
    offset, left = run.offset, run.length
    while left:
        copied = os.sendfile(fd, source, offset, min(left, 8 * _PIECE))
        if copied == 0:  # the arena ends early; the digest will not match
            return
        offset += copied
        left -= copied


def read_back(fd: int, seal: Seal) -> str:
    """The SHA-256 of what was written, in hex; ``seal`` is told all of it."""
    digest, offset = hashlib.sha256(), 0
    buffer = memoryview(bytearray(_PIECE))
    while count := os.preadv(fd, [buffer], offset):
        digest.update(buffer[:count])
        seal.add(buffer[:count])
        offset += count
    return digest.hexdigest()
