from __future__ import annotations

import asyncio

import pytest

from proxy.errors import AuditUnavailable
from proxy.service import housekeeping
from proxy.service.housekeeping import Housekeeping
from tests.service.trail import Trail


class Past:
    def __init__(self) -> None:
        self.rows = 1200
        self.before: set[float] = set()

    async def over(self, before: float) -> dict[str, int]:
        self.before.add(before)
        return {"deliveries": self.rows, "commitments": 0}

    async def forget(self, before: float, most: int) -> int:
        self.before.add(before)
        gone = min(most, self.rows)
        self.rows -= gone
        return gone


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "_PAUSE", 0.0)


async def test_what_is_over_goes_and_is_on_record() -> None:
    past, trail = Past(), Trail()
    keeping = Housekeeping(past, trail, 90, lambda: 100 * 86_400.0)
    await keeping.sweep()
    assert (past.rows, past.before) == (0, {10 * 86_400.0})
    (event,) = trail.events
    assert (event.type, event.object["days"], event.counts) == ("history-forgotten", 90, {"deliveries": 1200})
    await keeping.sweep()
    assert len(trail.events) == 1


async def test_without_a_record_nothing_goes_and_it_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "_EVERY", 0.001)
    past, trail = Past(), Trail(broken=True)
    with pytest.raises(AuditUnavailable):
        await Housekeeping(past, trail, 90).sweep()
    assert past.rows == 1200
    keeping = Housekeeping(past, trail, 90)
    keeping.start()
    await asyncio.sleep(0.01)
    trail.broken = False
    async with asyncio.timeout(20):
        while past.rows:
            await asyncio.sleep(0.001)
    await keeping.stop()
    assert len(trail.events) == 1
