"""What a pool does with associations, without a network."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from proxy.dimse import pool as module
from proxy.dimse.exchange import AssociationLost
from proxy.dimse.pool import Link, Pool


@dataclass(eq=False)
class Fake:
    """Stands in for an association."""

    carries: str
    established: bool = True
    ended: str = ""

    async def release(self) -> None:
        await asyncio.sleep(0)
        self.ended = self.ended or "released"
        self.established = False

    def abort(self) -> None:
        self.established, self.ended = False, self.ended or "aborted"

    async def wind_up(self) -> None:
        pass


@dataclass
class Made:
    """Opens them: each carries every letter of the key."""

    window: int = 1
    all: list[Fake] = field(default_factory=list)
    fail: Exception | None = None

    async def open(self, key: str) -> Link[str]:
        await asyncio.sleep(0)
        if self.fail is not None:
            raise self.fail
        made = Fake(key)
        self.all.append(made)
        return Link(cast(Any, made), {key}, self.window)

    def pool(self, most: int, **more: Any) -> Pool[str]:
        return Pool(self.open, most, **more)

    @property
    def standing(self) -> int:
        return sum(one.established for one in self.all)


class Work:
    """Counts how many of it are under way, altogether and on one association."""

    def __init__(self) -> None:
        self.under_way: list[Any] = []
        self.most = self.most_on_one = 0

    async def __call__(self, association: Any) -> Any:
        self.under_way.append(association)
        self.most = max(self.most, len(self.under_way))
        self.most_on_one = max(self.most_on_one, self.under_way.count(association))
        await asyncio.sleep(0.002)
        self.under_way.remove(association)
        return association


async def test_never_more_than_the_limit_and_never_two_on_one() -> None:
    made, work = Made(), Work()
    pool = made.pool(3)
    await asyncio.gather(*(pool.run("a", work) for _ in range(20)))
    assert (len(made.all), work.most, work.most_on_one) == (3, 3, 1)
    await pool.close()
    assert {one.ended for one in made.all} == {"released"}


async def test_as_many_on_one_as_its_window_says() -> None:
    made, work = Made(window=4), Work()
    pool = made.pool(1)
    await asyncio.gather(*(pool.run("a", work) for _ in range(20)))
    assert (len(made.all), work.most_on_one) == (1, 4)
    await pool.close()


async def test_the_fullest_is_shared_first_so_that_others_become_idle() -> None:
    made, work = Made(window=4), Work()
    pool = made.pool(4)
    await asyncio.gather(*(pool.run("a", work) for _ in range(4)))
    work.most_on_one = 0
    await asyncio.gather(*(pool.run("a", work) for _ in range(4)))
    assert work.most_on_one == 4
    await pool.close()


async def test_one_that_cannot_carry_it_makes_room_and_is_gone_before_the_next_is_opened() -> None:
    made, work = Made(), Work()
    pool = made.pool(1)
    first = await pool.run("a", work)
    second = await pool.run("b", work)
    assert first is not second
    assert (first.ended, made.standing) == ("released", 1)
    await pool.close()


async def test_who_waits_has_his_turn_after_an_error_and_after_a_cancellation() -> None:
    made, work = Made(), Work()
    pool = made.pool(1)

    async def wrong(association: Any) -> None:
        await asyncio.sleep(0.002)
        raise ValueError

    cancelled = asyncio.ensure_future(pool.run("a", work))
    others = [asyncio.ensure_future(pool.run("a", each)) for each in (wrong, work)]
    await asyncio.sleep(0.001)
    cancelled.cancel()
    results = await asyncio.gather(*others, return_exceptions=True)
    assert isinstance(results[0], ValueError)
    assert isinstance(results[1], Fake)
    assert [one.ended for one in made.all] == ["aborted", "aborted", ""]  # half a message may be out
    await pool.close()


async def test_a_harmless_error_costs_no_association() -> None:
    made = Made()
    pool = made.pool(1, harmless=(LookupError,))

    async def harmless(association: Any) -> None:
        raise KeyError

    for _ in range(3):
        with pytest.raises(KeyError):
            await pool.run("a", harmless)
    assert len(made.all) == 1
    await pool.close()


@pytest.mark.parametrize(("how", "tries"), [("aborted", 2), ("lost", 2), ("timeout", 1)])
async def test_what_was_lost_on_a_used_one_is_tried_once_on_a_new_one(how: str, tries: int) -> None:
    made, work = Made(), Work()
    pool, tried = made.pool(2), list[Any]()

    async def lost(association: Any) -> None:
        tried.append(association)
        association.established = False
        raise AssociationLost(how)

    with pytest.raises(AssociationLost):  # a new one: it may well be its fault
        await pool.run("a", lost)
    assert len(tried) == 1
    used = await pool.run("a", work)
    tried.clear()
    with pytest.raises(AssociationLost):
        await pool.run("a", lost)
    assert len(tried) == tries
    assert tried[0] is used
    assert used not in tried[1:]
    await pool.close()


async def test_what_was_lost_is_not_tried_on_another_old_one() -> None:
    made, work = Made(), Work()
    pool, tried = made.pool(3), list[Any]()
    await asyncio.gather(*(pool.run("a", work) for _ in range(2)))
    old = list(made.all)

    async def lost_once(association: Any) -> None:
        tried.append(association)
        if len(tried) == 1:
            association.established = False
            raise AssociationLost("aborted")

    await pool.run("a", lost_once)
    assert len(old) == 2
    assert tried[0] in old
    assert tried[1] not in old
    await pool.close()


async def test_idle_ones_are_released_busy_ones_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.02)
    made, work = Made(), Work()
    pool = made.pool(2)
    done = asyncio.Event()

    async def slow(association: Any) -> None:
        await done.wait()

    busy = asyncio.ensure_future(pool.run("a", slow))
    await asyncio.sleep(0)
    await pool.run("a", work)
    await asyncio.sleep(0.06)
    assert sorted(one.ended for one in made.all) == ["", "released"]
    done.set()
    await busy
    await pool.close()


async def test_a_failure_to_open_is_told_and_frees_its_place() -> None:
    made, work = Made(fail=OSError()), Work()
    pool = made.pool(1)
    results = await asyncio.gather(*(pool.run("a", work) for _ in range(3)), return_exceptions=True)
    assert [type(each) for each in results] == [OSError] * 3
    made.fail = None
    assert await pool.run("a", work)
    await pool.close()


async def test_close_ends_what_is_under_way_and_what_waits() -> None:
    made = Made()
    pool = made.pool(1)

    async def heeds(association: Any) -> None:
        while association.established:
            await asyncio.sleep(0.001)
        raise AssociationLost("aborted")

    asked = [asyncio.ensure_future(pool.run("a", heeds)) for _ in range(3)]
    await asyncio.sleep(0.005)
    await pool.close()
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(each) for each in results] == [AssociationLost] * 3
    assert [one.ended for one in made.all] == ["aborted"]


async def test_one_that_is_opened_while_the_pool_closes_is_given_back() -> None:
    made, work = Made(), Work()
    pool = made.pool(1)
    asked = asyncio.ensure_future(pool.run("a", work))
    await asyncio.sleep(0)
    await pool.close()
    with pytest.raises(AssociationLost, match="closed"):
        await asked
    await asyncio.sleep(0.01)
    assert made.standing == 0
