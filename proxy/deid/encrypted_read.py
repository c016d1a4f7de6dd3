"""Reads an EnvelopedData of the one form that Veil writes (RFC 5652 6), to the last byte; the gate and the officer do.

Strict: every tag, length, version and algorithm is the expected one and in DER, and nothing is left over. Anything else
is a `ValueError`, whose text quotes nothing. Shares no code with the writer. Pure; decrypts nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

_SEQUENCE, _SET, _INTEGER, _OCTETS, _OID, _NULL = 0x30, 0x31, 0x02, 0x04, 0x06, 0x05
_CONSTRUCTED_0, _PRIMITIVE_0 = 0xA0, 0x80
#: object identifiers as X.690 8.19 writes them: their names and values
_ENVELOPED_DATA = bytes((42, 134, 72, 134, 247, 13, 1, 7, 3))  # 1.2.840.113549.1.7.3
_DATA = bytes((42, 134, 72, 134, 247, 13, 1, 7, 1))  # 1.2.840.113549.1.7.1
_RSA = bytes((42, 134, 72, 134, 247, 13, 1, 1, 1))  # 1.2.840.113549.1.1.1
_AES_256_CBC = bytes((96, 134, 72, 1, 101, 3, 4, 1, 42))  # 2.16.840.1.101.3.4.1.42
_BLOCK = 16


@dataclass(frozen=True, slots=True)
class Envelope:
    """``keys``: key identifier of a recipient and the content-encryption key encrypted for it, as they stand."""

    keys: tuple[tuple[bytes, bytes], ...]
    vector: bytes
    content: memoryview


class _Reader:
    """A run of DER values."""

    def __init__(self, data: memoryview) -> None:
        self._data, self._at = data, 0

    def take(self, tag: int) -> memoryview:
        """The content of the next value, which has this tag."""
        if self._at + 2 > len(self._data) or self._data[self._at] != tag:
            raise ValueError("not the expected value")
        first, start = self._data[self._at + 1], self._at + 2
        length = first
        if first >= 0x80:
            octets = bytes(self._data[start : start + first - 0x80])
            start += first - 0x80
            length = int.from_bytes(octets, "big")
            if not 1 <= len(octets) <= 4 or octets[0] == 0 or length < 0x80:
                raise ValueError("a length that is not in DER")
        if start + length > len(self._data):
            raise ValueError("a length beyond the end")
        self._at = start + length
        return self._data[start : self._at]

    def inside(self, tag: int) -> _Reader:
        """The values in the next value."""
        return _Reader(self.take(tag))

    def expect(self, tag: int, content: bytes) -> None:
        """The next value is exactly this one."""
        if bytes(self.take(tag)) != content:
            raise ValueError("not the expected value")

    @property
    def left(self) -> int:
        """Bytes that nothing has taken yet."""
        return len(self._data) - self._at

    def end(self) -> None:
        """Nothing is left."""
        if self.left:
            raise ValueError("more than belongs here")


def read_envelope(value: memoryview) -> Envelope:
    """The value of (0400,0520) Encrypted Content; one NUL behind it may make its length even."""
    outer = _Reader(value)
    info = outer.inside(_SEQUENCE)
    if outer.left and not (outer.left == 1 and value[-1] == 0 and len(value) % 2 == 0):
        raise ValueError("more than an envelope")
    info.expect(_OID, _ENVELOPED_DATA)
    wrapped = info.inside(_CONSTRUCTED_0)
    info.end()
    enveloped = wrapped.inside(_SEQUENCE)
    wrapped.end()
    enveloped.expect(_INTEGER, b"\2")
    recipients, content = enveloped.inside(_SET), enveloped.inside(_SEQUENCE)
    enveloped.end()
    keys = []
    while recipients.left:
        keys.append(_key(recipients.inside(_SEQUENCE)))
    return Envelope(tuple(keys), *_content(content))


def _key(info: _Reader) -> tuple[bytes, bytes]:
    """KeyTransRecipientInfo with a subject key identifier."""
    info.expect(_INTEGER, b"\2")
    key_id = bytes(info.take(_PRIMITIVE_0))
    algorithm = info.inside(_SEQUENCE)
    algorithm.expect(_OID, _RSA)
    algorithm.expect(_NULL, b"")
    algorithm.end()
    encrypted = bytes(info.take(_OCTETS))
    info.end()
    return key_id, encrypted


def _content(info: _Reader) -> tuple[bytes, memoryview]:
    """EncryptedContentInfo: the vector, and whole blocks."""
    info.expect(_OID, _DATA)
    algorithm = info.inside(_SEQUENCE)
    algorithm.expect(_OID, _AES_256_CBC)
    vector = bytes(algorithm.take(_OCTETS))
    algorithm.end()
    content = info.take(_PRIMITIVE_0)
    info.end()
    if len(vector) != _BLOCK or not content or len(content) % _BLOCK:
        raise ValueError("no whole blocks")
    return vector, content
