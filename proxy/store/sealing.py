"""The sealed file: AES-256-GCM over a stream of frames, under a key of its own. Knows descriptors, not folders.

    magic "VEILSL01" | salt (32) | u32 header length | u32 private length | u64 body length
    header    JSON in clear, no PHI                     ┐ authenticated by every frame
    frame 0   private part, sealed (+16)                │ nonce = u96 frame number
    frame n   1 MiB of the body, sealed (+16), the last one shorter (a body of 0 bytes is one empty frame)

File key = HKDF-SHA256(node key, salt, "veil/v1/seal"): salt and key are fresh per file, so frame numbers are nonces
that never repeat. Associated data = SHA-256(everything before frame 0) | last-frame flag: frames cannot be cut off,
swapped, or moved to another file, and no byte of the file can change unnoticed.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from proxy.errors import SealBroken, Unavailable
from proxy.store.durable import write_all

_MAGIC = b"VEILSL01"
_PRELUDE = struct.Struct(">8s32sIIQ")
_TAG = 16
FRAME = 1 << 20
_MOST = 1 << 16  # bytes of header or private part


def seal(fd: int, node_key: bytes, header: bytes, private: bytes, source: int, size: int) -> None:
    """Write the sealed form of ``size`` bytes of ``source`` (read by offset, a frame at a time) to ``fd``."""
    if len(header) > _MOST or len(private) > _MOST:
        raise Unavailable("quarantine: header too long")
    prelude = _PRELUDE.pack(_MAGIC, salt := secrets.token_bytes(32), len(header), len(private), size)
    cipher = _Frames(node_key, salt, prelude + header)
    write_all(fd, [prelude, header, cipher.seal(private, 0, last=False)])
    frames = _frames(size)
    for number in range(1, frames + 1):
        length = min(FRAME, size - (number - 1) * FRAME)
        piece = os.pread(source, length, (number - 1) * FRAME)
        if len(piece) != length:  # a process that shares the memory shrank it
            raise Unavailable("quarantine: the instance changed while it was sealed")
        write_all(fd, [cipher.seal(piece, number, last=number == frames)])


def sealed_size(header: bytes, private: bytes, size: int) -> int:
    """How many bytes `seal` will write."""
    return _PRELUDE.size + len(header) + len(private) + _TAG + size + _frames(size) * _TAG


@dataclass(slots=True)
class Sealed:
    """A sealed file whose header and private part are authentic and whose length is right."""

    header: bytes
    private: bytes
    size: int
    _fd: int
    _offset: int
    _cipher: _Frames

    @classmethod
    def read(cls, fd: int, node_key: bytes) -> Sealed:
        """Authenticate the head of ``fd``; `SealBroken` otherwise. The caller keeps and closes ``fd``."""
        prelude = os.pread(fd, _PRELUDE.size, 0)
        if len(prelude) != _PRELUDE.size:
            raise SealBroken("sealed file is cut short")
        magic, salt, header_length, private_length, size = _PRELUDE.unpack(prelude)
        if magic != _MAGIC or header_length > _MOST or private_length > _MOST:
            raise SealBroken("not a sealed file")
        header = os.pread(fd, header_length, len(prelude))
        offset = len(prelude) + header_length
        cipher = _Frames(node_key, salt, prelude + header)
        private = cipher.open(os.pread(fd, private_length + _TAG, offset), 0, last=False)
        if os.fstat(fd).st_size != sealed_size(header, private, size):
            raise SealBroken("sealed file has the wrong length")
        return cls(header, private, size, fd, offset + private_length + _TAG, cipher)

    def body(self) -> Iterator[bytes]:
        """The clear bytes, one authentic frame at a time. Discard what came before a `SealBroken`."""
        frames, offset = _frames(self.size), self._offset
        for number in range(1, frames + 1):
            length = min(FRAME, self.size - (number - 1) * FRAME) + _TAG
            yield self._cipher.open(os.pread(self._fd, length, offset), number, last=number == frames)
            offset += length


class _Frames:
    """One file's cipher."""

    def __init__(self, node_key: bytes, salt: bytes, head: bytes) -> None:
        self._aead = AESGCM(HKDF(SHA256(), 32, salt, b"veil/v1/seal").derive(node_key))
        self._head = hashlib.sha256(head).digest()

    def seal(self, piece: bytes, number: int, *, last: bool) -> bytes:
        return self._aead.encrypt(number.to_bytes(12, "big"), piece, self._head + bytes([last]))

    def open(self, piece: bytes, number: int, *, last: bool) -> bytes:
        if len(piece) < _TAG:
            raise SealBroken("sealed file is cut short")
        try:
            return self._aead.decrypt(number.to_bytes(12, "big"), piece, self._head + bytes([last]))
        except InvalidTag:
            raise SealBroken("sealed file fails authentication: altered, or another key") from None


def _frames(size: int) -> int:
    return max(1, -(-size // FRAME))
