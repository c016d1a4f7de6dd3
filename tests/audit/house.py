"""`House`: intake, delivery and search of one Veil over a real audit log, everything else in memory.

What it does is noted as `Deed`s with a number each that their records carry, so that `held_against` can compare what
was done with what is on disk afterwards.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from proxy.audit.keys import AuditKey
from proxy.audit.sink_file import segments
from proxy.audit.trail import AuditLog
from proxy.audit.verify import verify_folder
from proxy.audit.verify_notes import Keys
from proxy.deid.types import Claimed, Report
from proxy.errors import AuditUnavailable, DiskHangs
from proxy.service.deliver import Deliver
from proxy.service.ingest import Ingest, ProjectRoute
from proxy.service.ports import SpoolItem, Verdict
from proxy.service.search import Search
from proxy.wire.uri import Query
from proxy.workers.arena import Arena
from tests.service.fakes import (
    HELD,
    PEER,
    RELEASED,
    REPORT,
    FakeDeidentifier,
    FakeQuarantine,
    FakeQueue,
    FakeSender,
    FakeSpool,
    World,
)

KEY = AuditKey(bytes(range(32)))
KEYS = Keys.read(KEY.signer("veil").verifier.text())
KINDS = ("released", "held", "query")


@dataclass(frozen=True, slots=True)
class Deed:
    """One operation, whether it was done or refused, and the seconds that took."""

    kind: str
    number: int
    done: bool
    seconds: float


class _Judge(FakeDeidentifier):
    """An instance says itself what becomes of it."""

    async def run(self, project: str, arena: Arena, claimed: Claimed) -> Verdict:
        number, _, kind = bytes(arena.view()).decode().partition(" ")
        if kind == "held":
            return HELD
        return replace(RELEASED, report=replace(REPORT, sop_instance_uid=f"2.25.{int(number)}"))


class _Queue(FakeQueue):
    """A row means that the instance may leave: its record must be on disk by then."""

    def __init__(self, world: World, written: Callable[[], str]) -> None:
        super().__init__(world)
        self._written = written
        self.unrecorded: list[str] = []

    async def enqueue(self, project: str, destinations: Sequence[str], item: SpoolItem, report: Report) -> list[int]:
        if f'"sop_instance_uid":"{report.sop_instance_uid}"' not in self._written():
            self.unrecorded.append(report.sop_instance_uid)
        return await super().enqueue(project, destinations, item, report)


class _Archive:
    async def search(
        self, project: str, level: str, matches: Mapping[str, str], fields: Sequence[str], limit: int, offset: int
    ) -> list[dict[str, Any]]:
        return []


class House:
    """Its audit log is in ``folder``. `open` it first."""

    def __init__(self, folder: Path, told: Callable[[Deed], None] = lambda deed: None) -> None:
        """``told`` hears of each deed as its caller would."""
        self.folder, self._told, world = folder, told, World()
        self.log = AuditLog(folder, "veil", key=KEY)
        self.queue, self.sender, spool = _Queue(world, self._written), FakeSender(world), FakeSpool(world)
        self._deliver = Deliver(self.queue, spool, self.log, {"pacs": self.sender}, poll_seconds=0.05)
        route = {"research": ProjectRoute(("pacs",))}
        quarantine = FakeQuarantine(world)
        self._ingest = Ingest(_Judge(world), spool, self.queue, quarantine, self.log, route, self._deliver.notify)
        self._search = Search(_Archive(), self.log)
        self._numbers = itertools.count(1)
        self.deeds: list[Deed] = []

    async def open(self) -> None:
        await self.log.open()
        await self._deliver.start()

    async def close(self) -> None:
        """When everything that waits is delivered."""
        async with asyncio.timeout(30):
            while set(self.queue.states()) - {"delivered"}:
                await asyncio.sleep(0.01)
        await self._deliver.stop(10)
        await self.log.close()

    async def act(self, kind: str) -> Deed:
        """One operation, from its caller's side."""
        number, began, done = next(self._numbers), time.monotonic(), True
        try:
            if kind == "query":
                await self._search.search("research", "study", {}, Query({"PatientID": f"Q{number}"}), PEER)
            else:
                with Arena(64) as arena:
                    arena.write(text(kind, number))
                    await self._ingest.receive("research", arena, Claimed(), PEER)
        except (AuditUnavailable, DiskHangs):  # whichever notices first
            done = False
        deed = Deed(kind, number, done, time.monotonic() - began)
        self.deeds.append(deed)
        self._told(deed)
        return deed

    async def act_all(self) -> list[Deed]:
        """One of each kind, at the same time."""
        return list(await asyncio.gather(*map(self.act, KINDS)))

    def _written(self) -> str:
        return "".join(path.read_text() for path in segments(self.folder))


def text(kind: str, number: int) -> bytes:
    """What an instance says; the fake quarantine makes its entry's id of the first eight bytes."""
    return f"{number:08} {kind}".encode()


def mark(kind: str, number: int) -> str:
    """What the record of a deed has that no other has."""
    if kind == "query":
        return f'"PatientID":"{KEY.conceal("research", f"Q{number}")}"'
    uid, entry = f'"sop_instance_uid":"2.25.{number}"', f'"id":"q-{text(kind, number).hex()[:16]}"'
    return uid if kind == "released" else entry


def recorded(folder: Path) -> list[str]:
    """The lines of a log that verifies, without those that came too late."""
    result = verify_folder(folder, keys=KEYS, complete=True)
    assert result.ok, result.problems
    lines = [line for path in segments(folder) for line in path.read_text().splitlines()]
    late: set[int] = set()
    for record in map(json.loads, lines):
        if record["type"] == "audit-late":
            late |= set(range(record["object"]["first"], record["object"]["last"] + 1))
    return [line for line in lines if json.loads(line)["seq"] not in late]
