"""A disk that hangs: who waits is refused, who comes then too, and nothing that was under way is lost or doubled."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest

from proxy.errors import DiskHangs, SpoolFull
from proxy.service.disk_watch import DiskWatch
from proxy.service.ports import Verdict
from proxy.workers.arena import Arena
from tests.service.fakes import HELD, RELEASED
from tests.service.test_ingest import BAD, GOOD, Site

SHORT = 0.05


class Clock:
    """Stands still until it is told otherwise."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def made(verdict: Verdict = RELEASED) -> Site:
    """A site that waits for its disk for a moment only."""
    site = Site(verdict)
    site.ingest._disk = DiskWatch(SHORT)
    return site


async def hung(site: Site, call: str) -> tuple[asyncio.Event, Arena]:
    """An instance that ``call`` has kept until its sender was refused; its arena is closed, as its owner does."""
    release = asyncio.Event()
    site.world.faults[call] = [release]
    with pytest.raises(DiskHangs):
        await site.receive()
    site.arena.close()
    return release, site.arena


async def over(site: Site) -> None:
    """What goes on behind the refusal has come to its end."""
    async with asyncio.timeout(10):
        while site.ingest._behind:
            await asyncio.sleep(0.001)


def again(site: Site) -> None:
    site.arena = Arena(100)
    site.arena.write(b"original")


@pytest.mark.parametrize("call", ["write", "settle", "record received+released", "enqueue"])
async def test_who_waits_is_refused_and_the_instance_comes_to_its_own_end(call: str) -> None:
    site = made()
    release, arena = await hung(site, call)
    assert site.ingest.hangs
    assert arena.fd >= 0  # whoever goes on behind the refusal still reads it
    release.set()
    await over(site)
    assert sorted(site.world.calls) == sorted(GOOD)
    assert site.world.calls[-1] == "enqueue"
    assert [event.type for event in site.audit.events] == ["received", "released"]  # one end, which is the truth
    assert len(site.queue.rows) == 2
    assert arena.fd == -1
    assert not site.ingest.hangs


@pytest.mark.parametrize("call", ["seal", "record received+held"])
async def test_so_it_is_with_one_that_is_held_and_it_is_sealed_whole(call: str) -> None:
    site = made(HELD)
    release, arena = await hung(site, call)
    release.set()
    await over(site)
    assert site.world.calls == BAD
    assert [data for _, data in site.quarantine.entries.values()] == [b"original"]
    assert arena.fd == -1


async def test_who_comes_then_is_refused_at_once_on_record_and_nothing_is_judged() -> None:
    site = made()
    release, _ = await hung(site, "settle")
    again(site)
    before = list(site.world.calls)
    for _ in range(3):
        with pytest.raises(DiskHangs):
            await site.receive()
    assert site.world.calls == [*before, *["record received+refused"] * 3]
    assert {event.reason for event in site.audit.events if event.type == "refused"} == {"DiskHangs"}
    release.set()
    await over(site)
    assert (await site.receive()).stored  # by itself
    site.arena.close()


async def test_what_fails_behind_the_refusal_leaves_nothing_and_says_so() -> None:
    site = made()
    release, arena = await hung(site, "settle")
    site.world.faults["record received+released"] = []
    site.world.faults["enqueue"] = [SpoolFull("full")]
    release.set()
    await over(site)
    assert not site.queue.rows
    assert not site.spool.files
    assert [event.type for event in site.audit.events] == ["received", "released", "refused"]
    assert arena.fd == -1


async def test_who_goes_away_meanwhile_is_held_until_the_end_as_ever() -> None:
    site = made()
    site.ingest._disk = DiskWatch(60)
    release = asyncio.Event()
    site.world.faults["settle"] = [release]
    caller = asyncio.ensure_future(site.receive())
    while site.world.faults["settle"]:
        await asyncio.sleep(0)
    caller.cancel()
    await asyncio.sleep(0.01)
    assert not caller.done()
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert sorted(site.world.calls) == sorted(GOOD)
    site.arena.close()


async def waits(count: int) -> list[asyncio.Future[Any]]:
    return [asyncio.get_running_loop().create_future() for _ in range(count)]


async def test_a_disk_that_finishes_others_is_slow_and_does_not_hang() -> None:
    clock = Clock()
    watch = DiskWatch(2.0, clock=clock)
    first, *others = await waits(50)
    watch.begin(first, 0)
    for other in others:
        watch.begin(other, 0)
        clock.now += 1.9
        watch.end(other)
        assert watch.hangs is None
    clock.now += 1.9
    assert watch.hangs is None
    clock.now += 0.2
    assert isinstance(watch.hangs, DiskHangs)
    watch.end(first)
    assert watch.hangs is None
    clock.now += 1000
    assert watch.hangs is None  # nobody waits


@pytest.mark.parametrize(("sizes", "seconds"), [([0], 2.0), ([1 << 30], 55.7), ([512 << 10] * 100, 4.6)])
async def test_what_is_large_is_given_time(sizes: list[int], seconds: float) -> None:
    clock = Clock()
    watch = DiskWatch(2.0, clock=clock)
    for who, size in zip(await waits(len(sizes)), sizes, strict=True):
        watch.begin(who, size)
        watch.begin(who, size)  # twice is once
    clock.now += seconds - 0.1
    assert watch.hangs is None
    clock.now += 0.2
    assert watch.hangs is not None


async def test_whoever_has_ended_is_told_nothing() -> None:
    watch = DiskWatch(SHORT)
    done, waiting = await waits(2)
    watch.begin(done, 0)
    watch.begin(waiting, 0)
    done.set_result(1)
    with pytest.raises(DiskHangs):
        await waiting
    assert await done == 1
    watch.end(done)
    watch.end(waiting)
    watch.end(waiting)


@pytest.mark.parametrize("kept", [0, 1, 3])
def test_an_arena_closes_when_owner_and_keepers_have_gone(kept: int) -> None:
    arena = Arena(100)
    arena.write(b"original")
    for _ in range(kept):
        arena.keep()
    if kept:
        arena.close()
        arena.close()  # an owner may say so twice; that takes nothing from a keeper
        for _ in range(kept):
            assert bytes(arena.view()) == b"original"
            arena.release()
    else:
        arena.close()
    assert arena.fd == -1
    arena.close()
    with pytest.raises(ValueError, match="closed"):  # and never zeros in the place of what was there
        arena.view()


def test_a_keeper_that_goes_first_leaves_it_to_the_owner() -> None:
    with Arena(100) as arena:
        arena.keep()
        arena.release()
        os.fstat(arena.fd)
    assert arena.fd == -1


async def test_it_looks_again_when_it_must_and_not_later() -> None:
    """What began to wait a moment after the first look was set is refused in time all the same."""
    clock = Clock()
    watch = DiskWatch(2.0, clock=clock)
    asked: list[float] = []
    watch._wake_after = asked.append  # type: ignore[method-assign]  # no real time
    first, second = await waits(2)
    watch.begin(first, 0)
    clock.now += 0.1
    watch.begin(second, 0)
    watch.end(first)
    clock.now += 1.9
    watch._look()
    assert asked == pytest.approx([2.0, 1.9, 0.1])  # the second would not have been set over a timer that runs
    clock.now += 0.1
    watch._look()
    assert isinstance(second.exception(), DiskHangs)
