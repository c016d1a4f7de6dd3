"""The one thread that numbers, chains, signs and writes what callers of `AuditLog` wait for.

Events that arrive while the disk is busy share the next fdatasync (group commit). What could not be written, or came
too late, is told by the log itself as soon as it can (`Outage`); while it cannot, that is tried every second, so that
the log finds out by itself that the disk is good again.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta

from proxy.audit.chain import Conceal, Position, seal
from proxy.audit.checkpoints import Checkpoints
from proxy.audit.outage import Outage
from proxy.audit.sink_file import FileSink
from proxy.audit.waiting import Request, settle_all
from proxy.audit.watch import Watch
from proxy.errors import AuditUnavailable
from proxy.service.ports import AuditEvent

#: requests that share one fdatasync at most, and events that may wait for a slow disk
_BATCH, _WAITING = 512, 20_000
#: events that no sender waits for, and how many seconds they wait for others to share an fdatasync with
_PATIENT, _PATIENCE = frozenset({"delivered"}), 0.02
#: seconds between two tries to write to a disk that takes nothing, while nobody asks
_PROBE = 1.0


class Writer:
    """Goes on from ``position``. `start` it, `put` requests, `stop` it."""

    def __init__(
        self, sink: FileSink, checkpoints: Checkpoints | None, watch: Watch, node: str, conceal: Conceal, at: Position
    ) -> None:
        self.position, self.outage = at, Outage()
        self._sink, self._checkpoints, self._watch = sink, checkpoints, watch
        self._node, self._conceal = node, conceal
        self._pending: deque[Request] = deque()
        self._waiting = 0
        self._wakeup = threading.Condition()
        self._stopping = False
        self._busy_since: float | None = None
        self._probe_at = 0.0
        self._thread = threading.Thread(target=self._write_forever, name="veil-audit", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self, timeout: float) -> bool:
        """Write what waits and end; whether that came to its end within ``timeout``. Blocking."""
        with self._wakeup:
            self._stopping = True
            self._wakeup.notify()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    @property
    def running(self) -> bool:
        """False when it was stopped, or died with a disk that cannot be trusted."""
        return not self._stopping and self._thread.is_alive()

    def hangs(self, seconds: float) -> bool:
        """Whether the disk has kept it for longer than ``seconds``."""
        since = self._busy_since
        return since is not None and time.monotonic() - since > seconds

    def put(self, request: Request) -> None:
        """Let ``request`` wait. `AuditUnavailable` where too many do."""
        with self._wakeup:
            if self._waiting + len(request.events) > _WAITING:
                raise AuditUnavailable("too many audit records wait for the disk")
            self._pending.append(request)
            self._waiting += len(request.events)
            self._wakeup.notify()

    def _write_forever(self) -> None:
        while True:
            batch = self._next_batch()
            last = not batch and self._stopping
            self._busy_since = time.monotonic()
            if batch or (self.outage.pending and (last or not self._probe_due())):
                self._write(batch)
                settle_all(batch)
            self._sign(last=not batch)
            self._busy_since = None
            if last:
                return

    def _next_batch(self) -> list[Request]:
        """What waits now; empty when the log has something of its own to write, or is stopped and nothing waits."""
        with self._wakeup:
            while not self._pending and not self._stopping:
                if not self._wakeup.wait(self._due()):
                    return []
            until = time.monotonic() + _PATIENCE
            while not self._stopping and (left := until - time.monotonic()) > 0 and self._all_patient():
                self._wakeup.wait(left)
            batch = [self._pending.popleft() for _ in range(min(_BATCH, len(self._pending)))]
            self._waiting -= sum(len(request.events) for request in batch)
            return batch

    def _all_patient(self) -> bool:
        return all(event.type in _PATIENT for request in self._pending for event in request.events)

    def _due(self) -> float | None:
        """Seconds until there is something to write that nobody has asked for."""
        dues = [self._note_due(), self._probe_due() if self.outage.pending else None]
        return min((due for due in dues if due is not None), default=None)

    def _note_due(self) -> float | None:
        return None if self._checkpoints is None else self._checkpoints.due(self.position)

    def _probe_due(self) -> float:
        return max(0.0, self._probe_at - time.monotonic())

    def _sign(self, *, last: bool) -> None:
        """A checkpoint if it is time, after the callers have been told; the ``last`` one of a log is always due."""
        due = self._note_due()
        if self._checkpoints is not None and due is not None and (last or not due):
            self._checkpoints.write(self._sink.path, self.position, self._watch.read()[0])

    def _write(self, batch: list[Request]) -> None:
        """Chain and append ``batch``; the position moves only when the disk has it."""
        moment, step = self._watch.read()
        own = told = self.outage.take()
        if step is not None:
            counts = {"milliseconds": step // timedelta(milliseconds=1)}
            own = [AuditEvent("clock-step", object={"kind": "clock"}, counts=counts), *own]
        lines, last = self._chain(own, self.position, moment)
        accepted: list[tuple[Request, int]] = []
        for request in batch:
            if request.future.done():
                continue  # gave up while an earlier batch hung
            try:
                sealed, last = self._chain(request.events, last, moment)
            except (ValueError, TypeError):
                request.error = AuditUnavailable("the event cannot be written as a record")
                continue
            lines += sealed
            accepted.append((request, last.seq))
        try:
            if accepted or told:
                self._sink.append(lines)
                self.position = last
                self._watch.commit()
        except AuditUnavailable as error:
            self._failed(error, [request for request, _ in accepted])
            self.outage.put_back()
            return
        self.outage.written()
        for request, seq in accepted:
            if not request.keep():
                self.outage.late(seq - len(request.events) + 1, seq)

    def _failed(self, error: AuditUnavailable, requests: Sequence[Request]) -> None:
        self._probe_at = time.monotonic() + _PROBE
        for request in requests:
            request.error = error
        self.outage.refused(sum(len(request.events) for request in requests if request.keep()), str(error))

    def _chain(self, events: Sequence[AuditEvent], last: Position, moment: datetime) -> tuple[bytes, Position]:
        lines = bytearray()
        for event in events:
            line, last = seal(event, last, moment, self._node, self._conceal)
            lines += line + b"\n"
        return bytes(lines), last
