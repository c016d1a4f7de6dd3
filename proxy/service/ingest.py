"""The use case *ingest*: one received instance becomes a released copy on its way, or a sealed original.

Order (the acknowledgement contract): worker verdict → spool file written and verified → its fsync, that of the folder
and the audit record on disk, side by side → queue row committed → return. Held: sealed → audit record → return.
Whoever calls may answer success exactly when `Ingest.receive` returns; when it raises `Unavailable` nothing was
promised and the sender keeps the instance. A disk that hangs is not waited for (`proxy.service.disk_watch`).
Knows neither DIMSE nor HTTP. Sees clear bytes only as an `Arena` it hands on; never reads them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from proxy.deid.types import Claimed, Original, Report
from proxy.errors import MALFORMED_REASONS, AuditUnavailable, DiskHangs, InstanceHeld, Reason, Unavailable
from proxy.service import events
from proxy.service.arrival import Arrival
from proxy.service.awaiting import every, finished, tell
from proxy.service.disk_watch import DiskWatch
from proxy.service.ports import (
    AuditTrail,
    Deidentifier,
    DeliveryQueue,
    Held,
    HeldInstance,
    Peer,
    Quarantine,
    Released,
    Spool,
)
from proxy.workers.arena import Arena

Answer = Literal["accept", "refuse"]


@dataclass(frozen=True, slots=True)
class ProjectRoute:
    """Where a project's released instances go, and what the sender of a held one is told."""

    destinations: tuple[str, ...]
    held_answer: str = "accept"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one instance. ``stored``: a de-identified copy is on its way; otherwise it is held for ``reason``.

    Either way the bytes are safe. ``answer`` is what the sender is to be told.
    """

    stored: bool
    reason: Reason | None
    original: Original | None
    report: Report | None
    milliseconds: float
    answer: Answer


def _nobody(destinations: Sequence[str]) -> None:
    """Nobody waits for new rows."""


async def _forgotten(project: str, report: Report, original: Original) -> None:
    """There is no identity drawer."""


async def _uncounted(project: str, entry: HeldInstance, original: Original | None, peer: Peer) -> None:
    """Nobody counts what is held."""


class Ingest:
    """Receives instances for ``projects``."""

    def __init__(
        self,
        deidentifier: Deidentifier,
        spool: Spool,
        queue: DeliveryQueue,
        quarantine: Quarantine,
        audit: AuditTrail,
        projects: Mapping[str, ProjectRoute],
        notify: Callable[[Sequence[str]], None] = _nobody,
        remember: Callable[[str, Report, Original], Awaitable[None]] = _forgotten,
        count: Callable[[str, HeldInstance, Original | None, Peer], Awaitable[None]] = _uncounted,
        disk: DiskWatch | None = None,
    ) -> None:
        """``notify`` is told the destinations that have a new row; it must not block.

        ``remember`` keeps, durably, whose a released instance was, where a project wants that; ``count``, of which
        study a held one is.
        """
        self._deidentifier, self._spool, self._queue = deidentifier, spool, queue
        self._quarantine, self._audit, self._projects = quarantine, audit, projects
        self._notify, self._remember, self._count = notify, remember, count
        self._disk = disk or DiskWatch()
        self._behind: dict[asyncio.Future[Outcome], Arena] = {}  # what goes on behind a refusal

    async def receive(self, project: str, arena: Arena, claimed: Claimed, peer: Peer) -> Outcome:
        """Judge, store and record one Part 10 instance; raises `Unavailable` when no promise can be made.

        The arena stays the caller's, to close afterwards. A caller who is cancelled is held until the work under
        way has come to its end, so that the arena outlives it.
        """
        if project not in self._projects:
            raise Unavailable("no such project")
        arrival = Arrival(project, arena, claimed, peer)
        if (hangs := self._disk.hangs) is not None:
            await self._refused(arrival, hangs)
            raise hangs
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        work = asyncio.ensure_future(self._receive(arrival, answer))
        work.add_done_callback(lambda _: tell(work, answer))
        try:
            return await answer
        except asyncio.CancelledError:
            await finished(work)
            raise
        except DiskHangs:
            arena.keep()
            self._behind[work] = arena
            work.add_done_callback(lambda _: self._behind.pop(work).release())
            raise

    @property
    def hangs(self) -> bool:
        """Whether the disk keeps instances waiting and finishes none; for readiness."""
        return self._disk.hangs is not None

    async def _receive(self, arrival: Arrival, answer: asyncio.Future[Outcome]) -> Outcome:
        """``answer`` is who waits for it."""
        try:
            return await self._judged(arrival, answer)
        finally:
            self._disk.end(answer)

    async def _judged(self, arrival: Arrival, answer: asyncio.Future[Outcome]) -> Outcome:
        started = time.monotonic()
        try:
            verdict = await self._deidentifier.run(arrival.project, arrival.arena, arrival.claimed)
            self._disk.begin(answer, arrival.arena.size)
            if isinstance(verdict, Released):
                return await self._release(arrival, verdict)
            return await self._hold(arrival, verdict)
        except Unavailable as error:
            await self._refused(arrival, error)
            raise
        except InstanceHeld as error:  # the spool did not find the bytes that the gate saw
            held = Held(error.reason, error.detail)
        except Exception as error:  # noqa: BLE001 - a bug must cost this instance only, and not its bytes
            held = Held(Reason.ENGINE_ERROR, type(error).__name__)
        self._disk.begin(answer, arrival.arena.size)
        spent = (time.monotonic() - started) * 1000
        return await self._hold_after_bug(arrival, replace(held, milliseconds=spent))

    async def _release(self, arrival: Arrival, verdict: Released) -> Outcome:
        project = arrival.project
        destinations = self._projects[project].destinations
        placed = await self._spool.place(verdict.release, verdict.chunks, arrival.arena)
        item = placed.item
        told = events.released(project, arrival.peer, item, verdict.report, verdict.original)
        record = arrival.record(self._audit, told)
        try:
            # all this waiting at once: nothing can follow any of it but the row, which needs it all
            await every(self._spool.settle(placed), record, self._remember(project, verdict.report, verdict.original))
            await self._queue.enqueue(project, destinations, item, verdict.report)
        except Unavailable:
            # nothing refers to it; it must not fill the disk while a sender retries
            await self._spool.remove(item.name)
            raise
        # scheduled, not called: what waits for rows can no longer change this outcome
        asyncio.get_running_loop().call_soon(self._notify, destinations)
        return Outcome(True, None, verdict.original, verdict.report, verdict.milliseconds, "accept")

    async def _hold(self, arrival: Arrival, held: Held) -> Outcome:
        a = arrival
        entry = await self._quarantine.seal(a.arena, a.project, a.peer, a.claimed, held.reason, held.detail)
        await self._count(a.project, entry, held.original, a.peer)
        await a.record(self._audit, events.held(a.project, a.peer, entry, held.original))
        refuse = held.reason in MALFORMED_REASONS or self._projects[a.project].held_answer == "refuse"
        answer: Answer = "refuse" if refuse else "accept"
        return Outcome(False, held.reason, held.original, None, held.milliseconds, answer)

    async def _hold_after_bug(self, arrival: Arrival, held: Held) -> Outcome:
        try:
            return await self._hold(arrival, held)
        except Unavailable as error:
            await self._refused(arrival, error)
            raise
        except Exception as error:  # noqa: BLE001 - not even sealed: only the sender still has it
            raise Unavailable(f"cannot seal the instance: {type(error).__name__}") from None

    async def _refused(self, arrival: Arrival, error: Unavailable) -> None:
        """Record a refusal where that is possible; a refusal promises nothing, so it needs no record to stand."""
        if isinstance(error, AuditUnavailable):
            return
        try:
            why = type(error).__name__
            told = events.refused(arrival.project, arrival.peer, arrival.arena.size, why)
            await arrival.record(self._audit, told)
        except Unavailable:
            return
