"""The acknowledgement contract: success is said after the spool, the record and the row, in that order, or never."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from proxy.deid.types import Claimed, Original, Report
from proxy.errors import (
    MALFORMED_REASONS,
    AuditUnavailable,
    InstanceHeld,
    Reason,
    SpoolFull,
    Unavailable,
    VeilError,
    WorkersUnavailable,
)
from proxy.service.ingest import Ingest, Outcome, ProjectRoute
from proxy.service.ports import HeldInstance, Peer, Verdict
from proxy.workers.arena import Arena
from tests.service.fakes import (
    HELD,
    ORIGINAL,
    PEER,
    RELEASED,
    REPORT,
    FakeAudit,
    FakeDeidentifier,
    FakeQuarantine,
    FakeQueue,
    FakeSpool,
    World,
)

GOOD = ["run", "write", "settle", "record received+released", "enqueue"]
BAD = ["run", "seal", "record received+held"]


class Site:
    """An `Ingest` over fakes."""

    def __init__(self, verdict: Verdict = RELEASED, held_answer: str = "accept") -> None:
        self.world = World()
        self.spool, self.queue = FakeSpool(self.world), FakeQueue(self.world)
        self.quarantine, self.audit = FakeQuarantine(self.world), FakeAudit(self.world)
        self.woken: list[Sequence[str]] = []
        routes = {"research": ProjectRoute(("archive", "pacs"), held_answer)}
        deidentifier = FakeDeidentifier(self.world, verdict)
        self.ingest = Ingest(
            deidentifier, self.spool, self.queue, self.quarantine, self.audit, routes, self.woken.append
        )
        self.arena = Arena(100)
        self.arena.write(b"original")

    async def receive(self, project: str = "research") -> Outcome:
        return await self.ingest.receive(project, self.arena, Claimed(), PEER)


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.arena.close()


async def test_a_released_instance_is_stored_recorded_queued_in_that_order(site: Site) -> None:
    outcome = await site.receive()
    assert outcome == Outcome(True, None, ORIGINAL, REPORT, 1.5, "accept")
    assert site.world.calls == GOOD
    assert [row["destination"] for row in site.queue.rows.values()] == ["archive", "pacs"]
    await asyncio.sleep(0)
    assert site.woken == [("archive", "pacs")]


async def test_whose_it_was_is_kept_before_the_row_and_nothing_is_promised_where_that_fails(site: Site) -> None:
    async def remember(project: str, report: Report, original: Original) -> None:
        assert (project, report, original) == ("research", REPORT, ORIGINAL)
        await site.world.happen("remember")

    site.ingest._remember = remember
    await site.receive()
    assert sorted(site.world.calls) == sorted([*GOOD, "remember"])
    assert site.world.calls[-1] == "enqueue"
    site.queue.rows.clear()
    site.world.faults["remember"] = [Unavailable("x")]
    with pytest.raises(Unavailable):
        await site.receive()
    assert not site.queue.rows
    assert not site.spool.files


async def test_what_the_records_say(site: Site) -> None:
    await site.receive()
    received, released = site.audit.events
    assert received.peer == {
        "transport": "dimse", "address": "10.0.0.1", "calling_ae": "CT1", "called_ae": "VEIL",
    }  # fmt: skip
    arrival = received.object["arrival"]
    assert re.fullmatch("[0-9a-f]{16}", arrival)
    assert (received.object, released.object["arrival"]) == (
        {"kind": "instance", "size": 8, "arrival": arrival},
        arrival,
    )
    await site.receive()
    assert site.audit.events[2].object["arrival"] != arrival
    assert released.object["sop_instance_uid"] == REPORT.sop_instance_uid
    assert (released.policy_digest, released.key_epoch, released.counts) == ("d" * 64, 1, {"removed": 3})
    said = repr(site.audit.events)
    assert not any(uid in said for uid in ("'1.2.4'", "'1.2.5'", "'1.2.6'"))


async def test_a_held_instance_is_sealed_and_recorded() -> None:
    site = Site(HELD)
    outcome = await site.receive()
    assert outcome == Outcome(False, Reason.IDENTIFIER_REMAINS, ORIGINAL, None, 2.5, "accept")
    assert site.world.calls == BAD
    assert not site.queue.rows
    assert [data for _, data in site.quarantine.entries.values()] == [b"original"]
    event = site.audit.events[1]
    assert (event.outcome, event.reason) == ("failure", "identifier-remains")
    assert event.object["kind"] == "quarantine"


async def test_of_which_study_it_is_is_counted_before_the_record_and_nothing_is_promised_where_that_fails() -> None:
    site = Site(HELD)

    async def count(project: str, entry: HeldInstance, original: Original | None, peer: Peer) -> None:
        assert (project, entry.project, original, peer) == ("research", "research", ORIGINAL, PEER)
        await site.world.happen("count")

    site.ingest._count = count
    await site.receive()
    assert site.world.calls == [*BAD[:-1], "count", BAD[-1]]
    site.audit.events.clear()
    site.world.faults["count"] = [Unavailable("x")]
    with pytest.raises(Unavailable):
        await site.receive()
    assert [event.type for event in site.audit.events] == ["received", "refused"]


@pytest.mark.parametrize("reason", list(Reason))
@pytest.mark.parametrize("held_answer", ["accept", "refuse"])
async def test_what_the_sender_of_a_held_instance_is_told(reason: Reason, held_answer: str) -> None:
    site = Site(replace(HELD, reason=reason), held_answer)
    outcome = await site.receive()
    assert outcome.answer == ("refuse" if held_answer == "refuse" or reason in MALFORMED_REASONS else "accept")
    assert site.world.calls == BAD


@pytest.mark.parametrize("call", GOOD)
@pytest.mark.parametrize("error", [Unavailable("x"), SpoolFull("x"), AuditUnavailable("x"), WorkersUnavailable("x")])
async def test_unavailable_anywhere_is_not_acknowledged(site: Site, call: str, error: Unavailable) -> None:
    site.world.faults[call] = [error]
    with pytest.raises(type(error)):
        await site.receive()
    assert not site.queue.rows
    assert not site.quarantine.entries
    assert not site.spool.files
    # a file that nothing refers to goes; the refusal is recorded, unless the record is what failed
    removed = ["remove"] if GOOD.index(call) > GOOD.index("write") else []
    known = call in ("settle", "enqueue")  # that it came in, and was let out, is on disk: what follows takes that back
    refused = [] if isinstance(error, AuditUnavailable) else [f"record {'' if known else 'received+'}refused"]
    before = GOOD[: GOOD.index(call)] if call != "settle" else ["run", "write", "record received+released"]  # beside it
    assert site.world.calls == before + removed + refused


async def test_the_row_waits_for_the_disk_and_for_the_record(site: Site) -> None:
    for call, other in (("settle", "record received+released"), ("record received+released", "settle")):
        gate = asyncio.Event()
        site.world.faults, site.world.calls = {call: [gate]}, []
        receiving = asyncio.ensure_future(site.receive())
        for _ in range(20):
            await asyncio.sleep(0)
        assert site.world.calls == ["run", "write", other]
        gate.set()
        await receiving
        assert site.world.calls == ["run", "write", other, call, "enqueue"]


@pytest.mark.parametrize("call", BAD)
async def test_unavailable_while_holding_is_not_acknowledged(call: str) -> None:
    site = Site(HELD)
    site.world.faults[call] = [Unavailable("x")]
    with pytest.raises(Unavailable):
        await site.receive()


async def test_a_sink_that_never_writes_stops_everything_before_the_queue() -> None:
    for verdict in (RELEASED, HELD):
        site = Site(verdict)
        for call in ("record received+released", "record received+held", "record received+refused"):
            site.world.faults[call] = [AuditUnavailable("no sink")] * 5
        with pytest.raises(AuditUnavailable):
            await site.receive()
        assert not site.queue.rows
        assert not site.audit.events


@pytest.mark.parametrize("call", GOOD)
@pytest.mark.parametrize(
    "error", [ValueError("SMITH^JOHN"), MemoryError(), OSError(5, "x"), InstanceHeld(Reason.BAD_UID)]
)
async def test_a_bug_anywhere_seals_the_instance(site: Site, call: str, error: Exception) -> None:
    site.world.faults[call] = [error]
    outcome = await site.receive()
    assert outcome.stored is False
    assert not site.queue.rows
    assert len(site.quarantine.entries) == 1
    assert (site.audit.types[-1], site.audit.types.count("received")) == ("held", 1)
    assert len({event.object["arrival"] for event in site.audit.events}) == 1
    (entry, _), *_ = site.quarantine.entries.values()
    if isinstance(error, VeilError):
        assert outcome.reason is Reason.BAD_UID
    else:
        assert outcome.reason is Reason.ENGINE_ERROR
        assert entry.detail == type(error).__name__
    assert "SMITH" not in repr(site.audit.events) + repr(entry)


@pytest.mark.parametrize("first", GOOD)
@pytest.mark.parametrize("second", ["seal", "record"])
async def test_a_bug_that_cannot_even_be_sealed_is_not_acknowledged(site: Site, first: str, second: str) -> None:
    if second == "record":
        second = "record held" if first in ("settle", "enqueue") else "record received+held"
    site.world.faults = {first: [ValueError("SMITH^JOHN")], second: [KeyError("SMITH^JOHN")]}
    with pytest.raises(Unavailable, match=r"cannot seal the instance: KeyError$"):
        await site.receive()
    assert not site.queue.rows
    site.world.faults = {first: [ValueError("x")], second: [Unavailable("x")]}
    with pytest.raises(Unavailable):
        await site.receive()


@pytest.mark.parametrize("call", BAD)
async def test_a_bug_while_holding_is_sealed_again_or_refused(call: str) -> None:
    site = Site(HELD)
    site.world.faults[call] = [ValueError("x")]
    outcome = await site.receive()
    assert outcome.reason is Reason.ENGINE_ERROR
    assert site.world.calls[-2:] == BAD[-2:]


@pytest.mark.parametrize("call", GOOD)
async def test_a_caller_who_goes_away_leaves_nothing_half_done(site: Site, call: str) -> None:
    gate = asyncio.Event()
    site.world.faults[call] = [gate]

    async def shell() -> None:
        try:
            await site.receive()
        finally:
            site.arena.close()  # what every shell does; it must not come before the spool has its bytes

    caller = asyncio.ensure_future(shell())
    for _ in range(20):
        await asyncio.sleep(0)
    for _ in range(3):
        caller.cancel()
        await asyncio.sleep(0)
    assert not caller.done()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert sorted(site.world.calls) == sorted(GOOD)


async def test_the_notification_cannot_change_the_outcome(site: Site) -> None:
    def broken(destinations: Sequence[str]) -> None:
        raise ValueError

    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    site.ingest._notify = broken
    assert (await site.receive()).stored
    await asyncio.sleep(0)


async def test_an_unknown_project_is_refused(site: Site) -> None:
    with pytest.raises(Unavailable, match="no such project"):
        await site.receive("other")
    assert site.world.calls == []
