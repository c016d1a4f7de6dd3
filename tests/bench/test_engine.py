"""Calls are timed in turn, as many as asked for, and those that warm up do not count."""

from __future__ import annotations

import time

from bench.engine import make_policy, repeat


def test_works_take_turns_in_bursts_and_the_first_turns_do_not_count() -> None:
    calls: list[str] = []
    first, second = repeat(0, lambda: calls.append("a"), lambda: calls.append("b"), warm=1, least=2, burst=3)
    assert "".join(calls) == "aaabbb" * 3
    assert [len(times) for times in (*first, *second)] == [6] * 4


def test_wall_and_cpu_time_are_told_apart() -> None:
    ((wall, cpu),) = repeat(0, lambda: time.sleep(0.02), warm=0, least=1)
    assert wall[0] >= 0.02 > cpu[0]


def test_one_seed_is_one_policy() -> None:
    assert make_policy(3) is make_policy(3)
    assert make_policy(3).root_key != make_policy(4).root_key
