"""What the use cases need from the world, as small protocols. Each method says what blocks and what errors mean.

All ``async`` methods are called on the one event loop; implementations move blocking work to threads themselves.
Every method may raise a member of `proxy.errors`; anything else is a bug and ends in quarantine or A700.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from proxy.errors import Reason
from proxy.workers.arena import Arena as Arena  # adapters take it from here: they may not import a sibling room

if TYPE_CHECKING:  # the engine takes a second to import, which a verb that reads the audit log need not wait
    import asyncio

    from proxy.deid.device import Device
    from proxy.deid.release import Release
    from proxy.deid.types import Chunk, Claimed, Original, Report


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is on the other end. ``address`` is an IP without port; the AE titles are "" for HTTP.

    ``name``: of the caller, where callers are asked who they are.
    """

    transport: str  # "dimse", "dicomweb" or "cli"
    address: str = ""
    calling_ae: str = ""
    called_ae: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Released:
    """A worker's good news: chunks that refer to the arena, and the gate's permission to let them out."""

    release: Release
    chunks: tuple[Chunk, ...]
    original: Original
    report: Report
    milliseconds: float


@dataclass(frozen=True, slots=True)
class Held:
    """A worker's bad news. ``detail`` is free of values. ``original`` is set where the input could be read that far.

    ``device``: what made the instance, as far as that can be told.
    """

    reason: Reason
    detail: str = ""
    original: Original | None = None
    milliseconds: float = 0.0
    device: Device | None = None


Verdict = Released | Held


class Deidentifier(Protocol):
    """De-identification somewhere else: a worker process."""

    async def run(self, project: str, arena: Arena, claimed: Claimed) -> Verdict:
        """Judge one Part 10 instance. Never raises for what an instance does (crash, time-out, bomb: `Held`);

        `WorkersUnavailable` when no worker can be had.
        """
        ...


