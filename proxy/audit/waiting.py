"""Who waits for the audit log: events that become durable together, and the caller on an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from proxy.service.ports import AuditEvent


class Request:
    """Events that become durable together, and the caller who waits for them."""

    __slots__ = ("error", "events", "future", "loop")

    def __init__(self, events: Sequence[AuditEvent]) -> None:
        self.events = events
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[None] = self.loop.create_future()
        self.error: Exception | None = None

    def settle(self) -> None:
        """Runs on the event loop."""
        if self.future.done():
            return  # the caller gave up: a record too many, never an operation without one
        if self.error is None:
            self.future.set_result(None)
        else:
            self.future.set_exception(self.error)


def settle_all(requests: Sequence[Request]) -> None:
    """Tell the callers, each on its own event loop, from any thread."""
    for loop in {request.loop for request in requests}:
        mine = [request for request in requests if request.loop is loop]
        if not loop.is_closed():
            loop.call_soon_threadsafe(_settle, mine)


def _settle(requests: Sequence[Request]) -> None:
    for request in requests:
        request.settle()
