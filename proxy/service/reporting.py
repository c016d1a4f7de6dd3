"""What reports of storage commitment need from the world: where they are kept, and a way to who asked."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from proxy.service.commitment import Committed, Named
from proxy.store.commitment_reports import Owed


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds: for destinations to accept what was asked about; then, for the requester to take the report."""

    wait_seconds: float = 24 * 3600.0
    report_seconds: float = 72 * 3600.0


class NotReported(Exception):
    """The requester did not take a report. ``code``: why, in a word.

    ``refused``: it was reached and said no; ``nowhere``: there is no address to reach it at.
    """

    def __init__(self, code: str, refused: bool = False, nowhere: bool = False) -> None:
        super().__init__(code)
        self.code, self.refused, self.nowhere = code, refused, nowhere


class Store(Protocol):
    """Reports that outlive the process; every method may raise `Unavailable`."""

    async def due(self, now: float, most: int, busy: Collection[str]) -> list[Owed]:
        """Reports due at ``now``, but for those to a requester in ``busy``."""
        ...

    async def next_due(self, busy: Collection[str]) -> float | None:
        """When the next of such reports is due; None while there is none."""
        ...

    async def hurry(self, now: float) -> None:
        """Whatever is settled and not yet reported is due now."""
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

    async def report_here(self, owed: Owed, transaction: str, result: Committed) -> bool:
        """On the association of the request: whether it was taken. Raises `NotReported` when it was refused."""
        ...

    async def report(self, owed: Owed, transaction: str, result: Committed) -> None:
        """Elsewhere. Returns when the requester has taken the report. Raises `NotReported`."""
        ...
