"""A MAC over all bytes of an output, as a stream: AES-256-GMAC (NIST SP 800-38D), some 14 times as fast as a digest.

Two sealers of one key must never use a nonce twice; who hands out nonces sees to that (`verify.Gate`). Pure.
"""

from __future__ import annotations

import hmac

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import GCM

NONCE_BYTES = 12


class Seal:
    """Takes an output part by part."""

    def __init__(self, key: bytes, nonce: bytes) -> None:
        self.size, self.nonce = 0, nonce
        self._mac = Cipher(AES(key), GCM(nonce)).encryptor()

    def add(self, part: bytes | memoryview) -> None:
        """The next bytes."""
        self._mac.authenticate_additional_data(part)
        self.size += len(part)

    def tag(self) -> bytes:
        """16 bytes; nothing can be added afterwards."""
        self._mac.finalize()
        return self._mac.tag

    def is_of(self, size: int, tag: bytes) -> bool:
        """Whether what was added has this size and tag; nothing can be added afterwards."""
        return self.size == size and hmac.compare_digest(self.tag(), tag)
