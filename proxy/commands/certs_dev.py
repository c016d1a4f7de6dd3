"""A certification authority for development: makes certificates in memory. Writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as ec_key
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as rsa_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_RSA_BITS = 3072
#: clocks differ
_BEFORE = timedelta(minutes=5)
#: every usage of X509 that is not named is not allowed
_USAGES = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
    *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)
Key = EllipticCurvePrivateKey | RSAPrivateKey


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: Key

    @property
    def certificate_pem(self) -> bytes:
        """Public."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """Not encrypted."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def authority(days: int, rsa: bool = False) -> Pair:
    """A new authority, which signs certificates of peers and no other authority."""
    key, name = _key(rsa), _name("Veil development authority")
    builder = _builder(name, name, key, days)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
    return Pair(builder.sign(key, SHA256()), key)


def issue(signer: Pair, name: str, names: Sequence[str], days: int, rsa: bool = False, late: bool = False) -> Pair:
    """A certificate for a peer that answers to ``names`` (hosts and addresses), as client and as server.

    In DICOM a modality is both: storage commitment comes to it. ``late``: it ended ``days`` ago.
    """
    key = _key(rsa)
    builder = _builder(_name(name), signer.certificate.subject, key, days, late)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage("digital_signature"), critical=True)
    both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    builder = builder.add_extension(x509.ExtendedKeyUsage(both), critical=False)
    builder = builder.add_extension(x509.SubjectAlternativeName([_general(each) for each in names]), critical=False)
    signed = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key())
    return Pair(builder.add_extension(signed, critical=False).sign(signer.key, SHA256()), key)


def _builder(subject: x509.Name, issuer: x509.Name, key: Key, days: int, late: bool = False) -> x509.CertificateBuilder:
    now, length = datetime.now(UTC).replace(microsecond=0), timedelta(days=days)
    start = now - _BEFORE - (2 * length if late else timedelta())
    builder = x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(start).not_valid_after(start + length)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)


def _key(rsa: bool) -> Key:
    return rsa_key(65537, _RSA_BITS) if rsa else ec_key(SECP256R1())


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _usage(*allowed: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{name: name in allowed for name in _USAGES})


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
