"""Records of what is relayed between modalities and the clinical system (worklists, performed procedure steps).

What is relayed is identified and stays on the clinical side: a record says who asked what kind of thing and how it was
answered, and no value, UID or words of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from proxy.service.events import for_whom, who
from proxy.service.ports import AuditEvent, Peer


@dataclass(frozen=True, slots=True)
class Relayed:
    """One request of ``peer``; ``kind``: worklist or performed-procedure-step, ``operation`` by its name in PS3.7."""

    project: str
    peer: Peer
    kind: str
    operation: str

    def begins(self) -> AuditEvent:
        """It is about to go to the clinical system."""
        return self._event("relaying")

    def ended(self, status: int, matches: int = 0) -> AuditEvent:
        """The clinical system has answered, and that is what ``peer`` is told; ``matches`` of a worklist."""
        return self._event("relayed", status=f"{status & 0xFFFF:04X}", matches=matches)

    def failed(self, reason: str) -> AuditEvent:
        """The clinical system has not answered, and ``peer`` is told of a failure."""
        return self._event("relayed", reason)

    def _event(self, type_: str, reason: str = "", **more: object) -> AuditEvent:
        about = {"kind": self.kind, "operation": self.operation, **more}
        outcome = "failure" if reason else "success"
        return AuditEvent(type_, outcome, self.project, who(self.peer), about, reason, behalf=for_whom(self.peer))
