"""Every released instance arrives, or is kept with a reason; an outage is waited out; nothing is sent unrecorded."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from proxy.errors import (
    AuditUnavailable,
    DeliveryError,
    DeliveryTransient,
    DestinationRefuses,
    InstanceRejected,
    Unavailable,
)
from proxy.service.breaker import State
from proxy.service.deliver import Deliver
from proxy.service.lane import TRIES
from tests.service.fakes import FakeAudit, FakeQueue, FakeSender, FakeSpool, World


class Clock:
    """Time that passes when it is told to."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Site:
    """A `Deliver` over fakes; time runs fast."""

    def __init__(self, **senders: FakeSender) -> None:
        self.world = next(iter(senders.values())).world
        self.clock, self.senders = Clock(), senders
        self.queue, self.spool, self.audit = FakeQueue(self.world), FakeSpool(self.world), FakeAudit(self.world)
        self.deliver = Deliver(
            self.queue, self.spool, self.audit, senders,
            clock=self.clock, rng=random.Random(1), concurrency=2, poll_seconds=0.001,
        )  # fmt: skip

    async def until(self, condition: Callable[[], bool], step: float = 1.0) -> None:
        """Let time pass until ``condition``."""
        async with asyncio.timeout(5):
            while not condition():
                await asyncio.sleep(0.001)
                self.clock.now += step


@pytest.fixture
async def site() -> AsyncIterator[Callable[..., Any]]:
    made: list[Site] = []

    def make(script: Any = (), always: BaseException | None = None) -> Site:
        made.append(Site(pacs=FakeSender(World(), script, always)))
        return made[-1]

    yield make
    for one in made:
        await one.deliver.stop(0.1)


async def test_delivered_then_recorded_then_done_then_forgotten(site: Callable[..., Site]) -> None:
    here = site()
    here.queue.add()
    await here.deliver.start()
    await here.until(lambda: "remove" in here.world.calls)
    done = [call for call in here.world.calls if call != "claim"]
    assert done == ["send", "record delivered", "done", "remove"]
    event = here.audit.events[0]
    assert event.object["destination"] == "pacs"
    assert event.object["sop_instance_uid"] == "2.25.3.1"
    status = here.deliver.status()["pacs"]
    assert (status.state, status.delivered, status.in_flight) == (State.UP, 1, 0)


async def test_a_file_that_another_destination_needs_stays(site: Callable[..., Site]) -> None:
    here = site()
    here.queue.add("pacs", spool_name="shared")
    here.queue.add("other", spool_name="shared")
    await here.deliver.start()
    await here.until(lambda: here.queue.states()[0] == "delivered")
    await asyncio.sleep(0.01)
    assert "remove" not in here.world.calls


async def test_it_wakes_for_a_new_row() -> None:
    world = World()
    sender = FakeSender(world)
    queue = FakeQueue(world)
    deliver = Deliver(queue, FakeSpool(world), FakeAudit(world), {"pacs": sender}, poll_seconds=60.0)
    await deliver.start()
    for _ in range(5):
        await asyncio.sleep(0.01)
        queue.add()
        deliver.notify(["pacs", "unknown"])
    async with asyncio.timeout(5):
        while len(sender.sent) < 5:
            await asyncio.sleep(0.005)
    await deliver.stop(1.0)
    assert sender.closed


async def test_it_is_idle_while_nothing_is_there() -> None:
    world = World()
    deliver = Deliver(FakeQueue(world), FakeSpool(world), FakeAudit(world), {"pacs": FakeSender(world)}, poll_seconds=9)
    await deliver.start()
    deliver.notify(["pacs"])
    await asyncio.sleep(0.1)
    assert world.calls.count("claim") <= 8
    await deliver.stop(1.0)


@pytest.mark.parametrize(
    "error", [DeliveryTransient("A700"), ConnectionResetError(), TimeoutError(), DeliveryError("?")]
)
async def test_trouble_is_retried_without_a_count_limit(site: Callable[..., Site], error: Exception) -> None:
    here = site([error] * 40)
    here.queue.add()
    await here.deliver.start()
    await here.until(lambda: here.queue.states() == ["delivered"], step=60.0)
    assert len(here.senders["pacs"].tried) == 41
    assert here.deliver.status()["pacs"].retried == 40
    assert here.audit.types == ["delivered"]


