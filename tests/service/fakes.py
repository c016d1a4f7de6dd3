"""The ports as memory. Each call is noted in one shared list, in order, and any call can be made to fail."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from proxy.deid.types import Chunk, Claimed, Original, Report
from proxy.deid.verify import Release
from proxy.errors import AuditUnavailable, Reason
from proxy.service.ports import AuditEvent, Held, HeldInstance, Peer, Placed, QueueRow, Released, SpoolItem, Verdict
from proxy.workers.arena import Arena

PEER = Peer("dimse", "10.0.0.1", "CT1", "VEIL")
ORIGINAL = Original("1.2.3", "1.2.4", "1.2.5", "1.2.6")
REPORT = Report(
    "1.2.3", "1.2.840.10008.1.2.1", "CT", "P-1", "2.25.1", "2.25.2", "2.25.3", "20000101", "d" * 64, 1, {"removed": 3}
)
RELEASED = Released(Release(7, b"nonce", b"tag"), (b"chunk",), ORIGINAL, REPORT, 1.5)
HELD = Held(Reason.IDENTIFIER_REMAINS, "(0010,0020)", ORIGINAL, 2.5)


class World:
    """What happened, and what goes wrong."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        #: call → errors to raise, one a call; an `asyncio.Event` is waited for
        self.faults: dict[str, list[BaseException | asyncio.Event]] = {}

    async def happen(self, call: str) -> None:
        """A port's method begins; it is noted when it has succeeded."""
        await asyncio.sleep(0)
        waiting = self.faults.get(call)
        if waiting:
            fault = waiting.pop(0)
            if isinstance(fault, BaseException):
                raise fault
            await fault.wait()
        self.calls.append(call)


class FakeDeidentifier:
    def __init__(self, world: World, verdict: Verdict = RELEASED) -> None:
        self.world, self.verdict = world, verdict

    async def run(self, project: str, arena: Arena, claimed: Claimed) -> Verdict:
        await self.world.happen("run")
        return self.verdict


class FakeSpool:
    def __init__(self, world: World) -> None:
        self.world = world
        self.files: set[str] = set()

    async def write(self, release: Release, chunks: Sequence[Chunk], arena: Arena) -> SpoolItem:
        placed = await self.place(release, chunks, arena)
        await self.settle(placed)
        return placed.item

    async def place(self, release: Release, chunks: Sequence[Chunk], arena: Arena) -> Placed:
        await self.world.happen("write")
        assert arena.fd >= 0, "the arena was closed under the spool"
        self.files.add("file-1")
        return Placed(SpoolItem("file-1", "a" * 64, release.size), asyncio.get_running_loop().create_future())

    async def settle(self, placed: Placed) -> None:
        await self.world.happen("settle")

    def path(self, name: str) -> Path:
        return Path("/spool") / name

    async def remove(self, name: str) -> None:
        await self.world.happen("remove")
        self.files.discard(name)


class FakeQuarantine:
    def __init__(self, world: World) -> None:
        self.world = world
        self.entries: dict[str, tuple[HeldInstance, bytes]] = {}

    async def seal(
        self, arena: Arena, project: str, peer: Peer, claimed: Claimed, reason: Reason, detail: str
    ) -> HeldInstance:
        await self.world.happen("seal")
        data = bytes(arena.view())
        name = f"q-{data.hex()[:16]}"
        moment = datetime(2026, 1, 1, tzinfo=UTC)
        entry = HeldInstance(name, project, reason, detail, moment, len(data), peer.transport, "0" * 64)
        self.entries[name] = entry, data
        return entry

    async def list(self, project: str | None = None) -> list[HeldInstance]:
        return [entry for entry, _ in self.entries.values()]

    async def open(self, entry_id: str, arena: Arena) -> tuple[HeldInstance, Claimed]:
        await self.world.happen("open")
        entry, data = self.entries[entry_id]
        arena.write(data)
        return entry, Claimed()

    async def purge(self, entry_id: str) -> HeldInstance:
        await self.world.happen("purge")
        return self.entries.pop(entry_id)[0]


