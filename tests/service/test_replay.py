"""A held instance goes through ingest again; its entry goes after the record that says so."""

from __future__ import annotations

import pytest

from proxy.deid.types import Claimed
from proxy.errors import AuditUnavailable, Reason, SpoolFull, Unavailable
from proxy.service.destination_words import NotSaid
from proxy.service.ingest import Ingest, ProjectRoute
from proxy.service.ports import Verdict
from proxy.service.replay import Replay
from proxy.workers.arena import Arena
from tests.service.fakes import (
    HELD,
    PEER,
    RELEASED,
    FakeAudit,
    FakeDeidentifier,
    FakeQuarantine,
    FakeQueue,
    FakeSpool,
    World,
)


class Site:
    """A `Replay` over fakes with one entry in quarantine."""

    def __init__(self, verdict: Verdict) -> None:
        self.world = World()
        self.queue, self.audit, self.quarantine = (
            FakeQueue(self.world),
            FakeAudit(self.world),
            FakeQuarantine(self.world),
        )
        routes = {"research": ProjectRoute(("archive",))}
        deidentifier = FakeDeidentifier(self.world, verdict)
        spool = FakeSpool(self.world)
        ingest = Ingest(deidentifier, spool, self.queue, self.quarantine, self.audit, routes)
        self.replay = Replay(ingest, self.quarantine, self.audit, limit=100)

    async def seal(self) -> str:
        with Arena(100) as arena:
            arena.write(b"original")
            entry = await self.quarantine.seal(arena, "research", PEER, Claimed(), Reason.TOO_DEEP, "")
        self.world.calls.clear()
        return entry.id


async def test_what_passes_now_leaves_quarantine_after_the_record() -> None:
    site = Site(RELEASED)
    outcome = await site.replay.replay(await site.seal())
    assert outcome.stored
    assert site.world.calls == [
        "open", "run", "write", "settle", "record received+released", "enqueue", "record replayed", "purge",
    ]  # fmt: skip
    assert not site.quarantine.entries
    assert site.audit.events[-1].reason == "nesting-too-deep"


async def test_what_is_held_again_keeps_its_entry() -> None:
    site = Site(HELD)
    entry = await site.seal()
    outcome = await site.replay.replay(entry)
    assert outcome.reason is Reason.IDENTIFIER_REMAINS
    assert list(site.quarantine.entries) == [entry]
    assert "replayed" not in site.audit.types


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("write", SpoolFull("x")),
        ("record received+released", AuditUnavailable("x")),
        ("record replayed", AuditUnavailable("x")),
    ],
)
async def test_unavailable_leaves_the_entry(call: str, error: Exception) -> None:
    site = Site(RELEASED)
    entry = await site.seal()
    site.world.faults[call] = [error]
    with pytest.raises(type(error)):
        await site.replay.replay(entry)
    assert list(site.quarantine.entries) == [entry]


async def test_that_an_entry_goes_is_counted_between_the_record_and_its_end() -> None:
    site, told = Site(RELEASED), list[tuple[str, bool]]()

    async def count(entry: str, passed: bool) -> None:
        await site.world.happen("count")
        told.append((entry, passed))

    site.replay._count = count
    first = await site.seal()
    await site.replay.replay(first)
    assert site.world.calls[-3:] == ["record replayed", "count", "purge"]
    second = await site.seal()
    await site.replay.purge(second)
    assert site.world.calls == ["record purged", "count", "purge"]
    assert told == [(first, True), (second, False)]
    third = await site.seal()
    site.world.faults["count"] = [Unavailable("x")]
    with pytest.raises(Unavailable):
        await site.replay.purge(third)
    assert list(site.quarantine.entries) == [third]


async def test_purge_is_recorded_first() -> None:
    site = Site(RELEASED)
    entry = await site.seal()
    site.world.faults["record purged"] = [AuditUnavailable("x")]
    with pytest.raises(AuditUnavailable):
        await site.replay.purge(entry)
    assert list(site.quarantine.entries) == [entry]
    assert (await site.replay.purge(entry)).id == entry
    assert site.world.calls == ["record purged", "purge"]


async def test_an_unknown_entry_is_a_key_error_and_leaves_no_record() -> None:
    site = Site(RELEASED)
    with pytest.raises(KeyError):
        await site.replay.replay("q-none")
    with pytest.raises(KeyError):
        await site.replay.purge("q-none")
    assert site.audit.events == []


async def test_why_somebody_purges_is_a_word_and_a_ticket_in_the_record() -> None:
    site = Site(RELEASED)
    entry = await site.seal()
    for why, ticket in (("Kowalska is dead", ""), ("", "T-1"), ("test", "two words")):
        with pytest.raises(NotSaid):
            await site.replay.purge_because(entry, PEER, why, ticket)
    assert site.audit.events == []
    await site.replay.purge_because(entry, PEER, "test", "T-1")
    assert {name: site.audit.events[-1].object[name] for name in ("why", "ticket")} == {"why": "test", "ticket": "T-1"}
    assert not site.quarantine.entries
