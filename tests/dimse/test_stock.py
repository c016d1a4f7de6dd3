"""Memory that is found ahead: for one instance, out of the budget, and not for long."""

from __future__ import annotations

import asyncio
import os

import pytest

from proxy.dimse import stock as module
from proxy.dimse.receiving import Budget
from proxy.dimse.stock import KEEP_SECONDS, MOST_BYTES, Stock
from tests.dimse.arenas import arenas

LIMIT, MEMORY, SIZE = 64 << 20, 16 << 20, 500_000


@pytest.fixture
def budget() -> Budget:
    return Budget(MEMORY)


def blocks(fd: int) -> int:
    return os.fstat(fd).st_blocks * 512


async def test_an_arena_is_ready_empty_and_has_its_memory(budget: Budget) -> None:
    stock = Stock(LIMIT, budget)
    stock.fill(SIZE)
    assert budget._free == MEMORY - SIZE
    with stock.take() as arena:
        assert budget._free == MEMORY  # who takes it pays for what it writes
        assert (arena.size, os.fstat(arena.fd).st_size) == (0, 0)
        assert blocks(arena.fd) >= SIZE
        arena.write(b"abc")
        assert bytes(arena.view()) == b"abc"
        arena.freeze()
        assert blocks(arena.fd) == 4096  # what is not needed is given back
        with stock.take() as another:
            assert another.fd != arena.fd
            assert blocks(another.fd) == 0


async def test_what_nobody_wants_is_given_back_soon(budget: Budget) -> None:
    stock = Stock(LIMIT, budget)
    stock.fill(SIZE)
    stock.fill(SIZE)  # one is enough
    assert arenas() == 1
    await asyncio.sleep(KEEP_SECONDS + 0.05)
    assert arenas() == 0
    assert budget._free == MEMORY
    stock.drop()
    assert budget._free == MEMORY


@pytest.mark.parametrize("size", [0, MOST_BYTES + 1])
async def test_not_for_nothing_nor_for_the_very_large(budget: Budget, size: int) -> None:
    Stock(LIMIT, budget).fill(size)
    assert arenas() == 0
    assert budget._free == MEMORY


async def test_not_beyond_the_budget() -> None:
    Stock(LIMIT, Budget(SIZE - 1)).fill(SIZE)
    assert arenas() == 0


async def test_a_machine_without_memory_or_descriptors_is_no_error(
    budget: Budget, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(arena: object, size: int) -> None:
        raise OSError(28, "no space")

    def no_descriptor(limit: int) -> None:
        raise OSError(24, "too many open files")

    stock = Stock(LIMIT, budget)
    monkeypatch.setattr(module.Arena, "reserve", no_memory)
    stock.fill(SIZE)
    with stock.take() as arena:
        arena.write(b"abc")
    monkeypatch.setattr(module, "Arena", no_descriptor)
    stock.fill(SIZE)
    assert budget._free == MEMORY
    assert arenas() == 0
