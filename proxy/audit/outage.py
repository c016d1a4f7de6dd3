"""What the log could not take: since when, how many events, why; and which records reached the disk too late.

Kept in memory and written as soon as the disk takes records again, before anything else: a gap in time explains
itself. Used from the event loop and from the writer's thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from proxy.service.ports import AuditEvent

_SILENT = "the audit disk does not answer"


@dataclass(slots=True)
class Told:
    """One outage so far. ``late``: first and last numbers of records whose callers had been refused."""

    since: float
    why: str
    refused: int = 0
    late: list[tuple[int, int]] = field(default_factory=list)


class Outage:
    """At most one at a time."""

    def __init__(self, ticks: Callable[[], float] = time.monotonic) -> None:
        self._ticks, self._lock = ticks, threading.Lock()
        self._now: Told | None = None
        self._taken: Told | None = None  # on its way to the disk

    @property
    def pending(self) -> bool:
        """Whether there is something that no record tells yet."""
        return self._now is not None or self._taken is not None

    def refused(self, events: int, why: str = _SILENT) -> None:
        """Somebody was told that ``events`` could not be recorded; ``why`` is a short text of ours."""
        with self._lock:
            self._now = self._now or Told(self._ticks(), why)
            self._now.refused += events

    def late(self, first: int, last: int) -> None:
        """These are on disk, and who asked for them had been refused before."""
        with self._lock:
            self._now = self._now or Told(self._ticks(), _SILENT)  # whoever is refused is just about to say so
            self._now.late.append((first, last))

    def take(self) -> list[AuditEvent]:
        """What is to be written now; `written` or `put_back` must follow."""
        with self._lock:
            told = self._taken = self._now
            self._now = None
        if told is None:
            return []
        counts = {"refused": told.refused, "milliseconds": int((self._ticks() - told.since) * 1000)}
        about = {"kind": "audit-segment"}
        late = [AuditEvent("audit-late", object=about | {"first": a, "last": b}) for a, b in _joined(told.late)]
        return [AuditEvent("audit-outage", "failure", object=about, reason=told.why, counts=counts), *late]

    def written(self) -> None:
        """What was taken is on disk."""
        with self._lock:
            self._taken = None

    def put_back(self) -> None:
        """What was taken could not be written."""
        with self._lock:
            told, self._taken = self._taken, None
            if told is not None and self._now is not None:
                told.refused += self._now.refused
                told.late += self._now.late
            self._now = told or self._now


def _joined(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Neighbours as one."""
    found: list[tuple[int, int]] = []
    for first, last in ranges:
        if found and found[-1][1] + 1 == first:
            found[-1] = (found[-1][0], last)
        else:
            found.append((first, last))
    return found
