"""An audit trail in memory, that can be broken."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from proxy.errors import AuditUnavailable
from proxy.service.ports import AuditEvent


@dataclass
class Trail:
    events: list[AuditEvent] = field(default_factory=list)
    broken: bool = False

    async def record(self, *events: AuditEvent) -> None:
        await asyncio.sleep(0)
        if self.broken:
            raise AuditUnavailable("no sink")
        self.events += events
