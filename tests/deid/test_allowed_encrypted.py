"""What the gate lets stand of encrypted originals: one envelope, for exactly the policy's recipients, not in clear."""

from __future__ import annotations

from types import ModuleType

import pytest

from proxy.deid import allowed_encrypted
from proxy.deid.allowed_encrypted import EnvelopeCheck
from proxy.deid.encrypted_read import Envelope
from proxy.deid.reading import Path
from proxy.deid.recipient import Recipient

SEQUENCE, SYNTAX, CONTENT = 0x04000500, 0x04000510, 0x04000520
INSIDE = (SEQUENCE, 0)
ONE, OTHER = Recipient(b"one", 0xF000, 3), Recipient(b"other", 0xC0FFEE, 3)
RIGHT = ((b"one", b"\x12\x34"), (b"other", b"\xc0\xff\xed"))
BLOCK = bytes(range(64, 80))


def ours(
    make: ModuleType, monkeypatch: pytest.MonkeyPatch, *keys: tuple[bytes, bytes], content: bytes = BLOCK,
    recipients: tuple[Recipient, ...] = (ONE, OTHER),
) -> bool:  # fmt: skip
    """Whether an envelope in which that stands passes."""
    read = Envelope(keys, bytes(16), memoryview(content))
    monkeypatch.setattr(allowed_encrypted, "read_envelope", lambda value: read)
    return EnvelopeCheck(recipients).allows(make.leaf(CONTENT, "OB", b"DER", INSIDE))


def test_exactly_to_the_recipients(make: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ours(make, monkeypatch, *RIGHT)
    assert ours(make, monkeypatch, *reversed(RIGHT))
    assert not ours(make, monkeypatch, RIGHT[0]), "one is missing"
    assert not ours(make, monkeypatch, *RIGHT, (b"third", b"\0\0")), "and one more"
    assert not ours(make, monkeypatch, *RIGHT, RIGHT[0]), "one of them twice"
    assert not ours(make, monkeypatch, (b"else", b"\0\0"), RIGHT[1])
    assert not ours(make, monkeypatch)


@pytest.mark.parametrize(
    ("key", "fine"),
    [
        (b"\xef\xff", True), (b"\xf0\x00", False), (b"\xf0\x01", False), (b"\x12", False), (b"\0\x12\x34", False),
        (b"\0\0", True),
    ],
)  # fmt: skip
def test_a_key_is_a_number_below_the_modulus(
    make: ModuleType, monkeypatch: pytest.MonkeyPatch, key: bytes, fine: bool
) -> None:
    """RFC 8017 5.1.1: as long as the modulus, and smaller."""
    assert ours(make, monkeypatch, (b"one", key), recipients=(ONE,)) is fine
    assert ours(make, monkeypatch, (b"one", key), RIGHT[1]) is fine


@pytest.mark.parametrize(
    ("begin", "fine"),
    [
        (b"\x00\x04\x50\x05", False), (b"\x04\x00\x05\x50", False), (b"\x04\x00\x50\x05", True),
        (b"\x00\x04\x50\x06", True), (b"\x01\x04\x50\x05", True),
    ],
)  # fmt: skip
def test_content_that_begins_as_a_data_set_is_in_clear(
    make: ModuleType, monkeypatch: pytest.MonkeyPatch, begin: bytes, fine: bool
) -> None:
    """(0400,0550) Modified Attributes Sequence, little and big endian."""
    assert ours(make, monkeypatch, *RIGHT, content=begin + bytes(12)) is fine


@pytest.mark.parametrize(
    ("tag", "value", "path", "fine"),
    [
        (SEQUENCE, b"", (), True), (SEQUENCE, b"", (0x00081140, 0), False), (SEQUENCE, b"", INSIDE, False),
        (SYNTAX, b"1.2.840.10008.1.2.1\0", INSIDE, True), (SYNTAX, b"1.2.840.10008.1.2\0", INSIDE, False),
        (SYNTAX, b"1.2.840.10008.1.2.1\0", (), False), (SYNTAX, b"1.2.840.10008.1.2.1\0", (SEQUENCE, 1), False),
        (0x00080070, b"Acme", INSIDE, False), (CONTENT, b"no DER", INSIDE, False),
    ],
)  # fmt: skip
def test_where_which_element_may_stand(make: ModuleType, tag: int, value: bytes, path: Path, fine: bool) -> None:
    assert EnvelopeCheck([ONE]).allows(make.leaf(tag, "UI", value, path)) is fine
    assert not EnvelopeCheck([]).allows(make.leaf(tag, "UI", value, path))
