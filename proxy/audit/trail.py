"""`AuditLog`: the audit stream of one node. Implements `proxy.service.ports.AuditTrail`.

One thread numbers, chains and writes; callers wait for the disk on the event loop. Events that arrive while the disk
is busy share the next fdatasync (group commit). A disk that hangs fails its callers after ``timeout`` seconds: no
record, no operation. May hold AE titles, addresses and pseudonymous UIDs; never values of a dataset.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import NoReturn

from proxy.audit.chain import Position, hidden, seal
from proxy.audit.checkpoints import Checkpoints
from proxy.audit.keys import AuditKey
from proxy.audit.resume import resume
from proxy.audit.sink_file import FileSink, end_process
from proxy.audit.waiting import Request, settle_all
from proxy.audit.watch import Watch
from proxy.errors import AuditUnavailable
from proxy.service.ports import AuditEvent

#: requests that share one fdatasync at most, and events that may wait for a slow disk
_BATCH, _WAITING = 512, 20_000
#: events that no sender waits for, and how many seconds they wait for others to share an fdatasync with
_PATIENT, _PATIENCE = frozenset({"delivered"}), 0.02


class AuditLog:
    """The trail in ``folder``, written by ``node``. `open` it before use; `close` waits for what is under way."""

    def __init__(
        self,
        folder: Path,
        node: str,
        *,
        segment_bytes: int = 64 << 20,
        timeout: float = 2.0,
        key: AuditKey | None = None,
        watch: Watch | None = None,
        die: Callable[[str], NoReturn] = end_process,
    ) -> None:
        """``key`` signs checkpoints and conceals identifiers; ``die`` ends the process when an fsync failed."""
        self._node, self._timeout, self._watch = node, timeout, watch or Watch()
        self._sink = FileSink(folder, segment_bytes, die)
        self._checkpoints = Checkpoints(key.signer(node)) if key is not None else None
        self._conceal = key.conceal if key is not None else hidden
        self._position = Position()
        self._pending: deque[Request] = deque()
        self._waiting = 0
        self._wakeup = threading.Condition()
        self._thread: threading.Thread | None = None
        self._healthy = False

    @property
    def position(self) -> Position:
        """The last durable record: an anchor to keep elsewhere."""
        return self._position

    @property
    def healthy(self) -> bool:
        """Whether the latest write reached the disk; for readiness."""
        return self._healthy

    def rotate_soon(self) -> None:
        """The next record begins a segment, so that the one before it can be removed when its time has come."""
        self._sink.rotate_soon()

    async def open(self) -> None:
        """Resume the chain; what a crash or a hand did to its end is recorded. `AuditUnavailable` if it cannot."""
        self._position, findings = await asyncio.to_thread(self._resume)
        self._healthy = True
        self._thread = threading.Thread(target=self._write_forever, name="veil-audit", daemon=True)
        self._thread.start()
        if findings:
            await self.record(*findings)

    def _resume(self) -> tuple[Position, list[AuditEvent]]:
        found = resume(self._sink)
        self._watch.resume(found.moment)
        if self._checkpoints is None:
            return found.position, found.findings
        return found.position, [*found.findings, *self._checkpoints.resume(found.paths, found.position)]

    async def close(self) -> None:
        """Write what waits, then give the folder back. A disk that hangs is left behind after ``timeout``."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        with self._wakeup:
            self._wakeup.notify()
        await asyncio.to_thread(thread.join, self._timeout)
        self._healthy = False
        if not thread.is_alive():
            self._sink.close()

    async def record(self, *events: AuditEvent) -> None:
        """Durable when it returns. `AuditUnavailable` within ``timeout`` seconds otherwise."""
        if not events:
            return
        request = Request(events)
        with self._wakeup:
            if self._thread is None or not self._thread.is_alive():
                raise AuditUnavailable("the audit log is not open")
            if self._waiting + len(events) > _WAITING:
                raise AuditUnavailable("too many audit records wait for the disk")
            self._pending.append(request)
            self._waiting += len(events)
            self._wakeup.notify()
        try:
            async with asyncio.timeout(self._timeout):
                await request.future
        except TimeoutError:
            if request.future.done() and not request.future.cancelled():
                request.future.result()  # it was the event loop that was late, not the disk
                return
            self._healthy = False
            raise AuditUnavailable("the audit disk does not answer") from None

    def _write_forever(self) -> None:
        while True:
            if batch := self._next_batch():
                self._write(batch)
                settle_all(batch)
            self._sign(last=not batch)
            if not batch and self._thread is None:
                return

    def _next_batch(self) -> list[Request]:
        """What waits now; empty when a checkpoint is due meanwhile, or the log was closed and nothing waits."""
        with self._wakeup:
            while not self._pending and self._thread is not None:
                if not self._wakeup.wait(self._due()):
                    return []
            until = time.monotonic() + _PATIENCE
            while self._thread is not None and (left := until - time.monotonic()) > 0 and self._all_patient():
                self._wakeup.wait(left)
            batch = [self._pending.popleft() for _ in range(min(_BATCH, len(self._pending)))]
            self._waiting -= sum(len(request.events) for request in batch)
            return batch

    def _all_patient(self) -> bool:
        return all(event.type in _PATIENT for request in self._pending for event in request.events)

    def _due(self) -> float | None:
        return None if self._checkpoints is None else self._checkpoints.due(self._position)

    def _sign(self, *, last: bool) -> None:
        """A checkpoint if it is time, after the callers have been told; the ``last`` one of a log is always due."""
        due = self._due()
        if self._checkpoints is not None and due is not None and (last or not due):
            self._checkpoints.write(self._sink.path, self._position, self._watch.read()[0])

    def _write(self, batch: list[Request]) -> None:
        """Chain and append ``batch``; the position moves only when the disk has it."""
        lines, last = b"", self._position
        accepted: list[Request] = []
        moment, step = self._watch.read()
        if step is not None:
            counts = {"milliseconds": step // timedelta(milliseconds=1)}
            lines, last = self._chain([AuditEvent("clock-step", object={"kind": "clock"}, counts=counts)], last, moment)
        for request in batch:
            if request.future.done():
                continue  # gave up while an earlier batch hung
            try:
                sealed, last = self._chain(request.events, last, moment)
            except (ValueError, TypeError):
                request.error = AuditUnavailable("the event cannot be written as a record")
                continue
            lines += sealed
            accepted.append(request)
        if not accepted:
            return
        try:
            self._sink.append(lines)
        except AuditUnavailable as error:
            self._healthy = False
            for request in accepted:
                request.error = error
            return
        self._position, self._healthy = last, True
        self._watch.commit()

    def _chain(self, events: Sequence[AuditEvent], last: Position, moment: datetime) -> tuple[bytes, Position]:
        lines = bytearray()
        for event in events:
            line, last = seal(event, last, moment, self._node, self._conceal)
            lines += line + b"\n"
        return bytes(lines), last
