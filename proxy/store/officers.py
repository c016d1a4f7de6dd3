"""Security officers by their keys: what is sealed to one, opened by one, signed by one. Elliptic curve P-256.

Sealed = an ephemeral public point (65 bytes) | AES-256-GCM under HKDF-SHA256(ECDH, "veil/v1/officer" | both points),
nonce 0 (the key is used once), with associated data. Signed = ECDSA with SHA-256 over "veil/v1/reidentify\\n" and the
text. Private keys are used by the verbs on an officer's machine only; nothing of a running proxy has one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import InvalidSignature, InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from proxy.errors import ConfigError, SealBroken

_CURVE = ec.SECP256R1
_POINT = 65
_NONCE = bytes(12)
_SIGNED = b"veil/v1/reidentify\n"
_SIGNS = ec.ECDSA(SHA256())
_HOW = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 makes one, with its key"


@dataclass(frozen=True, slots=True)
class Officer:
    """``key_id``: SHA-256 of the public key, in hexadecimal."""

    name: str
    key_id: str
    public: ec.EllipticCurvePublicKey = field(repr=False)

    def seal(self, plain: bytes, bound: bytes) -> bytes:
        """``plain`` for this officer alone; it opens with ``bound`` alone."""
        ephemeral = ec.generate_private_key(_CURVE())
        point = _point(ephemeral.public_key())
        key = _derived(ephemeral.exchange(ec.ECDH(), self.public), point, _point(self.public))
        return point + AESGCM(key).encrypt(_NONCE, plain, bound)

    def signed(self, text: str, signature: str) -> bool:
        """Whether this officer signed ``text``; ``signature`` in hexadecimal."""
        try:
            self.public.verify(bytes.fromhex(signature), _SIGNED + text.encode(), _SIGNS)
        except (InvalidSignature, ValueError):
            return False
        return True


def officer(name: str, pem: str, where: str) -> Officer:
    """Of a certificate in PEM; `ConfigError` for one whose key is not on P-256. Validity in time is not looked at."""
    try:
        public = x509.load_pem_x509_certificate(pem.encode()).public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise ConfigError(where, f"the certificate cannot be read: {type(error).__name__}", _HOW) from None
    if not isinstance(public, ec.EllipticCurvePublicKey) or not isinstance(public.curve, _CURVE):
        raise ConfigError(where, "the key of an officer's certificate is one on the curve P-256", _HOW)
    return Officer(name, key_id(public), public)


def key_id(public: ec.EllipticCurvePublicKey) -> str:
    """See `Officer`."""
    return hashlib.sha256(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def opened(private: ec.EllipticCurvePrivateKey, sealed: bytes, bound: bytes) -> bytes:
    """What `Officer.seal` sealed; `SealBroken` with another key, or where a byte was changed."""
    try:
        ephemeral = ec.EllipticCurvePublicKey.from_encoded_point(_CURVE(), sealed[:_POINT])
        shared = private.exchange(ec.ECDH(), ephemeral)
        key = _derived(shared, sealed[:_POINT], _point(private.public_key()))
        return AESGCM(key).decrypt(_NONCE, sealed[_POINT:], bound)
    except (InvalidTag, ValueError):
        raise SealBroken("this was not sealed to this key, or it was altered") from None


def sign(private: ec.EllipticCurvePrivateKey, text: str) -> str:
    """A signature in hexadecimal; see `Officer.signed`."""
    return private.sign(_SIGNED + text.encode(), _SIGNS).hex()


def _point(public: ec.EllipticCurvePublicKey) -> bytes:
    return public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _derived(shared: bytes, ephemeral: bytes, recipient: bytes) -> bytes:
    return HKDF(SHA256(), 32, None, b"veil/v1/officer" + ephemeral + recipient).derive(shared)
