"""Security officers of the tests: keys and self-signed certificates, made once a process; and a foreign reader."""

from __future__ import annotations

import datetime
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

_FROM = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)


class Officer(NamedTuple):
    key: rsa.RSAPrivateKey
    certificate: str

    @property
    def key_pem(self) -> bytes:
        return pem(self.key)


def pem(key: Any, password: bytes = b"") -> bytes:
    kind = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, kind))


@lru_cache(maxsize=8)
def rsa_key(number: int, bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


@lru_cache(maxsize=1)
def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def certificate(key: Any, *, name: str = "Klinikum am Ring", key_id: bool = True, usage: str = "") -> str:
    """Self-signed. ``usage``: "" says nothing of it, "encrypt" or "sign"."""
    subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, name)])
    builder = x509.CertificateBuilder(
        subject, subject, key.public_key(), 7, _FROM, _FROM + datetime.timedelta(days=1)
    )  # long over: time is not looked at
    if key_id:
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    if usage:
        said = dict.fromkeys(
            ("content_commitment", "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign", "encipher_only",
             "decipher_only"), False,
        )  # fmt: skip
        key_usage = x509.KeyUsage(digital_signature=usage == "sign", key_encipherment=usage == "encrypt", **said)
        builder = builder.add_extension(key_usage, critical=True)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode("ascii")


def officer(number: int = 0) -> Officer:
    return _officer(number)


@lru_cache(maxsize=8)
def _officer(number: int) -> Officer:
    key = rsa_key(number)
    return Officer(key, certificate(key))


def opened_by_openssl(envelope: bytes, who: Officer, folder: Path) -> bytes | None:
    """What ``openssl cms`` finds in it; None where there is no openssl."""
    program = shutil.which("openssl")
    if program is None:
        return None
    for name, data in (("blob", envelope), ("key", who.key_pem), ("cert", who.certificate.encode())):
        (folder / name).write_bytes(data)
    arguments = ["-inform", "DER", "-in", "blob", "-inkey", "key", "-recip", "cert", "-binary"]
    done = subprocess.run([program, "cms", "-decrypt", *arguments], cwd=folder, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode("latin_1")
    return done.stdout
