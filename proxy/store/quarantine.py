"""Sealed originals. One file per instance in one folder; clear bytes exist only in arenas (memory). Implements `Quarantine`.

An entry's id is keyed over project and bytes, so the same bytes of the same project are one entry, and an id tells
nothing. Usable without a running server: listing, opening and purging need only the folder and the node key.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from proxy.deid.types import Claimed
from proxy.errors import Reason
from proxy.service.ports import Arena, HeldInstance, Peer


class QuarantineFolder:
    """``<id>.sealed`` files, 0600; see `proxy.store.sealing` for what is in them."""

    def __init__(
        self, root: Path, node_key: bytes, max_bytes: int, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """``max_bytes`` bounds the sum of all entries; beyond it `seal` raises `SpoolFull`."""

    async def seal(
        self, arena: Arena, project: str, peer: Peer, claimed: Claimed, reason: Reason, detail: str
    ) -> HeldInstance:
        """See `Quarantine.seal`."""
        raise NotImplementedError

    async def list(self, project: str | None = None) -> list[HeldInstance]:
        """Oldest first. An entry that fails authentication is listed as such, without a project."""
        raise NotImplementedError

    async def open(self, entry_id: str, arena: Arena) -> tuple[HeldInstance, Claimed]:
        """Unseal into an empty ``arena``. KeyError: no such entry; `SealBroken`: altered, or another key."""
        raise NotImplementedError

    async def peer(self, entry_id: str) -> Peer:
        """Who sent it: for the audit of a replay."""
        raise NotImplementedError

    async def purge(self, entry_id: str) -> HeldInstance:
        """Remove for good. KeyError: no such entry."""
        raise NotImplementedError

    async def sweep(self) -> int:
        """The janitor, by the owner of the data folder only: removes (sealed) leftovers of unfinished writes."""
        raise NotImplementedError

    def close(self) -> None:
        """Give the descriptors back."""
