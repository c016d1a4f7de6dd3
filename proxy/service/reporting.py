"""What reports of storage commitment need from the world: where they are kept, and a way to who asked."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from proxy.service.commitment import Committed, Named
from proxy.store.commitment_reports import Owed


class NotReported(Exception):
    """The requester did not take a report. ``code``: why, in a word; ``refused``: it was reached and said no."""

    def __init__(self, code: str, refused: bool = False) -> None:
        super().__init__(code)
        self.code, self.refused = code, refused


class Store(Protocol):
    """Reports that outlive the process; every method may raise `Unavailable`."""

    async def due(self, now: float, most: int, busy: Collection[str]) -> list[Owed]:
        """Reports due at ``now``, but for those to a requester in ``busy``."""
        ...

    async def next_due(self, busy: Collection[str]) -> float | None:
        """When the next of such reports is due; None while there is none."""
        ...

    async def open(self, owed: Owed) -> tuple[str, list[Named]]:
        """The transaction UID and the instances. `SealBroken` where a row was altered."""
        ...

    async def keep(self, owed: Owed, state: str, due_at: float, code: str = "") -> None:
        """Remember how the report stands."""
        ...

    async def counts(self) -> Mapping[str, int]:
        """State → reports."""
        ...


class Messenger(Protocol):
    """The way to a requester."""

    async def report(self, owed: Owed, transaction: str, result: Committed) -> None:
        """Returns when the requester has taken the report. Raises `NotReported`."""
        ...
