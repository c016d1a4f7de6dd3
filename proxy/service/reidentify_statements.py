"""What every statement of an officer passes before anything is done with it, and the record of each that is refused.

Whose it is, by its signature; that the caller who brings it may; that it is fresh; that not too many come. Keeps no
state but rates.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from proxy.service import reidentify_events as events
from proxy.service.identifying import Drawer
from proxy.service.ports import AuditTrail
from proxy.service.rate import Rates
from proxy.service.reidentify_events import Whence
from proxy.service.reidentify_words import Message, Refused, read
from proxy.store.officers import Officer

T = TypeVar("T")

_FRESH = 300  # seconds by which a signed statement may be old, or the officer's clock ahead
#: Statements a second, and at once, of one caller over a network: each is a record.
OFTEN = (0.2, 30)
#: What is turned away for that is recorded once in so many seconds of each caller.
_SILENCE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Attempt:
    """A statement of ``officer`` whose signature is good."""

    message: Message
    said: Mapping[str, Any]
    drawer: Drawer
    officer: Officer
    known: events.Known


@dataclass(frozen=True, slots=True)
class Statements:
    """Reads them for projects that have a drawer. ``clock``: seconds since the epoch."""

    audit: AuditTrail
    drawers: Mapping[str, Drawer]
    clock: Callable[[], float] = time.time
    often: Rates = field(default_factory=lambda: Rates(*OFTEN))
    _told: Rates = field(default_factory=lambda: Rates(1 / _SILENCE_SECONDS, 1))

    async def recorded(
        self, action: str, message: Message, whence: Whence, act: Callable[[Attempt], Awaitable[T]]
    ) -> T:
        """Whatever is refused is on record before it is told."""
        known = events.Known(whence)
        if whence.remote and self.often.take(whence.key):
            if not self._told.take(whence.key):
                await self.audit.record(events.refused(action, "too-often", known))
            raise Refused("too-often")
        try:
            said = read(action, message.statement)
            known.project = said["project"] if said["project"] in self.drawers else ""
            drawer, officer = self._signed(said, message, whence)
            known.officer = officer.name
            if whence.officer not in (None, officer.name):
                raise Refused("another-account")
            if abs(self.clock() - said["at"]) > _FRESH:
                raise Refused("stale")
            return await act(Attempt(message, said, drawer, officer, known))
        except Refused as refused:
            await self.audit.record(events.refused(action, refused.reason, known))
            raise

    def _signed(self, said: Mapping[str, Any], message: Message, whence: Whence) -> tuple[Drawer, Officer]:
        drawer = self.drawers.get(said["project"]) if whence.sees(said["project"]) else None
        officer = drawer.officers.get(said["by"]) if drawer is not None else None
        if drawer is None or officer is None:
            raise Refused("unknown-officer")
        if not officer.signed(message.statement, message.signature):
            raise Refused("bad-signature")
        return drawer, officer
