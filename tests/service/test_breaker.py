"""An outage costs one probe now and then; a refusal opens it at once; any answer opens the way again."""

from __future__ import annotations

import random

import pytest

from proxy.service.breaker import CAP, PROBE_CAP, TOLERATED, Breaker, State, full_jitter


@pytest.fixture
def breaker() -> Breaker:
    return Breaker(random.Random(1))


def test_full_jitter_is_bounded_and_spread() -> None:
    rng = random.Random(1)
    for attempts in (0, 1, 5, 8, 9, 60, 10_000):
        ceiling = min(CAP, 2.0 ** min(attempts, 30))
        waits = [full_jitter(rng, attempts) for _ in range(2000)]
        assert 0 <= min(waits) < 0.05 * ceiling
        assert 0.95 * ceiling < max(waits) <= ceiling
    assert full_jitter(rng, 10_000) <= 300


def test_a_few_troubles_in_a_row_open_it(breaker: Breaker) -> None:
    for _ in range(TOLERATED - 1):
        breaker.troubled(100.0)
        assert breaker.admit(100.0)
    breaker.troubled(100.0)
    assert breaker.state is State.DOWN
    assert not breaker.admit(100.0)
    assert breaker.until <= 100.0 + PROBE_CAP


def test_an_answer_between_troubles_forgets_them(breaker: Breaker) -> None:
    for _ in range(10):
        breaker.troubled(0.0)
        breaker.answered()
    assert breaker.state is State.UP


def test_a_refusal_opens_it_at_once(breaker: Breaker) -> None:
    breaker.refused(100.0)
    assert breaker.state is State.REFUSING
    assert not breaker.admit(100.0)


def test_half_open_admits_one_probe(breaker: Breaker) -> None:
    breaker.refused(0.0)
    now = breaker.until
    assert breaker.admit(now)
    with breaker.attempt():
        assert not breaker.admit(now)
        breaker.refused(now)
    assert not breaker.admit(now)
    assert breaker.admit(breaker.until)
    with breaker.attempt():
        breaker.answered()
    assert breaker.state is State.UP
    assert breaker.admit(0.0)


def test_a_probe_that_found_nothing_to_send_leaves_the_way_for_the_next(breaker: Breaker) -> None:
    breaker.refused(0.0)
    with breaker.attempt():
        pass
    assert breaker.admit(breaker.until)


def test_trouble_does_not_hide_that_it_refuses(breaker: Breaker) -> None:
    breaker.refused(0.0)
    breaker.troubled(1.0)
    assert breaker.state is State.REFUSING


def test_the_waits_grow_to_the_cap(breaker: Breaker) -> None:
    waits = []
    for _ in range(300):
        breaker.refused(0.0)
        waits.append(breaker.until)
    assert max(waits[:3]) <= 8.5
    assert 250 < max(waits) <= CAP
    assert min(waits) >= 0.5
