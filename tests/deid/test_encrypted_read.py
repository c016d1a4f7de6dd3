"""The strict reader: one form, to the last byte. Whatever byte of the structure changes, nothing is read."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs7

from proxy.deid.encrypted_cms import envelope
from proxy.deid.encrypted_open import open_envelope
from proxy.deid.encrypted_read import Envelope, read_envelope
from proxy.deid.encrypted_recipients import read_recipients
from tests.deid.officers import officer

CONTENT = b"\x00\x04\x50\x05SQ" + bytes(300)


@pytest.fixture(scope="module")
def made() -> bytes:
    texts = [officer(n).certificate for n in (0, 1)]
    return envelope(CONTENT, read_recipients(texts, "here"), bytes(32))


def read(data: bytes) -> Envelope | None:
    try:
        return read_envelope(memoryview(data))
    except ValueError:
        return None


def opaque(made: bytes) -> list[range]:
    """Where bytes may be any: key identifiers, encrypted keys, vector and content."""
    found = read(made)
    assert found is not None
    parts = [part for key in found.keys for part in key] + [found.vector, bytes(found.content)]
    return [range(at := made.index(part), at + len(part)) for part in parts]


def test_every_byte_of_the_structure_counts(made: bytes) -> None:
    whole, free = read(made), opaque(made)
    for at in range(len(made)):
        for bit in (1, 0x80):
            wrong = made[:at] + bytes([made[at] ^ bit]) + made[at + 1 :]
            found = read(wrong)
            if any(at in run for run in free):
                assert found is not None
                assert found != whole
            else:
                assert found is None, f"byte {at}"


def test_nothing_shorter_and_nothing_longer(made: bytes) -> None:
    assert all(read(made[:length]) is None for length in range(len(made)))
    assert read(made + b"\1") is None
    assert read(made + b"\0\0") is None
    assert read(b"") is None


def test_one_nul_makes_the_length_even(made: bytes) -> None:
    even = made if len(made) % 2 == 0 else made + b"\0"
    assert read(even) == read(made)
    assert read(even + b"\0") is None


def test_lengths_that_are_not_in_der_are_refused(made: bytes) -> None:
    assert made[:2] == b"\x30\x82"
    assert read(b"\x30\x83\0" + made[2:]) is None
    assert read(b"\x30\x80" + made[4:] + b"\0\0") is None


def test_another_program_s_form_is_refused(made: bytes) -> None:
    """It names the issuer in clear."""
    certificate = x509.load_pem_x509_certificate(officer().certificate.encode())
    builder = pkcs7.PKCS7EnvelopeBuilder().set_data(CONTENT).add_recipient(certificate)
    theirs = builder.encrypt(serialization.Encoding.DER, [pkcs7.PKCS7Options.Binary])
    assert b"Klinikum am Ring" in theirs
    assert read(theirs) is None
    assert b"Klinikum" not in made


def test_what_is_for_another_key_is_not_opened(made: bytes) -> None:
    first, second = (read_recipients([officer(n).certificate], "here")[0].key_id for n in (0, 1))
    assert open_envelope(memoryview(made), officer(0).key, first) == CONTENT
    for key, key_id in ((officer(2).key, None), (officer(0).key, second), (officer(1).key, first)):
        with pytest.raises(ValueError, match="not encrypted to this key"):
            open_envelope(memoryview(made), key, key_id)


def test_altered_content_is_not_taken_for_originals(made: bytes) -> None:
    """The form has no authentication; what shows is a beginning that is wrong."""
    start = opaque(made)[-1].start
    wrong = made[:start] + bytes([made[start] ^ 1]) + made[start + 1 :]
    with pytest.raises(ValueError, match="not encrypted to this key"):
        open_envelope(memoryview(wrong), officer(0).key)
