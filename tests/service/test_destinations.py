"""A pause is recorded, then durable, then in force; it outlives a restart; nothing else stops for it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from proxy.errors import AuditUnavailable, DeliveryTransient, Unavailable
from proxy.service.breaker import State
from proxy.service.deliver import Deliver
from proxy.service.destination_words import NotSaid
from proxy.service.destinations import Destinations
from proxy.service.ports import Peer
from proxy.store.pauses import Pause
from tests.service.fakes import FakeAudit, FakeQueue, FakeSender, FakeSpool, World

OTTO = Peer("console", "10.0.0.9", name="user:otto")


@dataclass
class Rows:
    """`Pauses` that outlive what uses them."""

    world: World
    rows: dict[str, Pause] = field(default_factory=dict)

    async def all(self) -> list[Pause]:
        return list(self.rows.values())

    async def keep(self, pause: Pause) -> None:
        await self.world.happen("keep")
        self.rows[pause.destination] = pause

    async def forget(self, destination: str) -> None:
        await self.world.happen("forget")
        del self.rows[destination]


class Site:
    """`Destinations` over a `Deliver` over fakes."""

    def __init__(
        self, world: World | None = None, rows: dict[str, Pause] | None = None, script: Any = (), always: Any = None
    ) -> None:
        self.world = world or World()
        self.now = 1000.0
        self.sender = FakeSender(self.world, script, always)
        self.queue, self.audit = FakeQueue(self.world), FakeAudit(self.world)
        self.rows = Rows(self.world, rows if rows is not None else {})
        self.deliver = Deliver(
            self.queue, FakeSpool(self.world), self.audit, {"pacs": self.sender, "other": FakeSender(self.world)},
            clock=lambda: self.now, rng=random.Random(1), concurrency=2, poll_seconds=0.001,
        )  # fmt: skip
        self.destinations = Destinations(
            {"pacs", "other"}, self.deliver, self.rows, self.audit, self.requeue, lambda: self.now
        )

    async def requeue(self, destination: str) -> int:
        await self.world.happen("requeue")
        return 7

    def state(self) -> State:
        return self.deliver.status()["pacs"].state

    async def until(self, condition: Callable[[], bool], step: float = 0.0) -> None:
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.001)
                self.now += step

    async def quiet(self) -> None:
        """Long enough for many a poll: whatever could be claimed would have been."""
        turns = self.world.calls.count("turn")
        await self.until(lambda: self._turn() > turns + 30)

    def _turn(self) -> int:
        self.world.calls.append("turn")
        return self.world.calls.count("turn")


@pytest.fixture
async def site() -> AsyncIterator[Callable[..., Site]]:
    made: list[Site] = []

    def make(**given: Any) -> Site:
        made.append(Site(**given))
        return made[-1]

    yield make
    for one in made:
        await one.deliver.stop(0.1)


async def test_recorded_then_kept_then_in_force(site: Callable[..., Site]) -> None:
    here = site()
    assert await here.destinations.pause("pacs", "maintenance", "CHG-4711", OTTO)
    assert here.world.calls == ["record destination-paused", "keep"]
    (event,) = here.audit.events
    assert event.object == {"kind": "destination", "destination": "pacs", "ticket": "CHG-4711"}
    assert (event.reason, event.peer["caller"]) == ("maintenance", "user:otto")
    assert here.destinations.paused == {"pacs": Pause("pacs", 1000.0, "maintenance", "CHG-4711", "user:otto")}
    assert (here.state(), here.deliver.status()["other"].state) == (State.PAUSED, State.UP)


async def test_instances_wait_while_it_is_paused_and_go_when_it_is_resumed(site: Callable[..., Site]) -> None:
    here = site()
    await here.deliver.start()
    await here.destinations.pause("pacs", "trouble", "", OTTO)
    here.queue.add(count=5)
    here.queue.add("other", count=2)
    here.deliver.notify(["pacs", "other"])
    await here.until(lambda: here.queue.states()[5:] == ["delivered"] * 2)
    await here.quiet()
    assert here.queue.states()[:5] == ["waiting"] * 5
    assert await here.destinations.resume("pacs", "finished", "", OTTO)
    await here.until(lambda: here.queue.states() == ["delivered"] * 7)
    assert here.audit.types.count("destination-resumed") == 1
    assert here.rows.rows == {}


async def test_what_is_under_way_at_a_pause_is_finished(site: Callable[..., Site]) -> None:
    here = site()
    gate = asyncio.Event()
    here.world.faults["send"] = [gate]
    here.queue.add(count=1)
    await here.deliver.start()
    await here.until(lambda: here.queue.states() == ["in_flight"] and here.deliver.status()["pacs"].in_flight == 1)
    await here.destinations.pause("pacs", "trouble", "", OTTO)
    here.queue.add(count=1)
    gate.set()
    await here.until(lambda: here.queue.states() == ["delivered", "waiting"])
    assert here.state() is State.PAUSED


async def test_a_pause_during_the_wait_for_a_retry(site: Callable[..., Site]) -> None:
    here = site(script=[DeliveryTransient("A700")] * 5)
    here.queue.add()
    await here.deliver.start()
    await here.until(lambda: here.state() is State.DOWN, step=1.0)
    await here.destinations.pause("pacs", "trouble", "", OTTO)
    tried = len(here.sender.tried)
    here.now += 10_000.0
    await here.quiet()
    assert len(here.sender.tried) == tried
    await here.destinations.resume("pacs", "finished", "", OTTO)
    await here.until(lambda: here.queue.states() == ["delivered"], step=10.0)
    assert here.state() is State.UP


async def test_resumed_it_is_tried_at_once_though_it_was_given_time(site: Callable[..., Site]) -> None:
    here = site(always=DeliveryTransient("A700"))
    here.queue.add(count=20)
    await here.deliver.start()
    await here.until(lambda: here.state() is State.DOWN and here.deliver.status()["pacs"].in_flight == 0)
    await here.destinations.pause("pacs", "trouble", "", OTTO)
    here.sender.always = None
    await here.destinations.resume("pacs", "finished", "", OTTO)
    await here.until(lambda: here.sender.sent != [])  # the clock stands still


async def test_twice_is_once(site: Callable[..., Site]) -> None:
    here = site()
    done = await asyncio.gather(*(here.destinations.pause("pacs", "test", "", OTTO) for _ in range(3)))
    assert sorted(done) == [False, False, True]
    assert here.audit.types == ["destination-paused"]
    done = await asyncio.gather(*(here.destinations.resume("pacs", "finished", "", OTTO) for _ in range(3)))
    assert sorted(done) == [False, False, True]
    assert here.audit.types == ["destination-paused", "destination-resumed"]


@pytest.mark.parametrize("fault", ["record destination-paused", "keep"])
async def test_what_cannot_be_recorded_or_kept_is_not_done(site: Callable[..., Site], fault: str) -> None:
    here = site()
    here.world.faults[fault] = [AuditUnavailable("full") if "record" in fault else Unavailable("full")]
    with pytest.raises(Unavailable):
        await here.destinations.pause("pacs", "test", "", OTTO)
    assert (here.state(), here.rows.rows, here.destinations.paused) == (State.UP, {}, {})
    assert await here.destinations.pause("pacs", "test", "", OTTO)


@pytest.mark.parametrize("fault", ["record destination-resumed", "forget"])
async def test_what_cannot_be_resumed_stays_paused(site: Callable[..., Site], fault: str) -> None:
    here = site()
    await here.destinations.pause("pacs", "test", "", OTTO)
    here.world.faults[fault] = [AuditUnavailable("full") if "record" in fault else Unavailable("full")]
    with pytest.raises(Unavailable):
        await here.destinations.resume("pacs", "finished", "", OTTO)
    assert here.state() is State.PAUSED
    assert list(here.rows.rows) == ["pacs"]
    assert await here.destinations.resume("pacs", "finished", "", OTTO)


async def test_it_outlives_a_restart_and_a_kill_in_between(site: Callable[..., Site]) -> None:
    before = site()
    await before.destinations.pause("pacs", "maintenance", "", OTTO)
    killed = asyncio.Event()
    before.world.faults["forget"] = [killed]  # killed after the record, before the row is gone
    late = asyncio.create_task(before.destinations.resume("pacs", "finished", "", OTTO))
    await before.until(lambda: "destination-resumed" in before.audit.types)
    after = site(rows=dict(before.rows.rows))
    after.queue.add()
    await after.destinations.load()
    await after.deliver.start()
    await after.quiet()
    assert after.queue.states() == ["waiting"]
    assert after.state() is State.PAUSED
    assert await after.destinations.resume("pacs", "finished", "", OTTO)
    await after.until(lambda: after.queue.states() == ["delivered"])
    killed.set()
    await late


async def test_a_pause_of_what_veil_yaml_no_longer_names_waits(site: Callable[..., Site]) -> None:
    gone = Pause("old", 1.0, "trouble", "", "cli")
    here = site(rows={"old": gone})
    await here.destinations.load()
    assert here.destinations.paused == {}
    assert here.rows.rows == {"old": gone}


async def test_send_again_is_recorded_first(site: Callable[..., Site]) -> None:
    here = site()
    assert await here.destinations.send_again("pacs", OTTO) == 7
    assert here.world.calls == ["record requeued", "requeue"]
    with pytest.raises(KeyError):
        await here.destinations.send_again("nobody", OTTO)


@pytest.mark.parametrize(("why", "ticket"), [("Mr Miller", ""), ("", ""), ("test", "a b"), ("test", "x" * 33)])
async def test_why_is_a_word_and_a_ticket_no_sentence(site: Callable[..., Site], why: str, ticket: str) -> None:
    here = site()
    with pytest.raises(NotSaid):
        await here.destinations.pause("pacs", why, ticket, OTTO)
    with pytest.raises(KeyError):
        await here.destinations.pause("nobody", "test", "", OTTO)
    assert here.audit.events == []
