"""Pseudonyms: what stands in the place of an identifier, derived from a key and never stored.

Every byte of the derivation is written down in docs/pseudonyms.md with test vectors; a test recomputes them from the
specification without this module. Pure: the same key and value give the same pseudonym in every process. A provider
has no fallback: what cannot be derived raises `ValueError` (without the value), and the instance is held.
"""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from typing import Protocol

ROOT_KEY_BYTES = 32
#: Crockford's base32: no I, L, O, U.
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_NUMBERS = {character: number for number, character in enumerate(CROCKFORD)}
#: PS3.5 annex B, PS3.6 annex A: UIDs that the standard itself defines name no patient and keep their meaning.
STANDARD_ROOT = "1.2.840.10008"
_PURPOSES = ("patient", "uid", "accession", "date", "text", "blind")
_VERSION = b"v1"


class PseudonymProvider(Protocol):
    """Where pseudonyms come from. No method blocks; `ValueError` for a value that has none (empty, not text)."""

    def patient_id(self, issuer: str, value: str) -> str:
        """Patient ID (LO): prefix, 80 bits in Crockford base32, check character."""
        ...

    def uid(self, value: str) -> str:
        """A UID under 2.25 (PS3.5 B.2); one that the standard defines is returned as it is."""
        ...

    def accession(self, issuer: str, value: str) -> str:
        """Accession Number (SH): 16 characters."""
        ...

    def text(self, kind: str, value: str) -> str:
        """16 characters for any other identifier; ``kind`` keeps equal values of different meaning apart."""
        ...

    def date_offset(self, issuer: str, patient_id: str) -> int:
        """Whole days to add to every date of this patient: negative, never 0, bounded."""
        ...