async def test_the_waits_are_jittered_and_capped(site: Callable[..., Site]) -> None:
    here = site(always=DeliveryTransient("A700"))
    here.queue.add()
    waits: list[float] = []
    real = here.queue.retry

    async def retry(row: Any, at: float, code: str) -> None:
        waits.append(at - here.clock.now)
        await real(row, at, code)

    here.queue.retry = retry
    await here.deliver.start()
    await here.until(lambda: len(waits) > 60, step=60.0)
    assert all(0 <= wait <= 300 for wait in waits)
    assert max(waits[:2]) <= 2
    assert max(waits) > 200
    assert len(set(waits)) == len(waits)


async def test_an_outage_costs_probes_not_one_failure_an_instance(site: Callable[..., Site]) -> None:
    here = site(always=DeliveryTransient("refused"))
    here.queue.add(count=500)
    await here.deliver.start()
    await here.until(lambda: here.clock.now > 1060)
    sender = here.senders["pacs"]
    assert here.deliver.status()["pacs"].state is State.DOWN
    assert len(sender.tried) < 60
    sender.always = None
    await here.until(lambda: len(sender.sent) == 500)
    assert here.deliver.status()["pacs"].state is State.UP
    assert sorted(sender.sent) == list(range(1, 501))


async def test_a_rejected_instance_is_kept_after_three_tries_and_blocks_nobody(site: Callable[..., Site]) -> None:
    here = site()
    sender = here.senders["pacs"]
    real = sender.send

    async def send(row: Any, path: Any) -> None:
        if row.id == 1:
            sender.tried.append(1)
            raise InstanceRejected("C000", "not liked")
        await real(row, path)

    sender.send = send
    here.queue.add(count=20)
    await here.deliver.start()
    await here.until(lambda: here.queue.states() == ["failed"] + ["delivered"] * 19)
    assert sender.tried.count(1) == TRIES == 3
    rejected = next(event for event in here.audit.events if event.type == "rejected")
    assert (rejected.outcome, rejected.reason) == ("failure", "rejected-by-destination")
    assert rejected.object["code"] == "C000"
    calls = here.world.calls
    assert calls.index("record rejected") < calls.index("fail")
    assert here.deliver.status()["pacs"].rejected == 1


async def test_troubles_before_do_not_count_as_rejections(site: Callable[..., Site]) -> None:
    here = site([DeliveryTransient("A700")] * 5 + [InstanceRejected("C000")] * 2)
    here.queue.add()
    await here.deliver.start()
    await here.until(lambda: here.queue.states() == ["delivered"], step=60.0)


@pytest.mark.parametrize("error", [ValueError("SMITH^JOHN"), FileNotFoundError(2, "SMITH^JOHN")])
async def test_a_senders_bug_blames_the_instance(site: Callable[..., Site], error: Exception) -> None:
    here = site([error] * 3)
    here.queue.add()
    await here.deliver.start()
    await here.until(lambda: here.queue.states() == ["failed"])
    assert "SMITH" not in repr(here.audit.events) + repr(here.queue.rows) + repr(here.deliver.status())


async def test_a_destination_that_refuses_is_paused_and_probed(site: Callable[..., Site]) -> None:
    here = site(always=DestinationRefuses("0124"))
    here.queue.add(count=50)
    await here.deliver.start()
    await here.until(lambda: here.deliver.status()["pacs"].state is State.REFUSING)
    await asyncio.sleep(0.02)
    sender = here.senders["pacs"]
    assert len(sender.tried) <= 2  # at most those that were under way
    assert here.deliver.status()["pacs"].last_code == "0124"
    assert "failed" not in here.queue.states()
    before = len(sender.tried)
    await here.until(lambda: len(sender.tried) > before)
    sender.always = None
    await here.until(lambda: len(sender.sent) == 50)


async def test_one_destination_does_not_hold_up_another() -> None:
    world = World()
    here = Site(down=FakeSender(world, always=DestinationRefuses("403")), up=FakeSender(world))
    here.queue.add("down", 10)
    here.queue.add("up", 10)
    await here.deliver.start()
    await here.until(lambda: len(here.senders["up"].sent) == 10)
    await here.deliver.stop(1.0)


