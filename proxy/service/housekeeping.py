"""Keeps the database from growing for ever: what is over is forgotten after so many days, on record, bit by bit."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from proxy.errors import Unavailable
from proxy.service.ports import AuditEvent, AuditTrail

_DAY = 86_400.0
_EVERY = 3600.0
#: rows of one transaction, and seconds between two: intake comes first
_BATCH, _PAUSE = 500, 0.05


class Past(Protocol):
    """What can be forgotten; every method may raise `Unavailable`."""

    async def over(self, before: float) -> Mapping[str, int]:
        """Kind → how many were over before then."""
        ...

    async def forget(self, before: float, most: int) -> int:
        """Forget up to ``most`` of each kind; how many that was."""
        ...


class Housekeeping:
    """Forgets what has been over for ``days``."""

    def __init__(self, past: Past, audit: AuditTrail, days: int, clock: Callable[[], float] = time.time) -> None:
        self._past, self._audit, self._days, self._clock = past, audit, days, clock
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, and again every hour."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End; what is left is forgotten another time."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def sweep(self) -> None:
        """Forget all that is due, once that is on record. `Unavailable` leaves the rest."""
        before = self._clock() - self._days * _DAY
        counts = {kind: count for kind, count in (await self._past.over(before)).items() if count}
        if not counts:
            return
        await self._audit.record(
            AuditEvent("history-forgotten", object={"kind": "history", "days": self._days}, counts=counts)
        )
        more = True
        while more:
            more = bool(await self._past.forget(before, _BATCH))
            await asyncio.sleep(_PAUSE)

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(Unavailable):  # said elsewhere; tried again
                await self.sweep()
            await asyncio.sleep(_EVERY)