class _Mac:
    """HMAC-SHA256 (RFC 2104) under one key of at most a block: what is the same for every message is hashed once."""

    __slots__ = ("_inner", "_key", "_outer")

    def __init__(self, key: bytes) -> None:
        self._key = key
        block = key.ljust(hashlib.sha256().block_size, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))

    def __reduce__(self) -> tuple[type[_Mac], tuple[bytes]]:
        return _Mac, (self._key,)  # a hash that has begun cannot be pickled

    def digest(self, message: bytes) -> bytes:
        """32 bytes."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(message)
        outer.update(inner.digest())
        return outer.digest()


class HmacPseudonyms:
    """The built-in provider: HMAC-SHA256 under keys that HKDF derives from one root key per project and epoch."""

    __slots__ = ("_days", "_macs", "_prefix")

    def __init__(self, root_key: bytes, prefix: str = "", date_shift_days: int = 365) -> None:
        """``root_key`` 32 random bytes; only the derived keys are kept."""
        if len(root_key) != ROOT_KEY_BYTES:
            raise ValueError("a root key has 32 bytes")
        if date_shift_days < 1 or len(prefix) > 47 or "\\" in prefix:
            raise ValueError("date_shift_days is at least 1; a prefix has 47 characters at most and no backslash")
        self._macs = {purpose: _Mac(hkdf(root_key, purpose)) for purpose in _PURPOSES}
        self._prefix = prefix
        self._days = date_shift_days

    def __repr__(self) -> str:
        return "HmacPseudonyms(<key>)"

    def patient_id(self, issuer: str, value: str) -> str:
        """See `PseudonymProvider.patient_id`."""
        body = crockford(self._mac("patient", "patient", issuer, value)[:10])
        return self._prefix + body + check_character(body)

    def uid(self, value: str) -> str:
        """See `PseudonymProvider.uid`."""
        plain = canonical(value)
        if is_standard_uid(plain):
            return plain
        if not plain:
            raise ValueError("an empty value has no pseudonym: strangers would merge")
        return uuid8_uid(self._macs["uid"].digest(_UID_HEAD + _length_prefixed(plain))[:16])

    def accession(self, issuer: str, value: str) -> str:
        """See `PseudonymProvider.accession`."""
        return crockford(self._mac("accession", "accession", issuer, value)[:10])

    def text(self, kind: str, value: str) -> str:
        """See `PseudonymProvider.text`."""
        return crockford(self._mac("text", kind, "", value)[:10])

    def date_offset(self, issuer: str, patient_id: str) -> int:
        """See `PseudonymProvider.date_offset`."""
        number = int.from_bytes(self._mac("date", "patient", issuer, patient_id)[:8], "big")
        return -(1 + number % self._days)

    def _mac(self, purpose: str, kind: str, issuer: str, value: str) -> bytes:
        plain = canonical(value)
        if not plain:
            raise ValueError("an empty value has no pseudonym: strangers would merge")
        return self._macs[purpose].digest(_message(kind, canonical(issuer), plain))


def canonical(value: str) -> str:
    """The one spelling of a decoded value: NFC, without padding (PS3.5 6.2: outer spaces, trailing NUL)."""
    composed = value if value.isascii() else unicodedata.normalize("NFC", value)
    return composed.rstrip(" \0").lstrip(" ")


def is_standard_uid(value: str) -> bool:
    """True for UIDs that DICOM itself registers: SOP classes, transfer syntaxes, well-known instances."""
    return value == STANDARD_ROOT or value.startswith(STANDARD_ROOT + ".")


def message(kind: str, issuer: str, value: str) -> bytes:
    """What is put under the HMAC: unambiguous, because every part carries its length."""
    return _message(kind, canonical(issuer), canonical(value))


def _message(kind: str, issuer: str, value: str) -> bytes:
    """``issuer`` and ``value`` are `canonical`."""
    return _VERSION + _length_prefixed(kind) + _length_prefixed(issuer) + _length_prefixed(value)


def _length_prefixed(part: str) -> bytes:
    try:
        encoded = part.encode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate: the value was not really decoded; the error would quote it
        raise ValueError("not a Unicode text") from None
    return len(encoded).to_bytes(4, "big") + encoded


#: how the message of every UID begins: they have no issuer
_UID_HEAD = _VERSION + _length_prefixed("uid") + _length_prefixed("")


def hkdf(root_key: bytes, purpose: str) -> bytes:
    """HKDF-SHA256 (RFC 5869), no salt, one output block of 32 bytes."""
    extracted = hmac.digest(bytes(hashlib.sha256().digest_size), root_key, "sha256")
    return hmac.digest(extracted, b"veil/v1/" + purpose.encode("ascii") + b"\x01", "sha256")


def key_check_value(root_key: bytes) -> str:
    """Stored at the first start and compared (hmac.compare_digest) at each later one; tells nothing of the key."""
    return hmac.digest(hkdf(root_key, "check"), b"veil/v1/key-check", "sha256").hex()


def crockford(data: bytes) -> str:
    """Base32, most significant bits first; ``data`` must be a multiple of 5 bytes, so that nothing is padded."""
    number = int.from_bytes(data, "big")
    return "".join([CROCKFORD[number >> shift & 31] for shift in range(len(data) * 8 - 5, -1, -5)])


def check_character(body: str) -> str:
    """The hybrid system of ISO 7064 with M = 32 (MOD 33,32) over Crockford's alphabet: finds every wrong character."""
    product = 32
    for character in body:
        total = (product + _NUMBERS[character]) % 32 or 32
        product = total * 2 % 33
    return CROCKFORD[(33 - product) % 32]


#: the bits of a UUID that are ours, and version and variant, which are not
_VERSION_8 = 0x8 << 76 | 0b10 << 62
_OURS = (1 << 128) - 1 & ~(0xF << 76 | 0b11 << 62)


def uuid8_uid(data: bytes) -> str:
    """PS3.5 B.2: 2.25 and the decimal UUID; version 8 (RFC 9562 5.8) says that the bits are ours, variant 10."""
    return f"2.25.{int.from_bytes(data, 'big') & _OURS | _VERSION_8}"