@dataclass(frozen=True, slots=True, repr=False)
class Concealed:
    """An original identifier inside `AuditEvent.object`: the audit stream writes a keyed digest in its place."""

    project: str
    value: str


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One record before it is numbered, timed and chained. Values are pseudonymous or bounded; never PHI."""

    type: str  # those of docs/audit.md
    outcome: str = "success"  # success, failure
    project: str = ""
    peer: Mapping[str, str] = field(default_factory=dict)
    object: Mapping[str, Any] = field(default_factory=dict)  # kind, pseudonymous UIDs, sha256, queue or quarantine id
    reason: str = ""
    policy_digest: str = ""
    key_epoch: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    behalf: Mapping[str, str] = field(default_factory=dict)  # on whose behalf, where ``peer`` acts for somebody else


class AuditTrail(Protocol):
    """The audit stream: no record, no operation."""

    async def record(self, *events: AuditEvent) -> None:
        """Returns when every event is durable in at least one sink. `AuditUnavailable` (within 2 s) otherwise."""
        ...


@dataclass(frozen=True, slots=True)
class SpoolItem:
    """A released instance on disk: a Part 10 file whose bytes are those the gate verified."""

    name: str  # file name inside the spool, made from the digest, never from the wire
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Placed:
    """A spool item that is written and found to be what the gate released. ``settled`` when it is durable."""

    item: SpoolItem
    settled: asyncio.Future[SpoolItem]


class Spool(Protocol):
    """De-identified bytes on their way out."""

    async def write(self, release: Release, chunks: Sequence[Chunk], arena: Arena) -> SpoolItem:
        """`place` and `settle`, for who has nothing to do meanwhile."""
        ...

    async def place(self, release: Release, chunks: Sequence[Chunk], arena: Arena) -> Placed:
        """Temp file, verification, rename. Refuses bytes that are not those of the release (`InstanceHeld`).

        `SpoolFull` on ENOSPC or above the high-water mark. It is made durable meanwhile: `settle` waits for that.
        """
        ...

    async def settle(self, placed: Placed) -> None:
        """fsync of the file and of the folder: it is durable when this returns. A failed fsync ends the process."""
        ...

    def path(self, name: str) -> Path:
        """Where a spooled file lies, for a sender to read."""
        ...

    async def remove(self, name: str) -> None:
        """Forget a file once nothing refers to it."""
        ...


@dataclass(frozen=True, slots=True)
class HeldInstance:
    """The readable part of a quarantine entry: no PHI. The clear bytes come only from `Quarantine.open`."""

    id: str
    project: str
    reason: Reason
    detail: str
    received: datetime
    size: int
    transport: str
    sha256: str  # HMAC of the sealed input under the node key, not a plain digest


class Quarantine(Protocol):
    """AES-GCM sealed originals that may not leave."""

    async def seal(
        self, arena: Arena, project: str, peer: Peer, claimed: Claimed, reason: Reason, detail: str
    ) -> HeldInstance:
        """Durable when it returns. The same bytes for the same project give the same entry again, not a second one."""
        ...

    async def list(self, project: str | None = None) -> list[HeldInstance]:
        """What is held, of one project or of all."""
        ...

    async def open(self, entry_id: str, arena: Arena) -> tuple[HeldInstance, Claimed]:
        """Unseal into ``arena`` (memory only). KeyError for an unknown id."""
        ...

    async def purge(self, entry_id: str) -> HeldInstance:
        """Destroy an entry. KeyError for an unknown id."""
        ...


@dataclass(frozen=True, slots=True)
class QueueRow:
    """One instance for one destination."""

    id: int
    project: str
    destination: str
    spool_name: str
    sha256: str
    size: int
    sop_class_uid: str
    transfer_syntax_uid: str
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    patient_id: str
    attempts: int
    queued_at: float  # seconds since the epoch


class DeliveryQueue(Protocol):
    """Durable rows, one per (instance, destination); idempotent on (project, destination, SOP Instance UID, sha256)."""

    async def enqueue(self, project: str, destinations: Sequence[str], item: SpoolItem, report: Report) -> list[int]:
        """Commit one row per destination in one transaction (synchronous=FULL); returns the row ids.

        A row that still waits is left alone; one already delivered is queued again (a resend is asked for).
        """
        ...

    async def claim(self, destination: str, most: int, now: float) -> list[QueueRow]:
        """Rows due at ``now``, oldest first, marked as in flight until `done`, `retry`, `fail` or the next start."""
        ...

    async def done(self, row: QueueRow) -> bool:
        """Delivered. Returns True when no other row refers to the spool file any more."""
        ...

    async def retry(self, row: QueueRow, at: float, code: str) -> None:
        """Waiting again, due at ``at``; ``code`` says what the destination answered."""
        ...

    async def fail(self, row: QueueRow, code: str) -> None:
        """Given up on this instance at this destination (held there): kept, replayable, not claimed."""
        ...

    async def counts(self) -> Mapping[str, Mapping[str, int]]:
        """destination → state (waiting, in_flight, delivered, failed) → rows."""
        ...


class Sender(Protocol):
    """One destination's transport. Reuses its connections."""

    async def send(self, row: QueueRow, path: Path) -> None:
        """Returns when the destination has accepted the instance. Raises a `DeliveryError`."""
        ...

    async def close(self) -> None:
        """Give connections back. Does not wait for anything under way."""
        ...


class Archive(Protocol):
    """The embedded default PACS: de-identified Part 10 files in a tree and an index."""

    async def store(self, project: str, path: Path) -> bool:
        """File the Part 10 file at ``path`` (linked or copied, atomically, durably). False: it was there already."""
        ...

    async def search(
        self, project: str, level: str, matches: Mapping[str, str], fields: Sequence[str], limit: int, offset: int
    ) -> list[dict[str, Any]]:
        """DICOM JSON objects (PS3.18 F) in a stable order. ``level``: study, series or instance; matches by keyword."""
        ...

    async def instances(self, project: str, study: str, series: str = "", instance: str = "") -> list[Path]:
        """Files of a study, series or instance in a stable order, named by SOP Instance UID; [] when there is none."""
        ...

    async def metadata(self, path: Path) -> dict[str, Any]:
        """One instance's DICOM JSON (PS3.18 F) without group 0002; bulk values are left out and named by a relative

        ``BulkDataURI`` where they are longer than 1 KiB.
        """
        ...
