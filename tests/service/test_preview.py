"""Who looks at a held instance is on record before anything is opened; what ends a worker is told as an outcome."""

from __future__ import annotations

import asyncio

import pytest

from proxy.deid.previewed import Previewed, Wish
from proxy.deid.profile import Policy
from proxy.deid.types import Claimed
from proxy.errors import AuditUnavailable, Reason, Unavailable, WorkersUnavailable
from proxy.service.ports import Held, HeldInstance, Peer
from proxy.service.preview import Preview
from proxy.workers.arena import Arena
from tests.service.fakes import PEER, FakeAudit, FakeQuarantine, World

ANNA = Peer("dicomweb", "10.0.0.9", name="anna")


class Workers:
    """Says what it is told to, and remembers what it was asked."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.answer: Previewed | Held = Previewed()
        self.asked: list[tuple[str, bytes, Wish, Policy | None]] = []

    async def preview(
        self, project: str, arena: Arena, claimed: Claimed, wish: Wish, policy: Policy | None = None
    ) -> Previewed | Held:
        await self.world.happen("preview")
        self.asked.append((project, bytes(arena.view()), wish, policy))
        return self.answer


class Site:
    """A `Preview` over fakes with one entry in quarantine."""

    def __init__(self, wait: float = 5.0) -> None:
        self.world = World()
        self.audit, self.quarantine, self.workers = (
            FakeAudit(self.world),
            FakeQuarantine(self.world),
            Workers(self.world),
        )
        self.preview = Preview(self.workers, self.quarantine, self.audit, 100, wait)

    async def seal(self) -> HeldInstance:
        with Arena(100) as arena:
            arena.write(b"original")
            entry = await self.quarantine.seal(arena, "research", PEER, Claimed(), Reason.TOO_DEEP, "")
        self.world.calls.clear()
        return entry


async def test_who_looks_is_recorded_first() -> None:
    site = Site()
    entry = await site.seal()
    assert (await site.preview.held(entry, ANNA, Wish(5))).released
    assert site.world.calls == ["record quarantine-viewed", "open", "preview"]
    (event,) = site.audit.events
    assert (event.type, event.project, event.peer["caller"]) == ("quarantine-viewed", "research", "anna")
    assert event.object["id"] == entry.id
    assert site.workers.asked == [("research", b"original", Wish(5), None)]


async def test_without_a_record_nothing_is_opened() -> None:
    site = Site()
    entry = await site.seal()
    site.world.faults["record quarantine-viewed"] = [AuditUnavailable("full")]
    with pytest.raises(AuditUnavailable):
        await site.preview.held(entry, ANNA, Wish())
    assert site.world.calls == []


async def test_what_ends_a_worker_is_an_outcome() -> None:
    site = Site()
    site.workers.answer = Held(Reason.WORKER_TIMEOUT, "the worker was too slow")
    found = await site.preview.of("research", b"bytes", Wish())
    assert (found.reason, found.detail, found.released) == ("worker-timeout", "the worker was too slow", False)


async def test_an_entry_that_is_gone_is_a_key_error() -> None:
    site = Site()
    entry = await site.seal()
    await site.quarantine.purge(entry.id)
    with pytest.raises(KeyError):
        await site.preview.held(entry, ANNA, Wish())
    assert (await site.preview.of("research", b"next", Wish())).released


async def test_what_is_too_large_has_no_preview() -> None:
    with pytest.raises(Unavailable, match="larger"):
        await Site().preview.of("research", bytes(101), Wish())


async def test_one_preview_at_a_time_and_nobody_waits_for_ever() -> None:
    site = Site(wait=0.05)
    go = asyncio.Event()
    site.world.faults["preview"] = [go]
    first = asyncio.create_task(site.preview.of("research", b"first", Wish()))
    while site.world.faults["preview"]:
        await asyncio.sleep(0)
    with pytest.raises(WorkersUnavailable):
        await site.preview.of("research", b"second", Wish())
    go.set()
    await first
    assert [data for _, data, _, _ in site.workers.asked] == [b"first"]
