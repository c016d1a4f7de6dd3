"""Security officers with keys of their own, made once a run."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from proxy.store.officers import Officer, officer


@dataclass(frozen=True)
class Person:
    """An officer, his private key, and both as the files he has."""

    officer: Officer
    private: ec.EllipticCurvePrivateKey
    certificate: str

    def key_file(self, passphrase: str = "") -> bytes:
        how = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how)


@cache
def person(name: str, curve: type[ec.EllipticCurve] = ec.SECP256R1) -> Person:
    """The same for the same name."""
    private = ec.generate_private_key(curve())
    pem = certificate(private, name)
    return Person(officer(name, pem, name), private, pem)


def certificate(private: ec.EllipticCurvePrivateKey, name: str) -> str:
    """Self-signed, as `openssl req -x509` makes one."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    day = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    made = x509.CertificateBuilder(subject, subject, private.public_key(), 1, day, day + datetime.timedelta(days=365))
    return made.sign(private, SHA256()).public_bytes(Encoding.PEM).decode()
