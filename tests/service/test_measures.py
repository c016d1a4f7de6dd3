"""What is measured is counted anew after two seconds, and not once for each who asks."""

from __future__ import annotations

import asyncio
from typing import Any

from proxy.service.measures import Measures


async def test_who_asks_often_is_told_what_was_counted() -> None:
    now, asked = 0.0, 0

    async def status() -> dict[str, Any]:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)
        return {}

    async def held() -> list[Any]:
        return []

    measures = Measures(status, held, dict, lambda: asked, lambda: None, lambda: now)
    found = await asyncio.gather(*(measures.now() for _ in range(5)))
    assert {each.position for each in found} == {asked} == {1}
    now = 1.9
    assert (await measures.now()).position == 1
    now = 2.0
    assert (await measures.now()).position == 2
