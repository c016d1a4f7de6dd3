"""To whom originals are encrypted: certificates of security officers, as far as an envelope needs them.

PS3.15 E.1.1 asks for RSA key transport, so other keys are refused. A recipient is named by the key identifier of the
certificate (RFC 5652 6.2.1), never by issuer and serial number, which may say the institution in clear. Validity in
time, chains and revocation are not looked at: the configuration names the certificate. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from proxy.deid.recipient import Recipient
from proxy.errors import ConfigError

LEAST_BITS = 2048
_MARK = "-----BEGIN CERTIFICATE-----"
#: what the parser raises for a certificate that is none
_UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension)


def read_recipients(certificates: Iterable[str], where: str) -> tuple[Recipient, ...]:
    """One for each PEM text, by key identifier; `ConfigError` for what cannot be encrypted to."""
    found = sorted(_recipient(text, where) for text in certificates)
    if len({each.key_id for each in found}) != len(found):
        raise ConfigError(where, "one certificate stands twice")
    return tuple(found)


def _recipient(text: str, where: str) -> Recipient:
    if text.count(_MARK) != 1:
        raise ConfigError(where, "each file holds one certificate in PEM", "without the chain above it")
    try:
        certificate = x509.load_pem_x509_certificate(text.encode())
        key = certificate.public_key()
        key_id = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound:
        raise ConfigError(where, "a certificate has no Subject Key Identifier") from None
    except _UNREADABLE as error:
        raise ConfigError(where, f"a certificate cannot be read: {type(error).__name__}") from None
    if not isinstance(key, RSAPublicKey) or key.key_size < LEAST_BITS:
        raise ConfigError(where, f"a certificate's key is not RSA of at least {LEAST_BITS} bits")
    if not _may_encrypt(certificate):
        raise ConfigError(where, "a certificate's key usage does not allow to encrypt keys")
    numbers = key.public_numbers()
    return Recipient(key_id, numbers.n, numbers.e)


def _may_encrypt(certificate: x509.Certificate) -> bool:
    """RFC 5280 4.2.1.3: a certificate that says what its key is for has to say keyEncipherment."""
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value.key_encipherment
    except x509.ExtensionNotFound:
        return True
