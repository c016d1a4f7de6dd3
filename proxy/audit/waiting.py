"""Who waits for the audit log: events that become durable together, and the caller on an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

from proxy.service.ports import AuditEvent

_LOCK = threading.Lock()


class Request:
    """Events that become durable together, and the caller who waits for them."""

    __slots__ = ("_fate", "error", "events", "future", "loop")

    def __init__(self, events: Sequence[AuditEvent]) -> None:
        self.events = events
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[None] = self.loop.create_future()
        self.error: Exception | None = None
        self._fate = ""

    def keep(self) -> bool:
        """The writer has done with it, well or with an ``error``. False: its caller has been refused before that."""
        return self._decide("kept")

    def give_up(self) -> bool:
        """The caller waits no longer. False: the writer had done with it, see ``error``."""
        return self._decide("given up")

    def _decide(self, fate: str) -> bool:
        """Writer and caller agree on one fate, whoever is first."""
        with _LOCK:
            self._fate = self._fate or fate
            return self._fate == fate

    def settle(self) -> None:
        """Runs on the event loop."""
        if self.future.done():
            return  # the caller gave up, or went away: a record too many, never an operation without one
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
