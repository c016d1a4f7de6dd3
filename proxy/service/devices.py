"""The use case *which devices send*: instances counted by what made them and what answered for their pixels.

Stands before the workers and passes their verdicts on. Counts are kept in memory and written by the minute, so that no
sender waits for one; what a crash takes with it was counts. No station, no serial number, no patient.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple
from typing import Protocol

from proxy.deid.device import LONGEST, Device
from proxy.deid.types import Claimed
from proxy.errors import Unavailable
from proxy.service.ports import Deidentifier, Released, Verdict
from proxy.store.devices import Kind, Seen
from proxy.workers.arena import Arena

#: different ones in memory, until they are written
_MOST = 1000
_SECONDS = 60.0


class DeviceStore(Protocol):
    """Where counts stay. Both may raise `Unavailable`."""

    async def add(self, counts: Mapping[Kind, int], now: float) -> None:
        """Durable when it returns; keeps no more than so many kinds of a project."""
        ...

    async def of(self, project: str) -> Sequence[Seen]:
        """All of ``project``."""
        ...


class Devices:
    """A `Deidentifier` that counts. `start`, and `stop` before the database closes."""

    def __init__(self, deidentifier: Deidentifier, store: DeviceStore, clock: Callable[[], float] = time.time) -> None:
        self._deidentifier, self._store, self._clock = deidentifier, store, clock
        self._counts: Counter[Kind] = Counter()
        self._writing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    async def run(self, project: str, arena: Arena, claimed: Claimed) -> Verdict:
        """See `Deidentifier.run`."""
        verdict = await self._deidentifier.run(project, arena, claimed)
        self._count(kind_of(project, verdict), 1)
        return verdict

    def start(self) -> None:
        """Begin to write by the minute."""
        self._task = asyncio.create_task(self._write_on())

    async def stop(self) -> None:
        """Write what there is."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.write()

    async def write(self) -> None:
        """Now. Where that cannot be, the counts stay for the next time."""
        async with self._writing:
            counts, self._counts = self._counts, Counter()
            try:
                if counts:
                    await self._store.add(counts, self._clock())
            except Unavailable:
                for kind, instances in counts.items():
                    self._count(kind, instances)

    async def of(self, project: str) -> Sequence[Seen]:
        """All of ``project``, up to now."""
        await self.write()
        return await self._store.of(project)

    def _count(self, kind: Kind, instances: int) -> None:
        if kind not in self._counts and len(self._counts) >= _MOST:
            kind = kind.lumped
        self._counts[kind] += instances

    async def _write_on(self) -> None:
        while True:
            await asyncio.sleep(_SECONDS)
            await self.write()


def kind_of(project: str, verdict: Verdict) -> Kind:
    """Of one instance."""
    if isinstance(verdict, Released):
        report = verdict.report
        device = Device(report.manufacturer, report.model, report.modality, report.sop_class_uid)
        return Kind(project, _bounded(device), report.pixels_by)
    return Kind(project, _bounded(verdict.device or Device()), "held", str(verdict.reason))


def _bounded(device: Device) -> Device:
    """Whatever a worker may say."""
    return Device(*(text[:LONGEST] for text in astuple(device)))
