from __future__ import annotations

import asyncio

import pytest

from proxy.dicomweb.window import Window


async def test_results_come_in_order_and_no_more_run_at_once() -> None:
    running, most, results = 0, 0, []

    async def work(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.002 * (5 - number % 5))
        running -= 1
        return number

    async with Window(3, results.append) as window:
        for number in range(12):
            await window.put(work(number))
    assert results == list(range(12))
    assert most == 3


@pytest.mark.parametrize("failing", [0, 9])
async def test_a_failure_is_raised_after_the_rest_has_ended(failing: int) -> None:
    ended: list[int] = []

    async def work(number: int) -> int:
        await asyncio.sleep(0.001)
        if number == failing:
            raise LookupError
        await asyncio.sleep(0.01)
        ended.append(number)
        return number

    begun: list[int] = []

    async def use() -> None:
        async with Window(3, lambda _: None) as window:
            for number in range(10):
                begun.append(number)
                await window.put(work(number))

    with pytest.raises(LookupError):
        await use()
    assert len(ended) == len(begun) - 1


async def test_an_error_of_the_block_waits_too() -> None:
    ended: list[int] = []

    async def work() -> int:
        await asyncio.sleep(0.01)
        ended.append(1)
        return 1

    async def use() -> None:
        async with Window(3, ended.append) as window:
            await window.put(work())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await use()
    assert ended == [1]
