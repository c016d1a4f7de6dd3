"""What a quarantine entry is called and what its header says. No I/O but reading the instance to digest it."""

from __future__ import annotations

import hmac
import json
import os
import re
from base64 import b32encode
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from proxy.errors import Reason, SealBroken
from proxy.service.ports import HeldInstance
from proxy.store.sealing import Sealed

#: 120 bits in base32: a file name everywhere, and nothing a path could be made of
ID = re.compile(r"[a-z2-7]{24}")
_PIECE = 1 << 20


def id_key(node_key: bytes) -> bytes:
    """The key of `digest_of`, independent of the sealing keys."""
    return HKDF(SHA256(), 32, None, b"veil/v1/seal-id").derive(node_key)


def digest_of(key: bytes, project: str, source: int, size: int) -> bytes:
    """HMAC-SHA256 over the length-prefixed project and ``size`` bytes of the descriptor ``source``."""
    name = project.encode()
    mac = hmac.new(key, len(name).to_bytes(4, "big") + name, "sha256")
    for offset in range(0, size, _PIECE):
        mac.update(os.pread(source, min(_PIECE, size - offset), offset))
    return mac.digest()


def id_of(digest: bytes) -> str:
    """The entry's id: the first 120 bits of its digest."""
    return b32encode(digest[:15]).decode("ascii").lower()


def encoded(held: HeldInstance) -> bytes:
    """The clear header of a sealed file."""
    return json.dumps(asdict(held) | {"received": held.received.isoformat()}, sort_keys=True).encode()


def decoded(sealed: Sealed, entry_id: str) -> tuple[HeldInstance, dict[str, Any]]:
    """Header and private part of an authentic sealed file; `SealBroken` when it is not ``entry_id``'s."""
    try:
        fields = json.loads(sealed.header)
        fields["received"] = datetime.fromisoformat(fields["received"])
        fields["reason"] = Reason(fields["reason"])
        held = HeldInstance(**fields)
    except (ValueError, TypeError, KeyError):
        raise SealBroken("sealed header is not understood: made by another version of veil?") from None
    if held.id != entry_id or held.size != sealed.size:
        raise SealBroken("sealed file lies under another entry's name")
    return held, json.loads(sealed.private)


def broken(entry_id: str) -> HeldInstance:
    """What is shown for an entry whose header cannot be believed: its name, and that it is broken."""
    nothing = datetime.fromtimestamp(0, UTC)
    return HeldInstance(entry_id, "", Reason.ENGINE_ERROR, "the sealed file fails authentication", nothing, 0, "", "")