class Audit:
    def __init__(self, broken: bool = False) -> None:
        self.events: list[AuditEvent] = []
        self.broken = broken

    async def record(self, *events: AuditEvent) -> None:
        if self.broken:
            raise AuditUnavailable("no sink")
        self.events += events


class FakeAudit:
    def __init__(self, world: World) -> None:
        self.world = world
        self.events: list[AuditEvent] = []

    async def record(self, *events: AuditEvent) -> None:
        await self.world.happen("record " + "+".join(event.type for event in events))
        self.events += events

    @property
    def types(self) -> list[str]:
        return [event.type for event in self.events]


class FakeQueue:
    def __init__(self, world: World, clock: Any = None) -> None:
        self.world, self.clock = world, clock or (lambda: 0.0)
        self.rows: dict[int, dict[str, Any]] = {}

    def add(self, destination: str = "pacs", count: int = 1, spool_name: str = "") -> list[int]:
        ids = []
        for _ in range(count):
            number = len(self.rows) + 1
            name = spool_name or f"file-{number}"
            self.rows[number] = {
                "destination": destination, "state": "waiting", "due": 0.0, "attempts": 0, "spool_name": name,
            }  # fmt: skip
            ids.append(number)
        return ids

    def states(self) -> list[str]:
        return [row["state"] for row in self.rows.values()]

    async def enqueue(self, project: str, destinations: Sequence[str], item: SpoolItem, report: Report) -> list[int]:
        await self.world.happen("enqueue")
        return [n for destination in destinations for n in self.add(destination, 1, item.name)]

    async def claim(self, destination: str, most: int, now: float) -> list[QueueRow]:
        await self.world.happen("claim")
        due = [
            (number, row)
            for number, row in self.rows.items()
            if row["destination"] == destination and row["state"] == "waiting" and row["due"] <= now
        ]
        due.sort(key=lambda pair: (pair[1]["due"], pair[0]))
        for _, row in due[:most]:
            row["state"] = "in_flight"
        return [_queue_row(number, row) for number, row in due[:most]]

    async def done(self, row: QueueRow) -> bool:
        await self.world.happen("done")
        self.rows[row.id]["state"] = "delivered"
        return not any(r["spool_name"] == row.spool_name and r["state"] != "delivered" for r in self.rows.values())

    async def retry(self, row: QueueRow, at: float, code: str) -> None:
        await self.world.happen("retry")
        mine = self.rows[row.id]
        mine.update(state="waiting", due=at, attempts=mine["attempts"] + 1, code=code)

    async def fail(self, row: QueueRow, code: str) -> None:
        await self.world.happen("fail")
        self.rows[row.id].update(state="failed", code=code)

    async def counts(self) -> Mapping[str, Mapping[str, int]]:
        return {}


def _queue_row(number: int, row: Mapping[str, Any]) -> QueueRow:
    return QueueRow(
        number, "research", row["destination"], row["spool_name"], "a" * 64, 7, "1.2.3", "1.2.840.10008.1.2.1",
        "2.25.1", "2.25.2", f"2.25.3.{number}", "P-1", row["attempts"], 0.0,
    )  # fmt: skip


class FakeSender:
    """A destination that follows a script: one error (or None) a call, then success."""

    def __init__(self, world: World, script: Sequence[BaseException | None] = (), always: BaseException | None = None):
        self.world, self.script, self.always = world, list(script), always
        self.sent: list[int] = []
        self.tried: list[int] = []
        self.at_once = self.most_at_once = 0
        self.closed = False

    async def send(self, row: QueueRow, path: Path) -> None:
        self.tried.append(row.id)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.world.happen("send")
        finally:
            self.at_once -= 1
        error = self.script.pop(0) if self.script else self.always
        if error is not None:
            raise error
        self.sent.append(row.id)

    async def close(self) -> None:
        self.closed = True
