"""Opens an envelope with a security officer's private key (PS3.15 E.1.2). Only what Veil made: see `encrypted_read`.

EnvelopedData is not authenticated, so a success says that the content can be read, not that nobody changed it. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from proxy.deid.encrypted_read import Envelope, read_envelope

_KEY_BYTES, _BLOCK = 32, 16
#: (0400,0550) Modified Attributes Sequence in Explicit VR Little Endian
_BEGINS = b"\x00\x04\x50\x05SQ\0\0"


def open_envelope(value: memoryview, key: RSAPrivateKey, key_id: bytes | None = None) -> bytes:
    """The Encrypted Attributes Data Set in a value of (0400,0520); ``key_id``: of the certificate of ``key``.

    `ValueError`, which quotes nothing, for another form and where nothing is for this key.
    """
    envelope = read_envelope(value)
    for content_key in _content_keys(envelope, key, key_id):
        content = _opened(envelope, content_key)
        if content is not None:
            return content
    raise ValueError("not encrypted to this key")


def _content_keys(envelope: Envelope, key: RSAPrivateKey, key_id: bytes | None) -> Iterator[bytes]:
    for named, encrypted in envelope.keys:
        if key_id not in (None, named) or len(encrypted) != (key.key_size + 7) // 8:
            continue
        try:
            found = key.decrypt(encrypted, PKCS1v15())
        except ValueError:
            continue
        if len(found) == _KEY_BYTES:  # some libraries answer for a wrong key with random bytes
            yield found


def _opened(envelope: Envelope, key: bytes) -> bytes | None:
    decryptor = Cipher(AES(key), CBC(envelope.vector)).decryptor()
    padded = decryptor.update(bytes(envelope.content)) + decryptor.finalize()
    short = padded[-1]
    right = 1 <= short <= _BLOCK and padded.endswith(bytes([short]) * short) and padded.startswith(_BEGINS)
    return padded[:-short] if right else None
