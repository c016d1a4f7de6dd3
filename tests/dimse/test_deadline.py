"""One timer that may be moved, and the rules by which a peer is too slow."""

from __future__ import annotations

import asyncio

import pytest

from proxy.dimse.deadline import BYTES_PER_SECOND, Deadline, Vigil


@pytest.fixture
async def rung() -> list[float]:
    return []


@pytest.fixture
async def deadline(rung: list[float]) -> Deadline:
    clock = asyncio.get_running_loop().time
    return Deadline(lambda: rung.append(clock()))


async def test_it_expires_once_and_not_before(deadline: Deadline, rung: list[float]) -> None:
    when = asyncio.get_running_loop().time() + 0.05
    deadline.at(when)
    assert deadline.on
    await asyncio.sleep(0.12)
    assert len(rung) == 1
    assert rung[0] >= when - 0.002
    assert not deadline.on


@pytest.mark.parametrize(("first", "second"), [(0.02, 0.1), (0.5, 0.1)])
async def test_the_last_word_counts(deadline: Deadline, rung: list[float], first: float, second: float) -> None:
    now = asyncio.get_running_loop().time()
    deadline.at(now + first)
    deadline.at(now + second)
    await asyncio.sleep(0.07)
    assert rung == []
    await asyncio.sleep(0.1)
    assert len(rung) == 1


async def test_off_and_closed_it_does_not_expire(deadline: Deadline, rung: list[float]) -> None:
    now = asyncio.get_running_loop().time()
    deadline.at(now + 0.01)
    deadline.off()
    await asyncio.sleep(0.03)
    deadline.at(now + 0.04)
    deadline.close()
    await asyncio.sleep(0.03)
    assert rung == []
    assert deadline._timer is None


IDLE = 10.0


class Said:
    """A deadline that remembers what it was told."""

    def __init__(self) -> None:
        self.when: float | None = None

    @property
    def on(self) -> bool:
        return self.when is not None

    def at(self, when: float) -> None:
        self.when = when

    def off(self) -> None:
        self.when = None


@pytest.fixture
def said() -> Said:
    return Said()


@pytest.fixture
def vigil(said: Said) -> Vigil:
    return Vigil(IDLE, said)  # type: ignore[arg-type]  # a stand-in


def test_each_whole_pdu_gives_new_time_and_bytes_within_one_do_not(vigil: Vigil, said: Said) -> None:
    assert vigil.look(100, 0, False, False, False)
    assert said.when == 110
    assert vigil.look(104, 0, True, False, False)
    assert said.when == 110
    assert vigil.look(106, 50, False, False, False)
    assert said.when == 116


@pytest.mark.parametrize(("partial", "midway"), [(True, False), (False, True)])
def test_who_waits_for_us_may_be_silent_unless_he_has_begun_to_say_something(
    vigil: Vigil, said: Said, partial: bool, midway: bool
) -> None:
    assert vigil.look(100, 10, False, False, True)
    assert said.when is None
    assert vigil.look(101, 10, partial, midway, True)
    assert said.when == 111


def test_without_patience_there_is_no_deadline(said: Said) -> None:
    vigil = Vigil(None, said)  # type: ignore[arg-type]  # a stand-in
    assert vigil.look(100, 10, True, True, False)
    assert vigil.look(1e9, 10, True, True, False)
    assert said.when is None


def test_a_message_in_drips_is_too_slow_and_a_large_one_is_not(vigil: Vigil) -> None:
    for slow, rate in ((True, BYTES_PER_SECOND - 100), (False, BYTES_PER_SECOND + 100)):
        vigil.look(0.5, 0, False, False, False)
        verdicts = [vigil.look(1 + second, int(rate * second), False, True, False) for second in range(200)]
        assert all(verdicts[: int(IDLE)])
        assert all(verdicts) is not slow
        taken = 1 << 40
    assert vigil.look(1e6, taken, False, False, False)  # the message is whole: the next begins anew
    assert vigil.look(1e6 + 1, taken, False, True, False)
