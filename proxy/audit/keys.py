"""What one audit key is good for: signing checkpoints, and digests of identifiers that records must not show.

Signing seed = HKDF-SHA256(key, "veil/v1/audit/sign"), digest key = HKDF-SHA256(key, "veil/v1/audit/conceal"). A digest
is ``hmac:`` and the first 128 bits, in hexadecimal, of HMAC-SHA256 over project, a zero byte and the value (NFC,
without blanks and zero bytes around it), so that one patient in two projects has two digests.
"""

from __future__ import annotations

import hmac
import unicodedata

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from proxy.audit.notes import COSIGNS, ORIGIN, Signer

_DIGITS = 32


class AuditKey:
    """``root``: the 32 bytes of the key file, which are not kept."""

    def __init__(self, root: bytes) -> None:
        self._seed = _derived(root, "sign")
        self._conceal = _derived(root, "conceal")

    def signer(self, node: str) -> Signer:
        """Signs the checkpoints of ``node``."""
        return Signer(ORIGIN + node, self._seed)

    def conceal(self, project: str, value: str) -> str:
        """What stands in a record for an identifier of ``project`` as it was before de-identification."""
        plain = unicodedata.normalize("NFC", value).strip(" \0")
        message = project.encode() + b"\0" + plain.encode("utf-8", "surrogatepass")
        return "hmac:" + hmac.digest(self._conceal, message, "sha256").hex()[:_DIGITS]


def witness(name: str, root: bytes) -> Signer:
    """Co-signs checkpoints as ``name``, with a key of its own."""
    return Signer(name, _derived(root, "witness"), COSIGNS)


def _derived(root: bytes, purpose: str) -> bytes:
    return HKDF(SHA256(), 32, None, b"veil/v1/audit/" + purpose.encode()).derive(root)
