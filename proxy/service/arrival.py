"""One instance that came in, and what the audit log is told of it.

All its records have the same random ``arrival``: `received` once, then what became of it. A second verdict (a row that
could not be written after the release was recorded) takes the place of the first: the last one counts.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace

from proxy.deid.types import Claimed
from proxy.service import events
from proxy.service.ports import Arena, AuditEvent, AuditTrail, Peer


@dataclass(slots=True)
class Arrival:
    """Came from ``peer`` for ``project``; the arena stays its caller's."""

    project: str
    arena: Arena
    claimed: Claimed
    peer: Peer
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    _received: bool = False

    async def record(self, audit: AuditTrail, verdict: AuditEvent) -> None:
        """Record that it came in, unless that was done before, and what became of it. Raises `AuditUnavailable`."""
        before = [] if self._received else [events.received(self.project, self.peer, self.arena.size)]
        about = {"arrival": self.id}
        await audit.record(*(replace(each, object={**each.object, **about}) for each in (*before, verdict)))
        self._received = True
