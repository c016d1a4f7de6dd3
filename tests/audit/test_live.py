"""Subscribers get each record once, from any number on; who does not take them is dropped and told."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from proxy.audit.live import LiveStream, SlowReader, Subscription
from proxy.audit.trail import AuditLog
from proxy.service.ports import AuditEvent


async def take(subscription: Subscription, count: int) -> list[int]:
    async with asyncio.timeout(10):
        return [(await anext(subscription)).seq for _ in range(count)]


async def more(log: AuditLog, count: int) -> int:
    for n in range(count):
        await log.record(AuditEvent("received", object={"size": n}))
    return log.position.seq


async def test_from_now_from_a_number_and_from_the_beginning(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, "veil", segment_bytes=2000, timeout=60)
    await log.open()
    before = await more(log, 20)
    live = LiveStream(tmp_path, lambda: log.position.seq)
    now, third, all_of_it = await live.subscribe(), await live.subscribe(3), await live.subscribe(0)
    last = await more(log, 5)
    assert await take(now, last - before) == list(range(before + 1, last + 1))
    assert await take(third, last - 3) == list(range(4, last + 1))
    assert await take(all_of_it, last) == list(range(1, last + 1))
    live.close()
    for each in (now, third, all_of_it):
        with pytest.raises(StopAsyncIteration):
            await anext(each)
    await log.close()


async def test_a_slow_reader_is_dropped_told_and_can_come_back(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, "veil")
    await log.open()
    last = await more(log, 30)
    live = LiveStream(tmp_path, lambda: log.position.seq, most=10, patience=0.1)
    slow = await live.subscribe(0)
    assert await take(slow, 1) == [1]
    await asyncio.sleep(1.0)
    with pytest.raises(SlowReader) as dropped:
        await take(slow, 30)
    assert dropped.value.seq < last
    back = await live.subscribe(dropped.value.seq)
    assert (await take(back, 1)) == [dropped.value.seq + 1]
    live.close()
    await log.close()
