"""Writes CMS EnvelopedData (RFC 5652 6): AES-256 in CBC mode (RFC 3565), RSA key transport (RFC 3370 4.2.1), in DER.

Deterministic: what others draw at random is derived here by HMAC from a secret of the project and the content itself
(docs/architecture.md says why that is sound). So the same content for the same recipients makes the same bytes, and
nobody without the secret can tell the derived bytes from random ones. Pure.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Sequence

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from proxy.deid.recipient import Recipient

_SEQUENCE, _SET, _INTEGER, _OCTETS, _NULL = 0x30, 0x31, b"\x02\x01\x02", 0x04, b"\x05\x00"
#: context-specific tags 0, constructed and primitive
_EXPLICIT_0, _IMPLICIT_0 = 0xA0, 0x80
_DATA = bytes.fromhex("06092a864886f70d010701")
_ENVELOPED_DATA = bytes.fromhex("06092a864886f70d010703")
_RSA_ENCRYPTION = bytes.fromhex("06092a864886f70d010101")
_AES_256_CBC = bytes.fromhex("060960864801650304012a")
_BLOCK = 16


def envelope(content: bytes, recipients: Sequence[Recipient], secret: bytes) -> bytes:
    """``content``, which each of ``recipients`` can open alone. ``secret``: 32 bytes that nobody outside has."""
    seed = _seed(content, recipients, secret)
    key, vector = hmac.digest(seed, b"key", "sha256"), hmac.digest(seed, b"vector", "sha256")[:_BLOCK]
    infos = sorted(_key_transport(each, key, _nonzero(seed, each)) for each in recipients)
    algorithm = _der(_SEQUENCE, _AES_256_CBC, _der(_OCTETS, vector))
    encrypted = _der(_SEQUENCE, _DATA, algorithm, _der(_IMPLICIT_0, _aes(content, key, vector)))
    # version 2, because recipients are named by key identifiers (RFC 5652 6.1)
    enveloped = _der(_SEQUENCE, _INTEGER, _der(_SET, *infos), encrypted)
    return _der(_SEQUENCE, _ENVELOPED_DATA, _der(_EXPLICIT_0, enveloped))


def _seed(content: bytes, recipients: Sequence[Recipient], secret: bytes) -> bytes:
    """One more secret for each content and set of recipients: the base of all that is derived."""
    mac = hmac.new(secret, b"v1", "sha256")
    parts = [content]
    for each in recipients:
        parts += [each.key_id, each.modulus.to_bytes(each.size, "big"), each.exponent.to_bytes(8, "big")]
    for part in parts:
        mac.update(len(part).to_bytes(8, "big"))
        mac.update(part)
    return mac.digest()


def _key_transport(recipient: Recipient, key: bytes, padding: Iterator[int]) -> bytes:
    """KeyTransRecipientInfo: the key under RSAES-PKCS1-v1_5 (RFC 8017 7.2.1), which PS3.15 E.1.1 asks for."""
    filler = bytes(next(padding) for _ in range(recipient.size - len(key) - 3))
    block = int.from_bytes(b"\0\2" + filler + b"\0" + key, "big")
    encrypted = pow(block, recipient.exponent, recipient.modulus).to_bytes(recipient.size, "big")
    algorithm = _der(_SEQUENCE, _RSA_ENCRYPTION, _NULL)
    return _der(_SEQUENCE, _INTEGER, _der(_IMPLICIT_0, recipient.key_id), algorithm, _der(_OCTETS, encrypted))


def _nonzero(seed: bytes, recipient: Recipient) -> Iterator[int]:
    """Padding octets for one recipient: a key stream without its zeros."""
    counter = 0
    while True:
        block = hmac.digest(seed, b"padding" + recipient.key_id + counter.to_bytes(4, "big"), "sha256")
        yield from (octet for octet in block if octet)
        counter += 1


def _aes(content: bytes, key: bytes, vector: bytes) -> bytes:
    """With the padding of RFC 5652 6.3."""
    short = _BLOCK - len(content) % _BLOCK
    encryptor = Cipher(AES(key), CBC(vector)).encryptor()
    return encryptor.update(content + bytes([short]) * short) + encryptor.finalize()


def _der(tag: int, *parts: bytes) -> bytes:
    """One value with its tag and length (X.690 8.1, 10.1)."""
    length = sum(map(len, parts))
    if length < 0x80:
        return b"".join((bytes([tag, length]), *parts))
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return b"".join((bytes([tag, 0x80 | len(octets)]), octets, *parts))