async def test_no_record_no_more_sending(site: Callable[..., Site]) -> None:
    here = site()
    here.world.faults["record delivered"] = [AuditUnavailable("x")] * 40
    here.queue.add(count=30)
    await here.deliver.start()
    await here.until(lambda: len(here.world.faults["record delivered"]) <= 20)
    assert (
        len(here.senders["pacs"].sent) <= 4
    )  # of two senders each one more was under way when the first record failed
    assert "done" not in here.world.calls
    await here.until(lambda: here.queue.states() == ["delivered"] * 30)
    assert len(here.audit.events) == 30
    assert len(here.senders["pacs"].tried) == 30


@pytest.mark.parametrize("call", ["done", "remove", "retry", "fail", "claim", "record rejected"])
async def test_a_store_that_is_unavailable_is_waited_for(site: Callable[..., Site], call: str) -> None:
    fails = call in ("retry", "fail", "record rejected")
    here = site([DeliveryTransient("A700"), *[InstanceRejected("C000")] * 6] if fails else [])
    here.world.faults[call] = [Unavailable("x")] * 3
    here.queue.add(count=2)
    await here.deliver.start()
    await here.until(lambda: here.queue.states() == ["failed" if fails else "delivered"] * 2, step=60.0)
    await here.until(lambda: not here.world.faults[call])


async def test_a_bug_of_the_store_does_not_end_delivery(site: Callable[..., Site]) -> None:
    here = site()
    here.world.faults["done"] = [ValueError("SMITH^JOHN")]
    here.queue.add(count=5)
    await here.deliver.start()
    await here.until(lambda: here.queue.states().count("delivered") == 4)
    assert here.deliver.status()["pacs"].last_code == "ValueError"
    assert here.queue.states().count("in_flight") == 1  # for the next start


async def test_concurrency_is_bounded(site: Callable[..., Site]) -> None:
    here = site()
    here.queue.add(count=50)
    await here.deliver.start()
    await here.until(lambda: len(here.senders["pacs"].sent) == 50)
    assert here.senders["pacs"].most_at_once == 2


async def test_where_more_go_at_once_more_are_under_way() -> None:
    world = World()
    here = {name: FakeSender(world) for name in ("wide", "narrow")}
    queue = FakeQueue(world)
    deliver = Deliver(
        queue,
        FakeSpool(world),
        FakeAudit(world),
        here,
        concurrency=2,
        more={"wide": 6, "narrow": 1},
        poll_seconds=0.001,
    )
    for name in here:
        queue.add(destination=name, count=30)
    await deliver.start()
    async with asyncio.timeout(5):
        while any(len(sender.sent) < 30 for sender in here.values()):
            await asyncio.sleep(0.001)
    await deliver.stop(1)
    assert {name: sender.most_at_once for name, sender in here.items()} == {"wide": 6, "narrow": 2}


async def test_stop_finishes_what_is_under_way_and_claims_nothing_more(site: Callable[..., Site]) -> None:
    here = site()
    gates = [asyncio.Event(), asyncio.Event()]
    here.world.faults["send"] = list(gates)
    here.queue.add(count=10)
    await here.deliver.start()
    await here.until(lambda: len(here.senders["pacs"].tried) == 2)
    stopping = asyncio.ensure_future(here.deliver.stop(5.0))
    await asyncio.sleep(0.02)
    assert not stopping.done()
    for gate in gates:
        gate.set()
    await stopping
    assert here.queue.states().count("delivered") == 2
    assert here.queue.states().count("waiting") == 8
    assert here.senders["pacs"].closed


async def test_stop_cuts_off_what_takes_too_long(site: Callable[..., Site]) -> None:
    here = site()
    here.world.faults["send"] = [asyncio.Event()]
    here.queue.add()
    await here.deliver.start()
    await here.until(lambda: len(here.senders["pacs"].tried) == 1)
    async with asyncio.timeout(20):
        await here.deliver.stop(0.05)
    assert here.queue.states() == ["in_flight"]
    assert here.audit.events == []
