"""Certificates that originals are encrypted to: RSA, named by key identifier, fit for it; all else stops the start."""

from __future__ import annotations

import pytest

from proxy.deid.encrypted_recipients import read_recipients
from proxy.deid.recipient import Recipient
from proxy.errors import ConfigError
from tests.deid.officers import certificate, ec_key, officer, rsa_key


def test_a_recipient_is_its_key_and_its_identifier() -> None:
    numbers = officer().key.public_key().public_numbers()
    (found,) = read_recipients([officer().certificate], "here")
    assert (found.modulus, found.exponent, found.size) == (numbers.n, numbers.e, 256)
    assert len(found.key_id) == 20


def test_the_order_of_the_files_does_not_count() -> None:
    texts = [officer(n).certificate for n in range(3)]
    assert read_recipients(texts, "here") == read_recipients(reversed(texts), "here")
    assert read_recipients([], "here") == ()


def test_a_certificate_that_may_encrypt_keys_will_do() -> None:
    (found,) = read_recipients([certificate(rsa_key(0), usage="encrypt")], "here")
    assert found == read_recipients([officer().certificate], "here")[0]


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        ([certificate(ec_key())], "not RSA of at least 2048 bits"),
        ([certificate(rsa_key(1, 1024))], "not RSA of at least 2048 bits"),
        ([certificate(rsa_key(0), key_id=False)], "no Subject Key Identifier"),
        ([certificate(rsa_key(0), usage="sign")], "key usage"),
        ([officer().certificate * 2], "one certificate in PEM"),
        ([""], "one certificate in PEM"),
        (["-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n"], "cannot be read: ValueError"),
        ([officer().certificate.replace("M", "N", 1)], "cannot be read"),
        ([officer().key_pem.decode()], "one certificate in PEM"),
        ([officer().certificate, certificate(rsa_key(0), name="Other")], "stands twice"),
    ],
)
def test_what_cannot_be_encrypted_to_stops_the_start(texts: list[str], why: str) -> None:
    with pytest.raises(ConfigError, match=why) as error:
        read_recipients(texts, "projects.p.encrypt_originals")
    assert str(error.value).startswith("projects.p.encrypt_originals: ")


def test_recipients_are_plain_values() -> None:
    assert Recipient(b"a", 5, 3) < Recipient(b"b", 4, 3)
