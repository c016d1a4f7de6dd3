"""Reports of storage commitment: when they are sent, tried again, given up. A clock that the tests turn."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from proxy.errors import AuditUnavailable, SealBroken
from proxy.service.commitment import FAILED, UNKNOWN, Commitment, Committed
from proxy.service.commitment_reports import Reports
from proxy.service.commitment_turn import TRIES
from proxy.service.ports import AuditEvent
from proxy.service.reporting import NotReported, Patience
from proxy.store.commitment_reports import GIVEN_UP, OWED, REPORTED, WAITING, Owed

CT = "1.2.840.10008.5.1.4.1.1.2"
PATIENCE = Patience(wait_seconds=1000.0, report_seconds=5000.0)
SAFE = (CT, "1.1")


class Store:
    def __init__(self) -> None:
        self.rows: dict[str, list[Any]] = {}  # request → owed, state, due, code, instances
        self.broken: set[str] = set()

    def add(self, request: str, *instances: tuple[str, str], requester: str = "CT1") -> None:
        owed = Owed("research", request, requester, "VEIL", 0.0, 0.0, 0)
        self.rows[request] = [owed, WAITING, 0.0, "", list(instances)]

    def _open(self, busy: Collection[str]) -> list[list[Any]]:
        return [r for r in self.rows.values() if r[1] in (WAITING, OWED) and r[0].requester not in busy]

    async def due(self, now: float, most: int, busy: Collection[str]) -> list[Owed]:
        return [row[0] for row in self._open(busy) if row[2] <= now][:most]

    async def next_due(self, busy: Collection[str]) -> float | None:
        return min((row[2] for row in self._open(busy)), default=None)

    async def hurry(self, now: float) -> None:
        for row in self.rows.values():
            row[2] = min(row[2], now) if row[1] == OWED else row[2]

    async def open(self, owed: Owed) -> tuple[str, list[tuple[str, str]]]:
        if owed.request in self.broken:
            raise SealBroken("altered")
        return f"1.2.{owed.request}", self.rows[owed.request][4]

    async def keep(self, owed: Owed, state: str, due_at: float, code: str = "") -> None:
        self.rows[owed.request][:4] = [owed, state, due_at, code]

    async def counts(self) -> Mapping[str, int]:
        states = [row[1] for row in self.rows.values()]
        return {state: states.count(state) for state in states}


class World:
    """A queue, an audit trail and a messenger: what they know, and what happened."""

    def __init__(self) -> None:
        self.now = 1.0
        self.store = Store()
        self.states: dict[str, frozenset[str]] = {"1.1": frozenset({"delivered"})}
        self.events: list[AuditEvent] = []
        self.trouble: list[Exception | None] = []
        self.sent: list[tuple[str, str, Committed]] = []
        self.tried: list[str] = []
        self.unwritable = 0
        self.here: set[str] = set()  # requests whose association still stands

    async def standing(self, project: str, uids: Sequence[str]) -> Mapping[str, tuple[str, frozenset[str]]]:
        return {uid: (CT, self.states[uid]) for uid in uids if uid in self.states}

    async def record(self, *events: AuditEvent) -> None:
        if self.unwritable:
            self.unwritable -= 1
            raise AuditUnavailable("no sink")
        self.events += events

    async def report_here(self, owed: Owed, transaction: str, result: Committed) -> bool:
        if owed.request not in self.here:
            return False
        self.sent.append((owed.requester, transaction, result))
        return True

    async def report(self, owed: Owed, transaction: str, result: Committed) -> None:
        assert any(event.type == "commitment" for event in self.events), "recorded before it is sent"
        self.tried.append(owed.request)
        if self.trouble and (error := self.trouble.pop(0)) is not None:
            raise error
        self.sent.append((owed.requester, transaction, result))

    def said(self) -> list[str]:
        return [event.type for event in self.events]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def reports(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Reports]:
    monkeypatch.setattr("proxy.service.commitment_reports._PAUSE", 0.01)
    policy: Any = SimpleNamespace(options=("rtn_uids",))
    commitment = Commitment(None, world, world, lambda _: policy)  # type: ignore[arg-type]  # nothing is asked here
    made = Reports(world.store, commitment, world, world, PATIENCE, lambda: world.now, random.Random(1))
    yield made
    await made.stop()


async def eventually(reports: Reports, condition: Callable[[], Any]) -> None:
    """Woken as often as it takes: the clock of these tests stands still."""
    async with asyncio.timeout(5):
        while not condition():
            reports.wake()
            await asyncio.sleep(0)


def state(world: World, request: str) -> str:
    return str(world.store.rows[request][1])


async def test_what_is_settled_is_reported_at_once(world: World, reports: Reports) -> None:
    world.store.add("a", SAFE, (CT, "1.9"))
    await reports.start()
    await eventually(reports, lambda: state(world, "a") == REPORTED)
    assert world.sent == [("CT1", "1.2.a", Committed([SAFE], [(CT, "1.9", UNKNOWN)], 0))]
    assert world.said() == ["commitment", "commitment-reported"]
    assert world.events[1].peer == {"transport": "dimse", "calling_ae": "CT1", "called_ae": "VEIL"}
    assert await reports.status() == {"reports": {REPORTED: 1}, "away": [], "trouble": ""}


async def test_a_report_waits_until_every_destination_has_answered(world: World, reports: Reports) -> None:
    world.states["1.2"] = frozenset({"delivered", "waiting"})
    world.store.add("a", SAFE, (CT, "1.2"))
    await reports.start()
    await eventually(reports, lambda: world.store.rows["a"][2] > 0)
    for now in (10.0, 100.0, 500.0):
        world.now = now
        await eventually(reports, lambda: world.store.rows["a"][2] > world.now)
    assert (world.sent, world.said(), state(world, "a")) == ([], [], WAITING)
    world.states["1.2"] = frozenset({"delivered"})
    world.now = 800.0
    await eventually(reports, lambda: state(world, "a") == REPORTED)
    assert world.sent[0][2] == Committed([SAFE, (CT, "1.2")], [], 0)


async def test_after_the_deadline_what_waits_has_failed(world: World, reports: Reports) -> None:
    world.states["1.2"] = frozenset({"in_flight"})
    world.store.add("a", SAFE, (CT, "1.2"))
    await reports.start()
    await eventually(reports, lambda: world.store.rows["a"][2] > 0)
    world.now = 999.0
    await eventually(reports, lambda: world.store.rows["a"][2] > world.now)
    assert world.store.rows["a"][2] == PATIENCE.wait_seconds, "looked at no later than its deadline"
    world.now = 1000.0
    await eventually(reports, lambda: state(world, "a") == REPORTED)
    assert world.sent[0][2] == Committed([SAFE], [(CT, "1.2", FAILED)], 0)


async def test_a_requester_that_is_away_is_tried_again_without_a_count(world: World, reports: Reports) -> None:
    world.store.add("a", SAFE)
    world.trouble = [NotReported("away")] * 10
    await reports.start()
    for _ in range(60):
        await eventually(reports, lambda: world.store.rows["a"][2] > world.now or state(world, "a") == REPORTED)
        if state(world, "a") == REPORTED:
            break
        assert (state(world, "a"), world.store.rows["a"][3]) == (OWED, "away")
        assert world.store.rows["a"][2] - world.now <= 300.0
        assert (await reports.status())["away"] == ["CT1"]
        world.now = world.store.rows["a"][2]
    assert len(world.tried) == 11
    assert world.said() == ["commitment", "commitment-reported"], "the same result is recorded once"
    assert (await reports.status())["away"] == []


async def test_a_requester_that_stays_away_is_given_up_and_told(world: World, reports: Reports) -> None:
    world.store.add("a", SAFE)
    world.trouble = [NotReported("no-address")] * 2
    await reports.start()
    await eventually(reports, lambda: state(world, "a") == OWED)
    world.now = 1.0 + PATIENCE.report_seconds
    await eventually(reports, lambda: state(world, "a") == GIVEN_UP)
    assert (world.events[-1].type, world.events[-1].outcome) == ("commitment-given-up", "failure")
    assert (world.events[-1].reason, world.store.rows["a"][3]) == ("no-address", "no-address")
    assert (await reports.status())["reports"] == {GIVEN_UP: 1}


async def test_a_report_that_is_refused_is_given_up_after_three_tries(world: World, reports: Reports) -> None:
    world.store.add("a", SAFE)
    world.trouble = [NotReported("0110", refused=True)] * TRIES
    await reports.start()
    while state(world, "a") != GIVEN_UP:
        await eventually(reports, lambda: world.store.rows["a"][2] > world.now or state(world, "a") == GIVEN_UP)
        world.now += 400.0
    assert (len(world.tried), world.events[-1].reason) == (TRIES, "0110")


async def test_one_that_is_away_delays_nobody(world: World, reports: Reports) -> None:
    """Nor does it cost an attempt for each of its reports."""
    for number in range(20):
        world.store.add(f"ct{number}", SAFE, requester="CT1")
    world.store.add("mr", SAFE, requester="MR1")
    away = asyncio.Event()
    send = world.report

    async def report(owed: Owed, transaction: str, result: Committed) -> None:
        if owed.requester == "CT1":
            world.tried.append(owed.request)
            await away.wait()
            raise NotReported("timeout")
        await send(owed, transaction, result)

    world.report = report  # type: ignore[method-assign]
    await reports.start()
    await eventually(reports, lambda: state(world, "mr") == REPORTED)
    away.set()
    await eventually(reports, lambda: all(state(world, f"ct{n}") == OWED for n in range(20)))
    assert len(world.tried) <= 5


async def test_a_row_that_was_altered_is_given_up(world: World, reports: Reports) -> None:
    world.store.add("a", SAFE)
    world.store.add("b", SAFE)
    world.store.broken.add("a")
    await reports.start()
    await eventually(reports, lambda: state(world, "b") == REPORTED)
    assert (state(world, "a"), world.events[0].reason) == (GIVEN_UP, "seal-broken")


async def test_no_record_no_report(world: World, reports: Reports) -> None:
    world.store.add("a", SAFE)
    world.unwritable = 3
    await reports.start()
    await eventually(reports, lambda: state(world, "a") == REPORTED)
    assert len(world.sent) == 1


async def test_a_bug_that_one_report_meets_ends_nothing(world: World, reports: Reports) -> None:
    world.store.add("a", SAFE)
    world.store.add("b", SAFE)
    world.trouble = [ZeroDivisionError()]
    await reports.start()
    await eventually(reports, lambda: state(world, "b") == REPORTED)
    assert (await reports.status())["trouble"] == "ZeroDivisionError"
    assert state(world, "a") == WAITING
    world.now = world.store.rows["a"][2]
    await eventually(reports, lambda: state(world, "a") == REPORTED)


async def test_a_report_that_only_meets_bugs_is_given_up_in_the_end(world: World, reports: Reports) -> None:
    world.store.add("a", SAFE)
    world.trouble = [KeyError("research")] * 100
    await reports.start()
    await eventually(reports, lambda: world.store.rows["a"][2] > world.now)
    world.now = PATIENCE.wait_seconds + PATIENCE.report_seconds
    await eventually(reports, lambda: state(world, "a") == GIVEN_UP)
    assert world.events[-1].reason == "KeyError"


async def test_without_an_address_only_a_restart_helps(world: World, reports: Reports) -> None:
    world.store.add("a", SAFE)
    world.trouble = [NotReported("no-address", nowhere=True)]
    await reports.start()
    await eventually(reports, lambda: state(world, "a") == OWED)
    world.now += 3000.0
    reports.wake()
    await asyncio.sleep(0.01)
    assert (len(world.tried), (await reports.status())["away"]) == (1, [])
    await reports.stop()
    await reports.start()
    await eventually(reports, lambda: state(world, "a") == REPORTED)


async def test_who_is_away_is_told_on_his_own_association(world: World, reports: Reports) -> None:
    for request in "abc":
        world.store.add(request, SAFE)
    world.trouble = [NotReported("not-connected")] * 100
    await reports.start()
    await eventually(reports, lambda: all(state(world, request) == OWED for request in "abc"))
    world.here.add("d")
    world.store.add("d", SAFE)
    await eventually(reports, lambda: state(world, "d") == REPORTED)


async def test_those_that_were_never_tried_are_given_up_too(world: World, reports: Reports) -> None:
    for number in range(9):
        world.store.add(str(number), SAFE)
    world.trouble = [NotReported("not-connected")] * 100
    await reports.start()
    await eventually(reports, lambda: all(row[1] == OWED for row in world.store.rows.values()))
    world.now += PATIENCE.report_seconds
    await eventually(reports, lambda: all(row[1] == GIVEN_UP for row in world.store.rows.values()))
    assert world.said().count("commitment-given-up") == 9
