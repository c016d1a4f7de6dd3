"""Searches of the log take turns, also when nobody waits for one any more."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from proxy.audit.lookup import Page, Question
from proxy.service.audit_reading import AuditReading
from proxy.service.ports import AuditEvent, Peer


class Slow:
    """A lookup that ends when it is told to."""

    def __init__(self) -> None:
        self.go_on, self.began = threading.Event(), threading.Event()
        self.at_once = self.most = 0

    def page(self, question: Question) -> Page:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        self.began.set()
        self.go_on.wait(30)
        self.at_once -= 1
        return Page((), None)


class Trail:
    async def record(self, *events: AuditEvent) -> None:
        return None


async def test_who_leaves_keeps_his_turn_until_his_search_has_ended() -> None:
    lookup, live = Slow(), Any
    reading = AuditReading(lookup, live, Trail())  # type: ignore[arg-type]  # a lookup without a log
    first = asyncio.create_task(reading.page(Question(), None, Peer("console")))
    await asyncio.to_thread(lookup.began.wait, 30)
    second = asyncio.create_task(reading.page(Question(), None, Peer("console")))
    first.cancel()
    for _ in range(20):  # whatever can go on has gone on
        await asyncio.sleep(0)
    assert not first.done()
    lookup.go_on.set()
    assert await second == Page((), None)
    assert first.cancelled()
    assert lookup.most == 1
