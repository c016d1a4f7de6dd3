"""A seal is of all bytes in order, however they were parted, and of nothing else."""

from __future__ import annotations

import pytest

from proxy.deid.seal import NONCE_BYTES, Seal

KEY, NONCE, DATA = bytes(range(32)), bytes(12), bytes(range(256)) * 5


def sealed(*parts: bytes | memoryview, key: bytes = KEY, nonce: bytes = NONCE) -> Seal:
    seal = Seal(key, nonce)
    for part in parts:
        seal.add(part)
    return seal


TAG = sealed(DATA).tag()


@pytest.mark.parametrize("cut", [0, 1, 15, 16, 17, 1000])
def test_how_the_bytes_are_parted_says_nothing(cut: int) -> None:
    assert sealed(DATA[:cut], b"", memoryview(DATA)[cut:]).is_of(len(DATA), TAG)


@pytest.mark.parametrize(
    "other",
    [
        sealed(DATA[:-1]),
        sealed(DATA, b"\0"),
        sealed(DATA[1:], DATA[:1]),
        sealed(DATA[:-1], b"\0"),
        sealed(DATA, key=bytes(32)),
        sealed(DATA, nonce=b"another nonc"),
        sealed(),
    ],
)
def test_nothing_else_has_its_tag(other: Seal) -> None:
    assert not other.is_of(other.size, TAG)


def test_another_size_is_another_output() -> None:
    assert not sealed(DATA).is_of(len(DATA) + 1, TAG)


def test_a_nonce_has_the_length_that_needs_no_hash() -> None:
    """NIST SP 800-38D, 8.2: 96 bits."""
    assert NONCE_BYTES == 12
