"""To whom originals are encrypted, as far as an envelope needs it; `encrypted_recipients` reads certificates."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Recipient:
    """``key_id``: Subject Key Identifier (RFC 5280 4.2.1.2); the RSA public key (RFC 8017 3.1)."""

    key_id: bytes
    modulus: int
    exponent: int

    @property
    def size(self) -> int:
        """Bytes of the modulus, and of whatever is encrypted with it."""
        return (self.modulus.bit_length() + 7) // 8
