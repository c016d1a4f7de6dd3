"""The envelope: what each recipient and any other reader of CMS opens, the same bytes for the same content."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from proxy.deid.encrypted_cms import envelope
from proxy.deid.encrypted_open import open_envelope
from proxy.deid.encrypted_read import read_envelope
from proxy.deid.encrypted_recipients import read_recipients
from proxy.deid.recipient import Recipient
from tests.deid.officers import Officer, officer, opened_by_openssl

SECRET = bytes(range(32))
#: how an encrypted attributes data set begins
CONTENT = b"\x00\x04\x50\x05SQ\0\0" + bytes(40)


def recipients(*numbers: int) -> tuple[Recipient, ...]:
    return read_recipients([officer(n).certificate for n in numbers], "here")


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 110, 127, 128, 255, 256, 65_535, 65_536, 1 << 20])
def test_every_recipient_and_openssl_open_it(size: int, tmp_path: Path) -> None:
    content = CONTENT + b"x" * size
    made = envelope(content, recipients(0, 1), SECRET)
    for number in (0, 1):
        who: Officer = officer(number)
        assert open_envelope(memoryview(made), who.key) == content
        if (said := opened_by_openssl(made, who, tmp_path)) is not None:
            assert said == content


def test_the_standard_s_own_primitives_open_it() -> None:
    """By hand, for machines without openssl: RFC 8017 7.2, then RFC 3565 and RFC 5652 6.3."""
    found = read_envelope(memoryview(envelope(CONTENT, recipients(0), SECRET)))
    ((_, encrypted),) = found.keys
    key = officer().key.decrypt(encrypted, PKCS1v15())
    assert len(key) == 32
    plain = Cipher(AES(key), CBC(found.vector)).decryptor().update(bytes(found.content))
    assert plain[: -plain[-1]] == CONTENT
    assert plain[-plain[-1] :] == bytes([plain[-1]]) * plain[-1]


def test_the_padding_of_a_key_has_no_zero_and_is_not_another_s() -> None:
    found = dict(read_envelope(memoryview(envelope(CONTENT, recipients(0, 1), SECRET))).keys)
    blocks = []
    for each, number in zip(recipients(0), (0,), strict=True):
        numbers = officer(number).key.private_numbers()
        blocks.append(
            pow(int.from_bytes(found[each.key_id], "big"), numbers.d, each.modulus).to_bytes(each.size, "big")
        )
    other = next(each for each in recipients(1))
    numbers = officer(1).key.private_numbers()
    blocks.append(pow(int.from_bytes(found[other.key_id], "big"), numbers.d, other.modulus).to_bytes(other.size, "big"))
    fillers = []
    for block in blocks:
        assert block[:2] == b"\0\2"
        filler, key = block[2:-33], block[-32:]
        assert block[-33] == 0
        assert 0 not in filler
        assert key == blocks[0][-32:]
        fillers.append(filler)
    assert fillers[0] != fillers[1]
    assert len(set(fillers[0])) > 100  # of 221 octets


def test_the_same_content_makes_the_same_bytes_and_nothing_else_does() -> None:
    made = envelope(CONTENT, recipients(0, 1), SECRET)
    assert made == envelope(CONTENT, recipients(1, 0), SECRET)
    others = [
        envelope(CONTENT + b"\0", recipients(0, 1), SECRET),
        envelope(CONTENT, recipients(0), SECRET),
        envelope(CONTENT, recipients(0, 1), SECRET[::-1]),
    ]
    vectors = {read_envelope(memoryview(each)).vector for each in (made, *others)}
    contents = {bytes(read_envelope(memoryview(each)).content) for each in (made, *others)}
    assert len(vectors) == len(contents) == 4


def test_nothing_of_the_content_or_the_secret_stands_in_clear() -> None:
    content = CONTENT + b"Planted^Jane" * 100
    made = envelope(content, recipients(0, 1), SECRET)
    assert b"Planted" not in made
    assert not any(SECRET[n : n + 8] in made for n in range(24))
    assert len(set(made[-1024:])) > 200  # bytes of every value, as of a cipher
