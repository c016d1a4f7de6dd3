"""The gate's own look at Encrypted Attributes (PS3.15 E.1.1): only ours, only where the policy says so, only to whom.

Reads the envelope to its last byte and compares its recipients with the policy's. It cannot open it: that nothing of
the input stands there in clear is for the search, and for a look at how the content begins. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from proxy.deid.encrypted_read import read_envelope
from proxy.deid.identifiers import stripped
from proxy.deid.reading import Leaf
from proxy.deid.recipient import Recipient

ENCRYPTED_ATTRIBUTES_SEQUENCE, ENCRYPTED_CONTENT = 0x04000500, 0x04000520
_SYNTAX = 0x04000510
#: what never stands anywhere else
ABOUT_ORIGINALS = frozenset({ENCRYPTED_ATTRIBUTES_SEQUENCE, _SYNTAX, ENCRYPTED_CONTENT})
_EXPLICIT_LITTLE = b"1.2.840.10008.1.2.1"
#: how a data set begins whose first attribute is Modified Attributes Sequence (0400,0550)
_CLEAR = (b"\x00\x04\x50\x05", b"\x04\x00\x05\x50")


class EnvelopeCheck:
    """One output's encrypted attributes, as they come by."""

    def __init__(self, recipients: Sequence[Recipient]) -> None:
        self._sizes = {each.key_id: (each.size, each.modulus) for each in recipients}

    def allows(self, leaf: Leaf) -> bool:
        """Whether an element that is, or stands in, an Encrypted Attributes Sequence is as it has to be."""
        if not self._sizes:
            return False
        if leaf.tag == ENCRYPTED_ATTRIBUTES_SEQUENCE:
            return not leaf.path
        if leaf.path != (ENCRYPTED_ATTRIBUTES_SEQUENCE, 0):
            return False
        if leaf.tag == _SYNTAX:
            return stripped(leaf.value) == _EXPLICIT_LITTLE
        return leaf.tag == ENCRYPTED_CONTENT and self._is_ours(leaf.value)

    def _is_ours(self, value: memoryview) -> bool:
        try:
            envelope = read_envelope(value)
        except ValueError:
            return False
        keys = dict(envelope.keys)
        if len(envelope.keys) != len(keys) or keys.keys() != self._sizes.keys():
            return False
        for key_id, encrypted in keys.items():
            size, modulus = self._sizes[key_id]
            if len(encrypted) != size or int.from_bytes(encrypted, "big") >= modulus:
                return False
        return bytes(envelope.content[:4]) not in _CLEAR
