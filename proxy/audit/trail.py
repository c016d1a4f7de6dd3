"""`AuditLog`: the audit stream of one node. Implements `proxy.service.ports.AuditTrail`.

Callers wait for the disk on the event loop; one thread writes (`Writer`). A disk that hangs fails its callers after
``timeout`` seconds, and those who come then at once: no record, no operation. Who was refused has no record; where
the disk took one all the same, the log says so when it can. May hold AE titles, addresses and pseudonymous UIDs;
never values of a dataset.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from proxy.audit.chain import Position, hidden
from proxy.audit.checkpoints import Checkpoints
from proxy.audit.keys import AuditKey
from proxy.audit.resume import resume
from proxy.audit.sink_file import FileSink, end_process
from proxy.audit.waiting import Request
from proxy.audit.watch import Watch
from proxy.audit.writer import Writer
from proxy.errors import AuditUnavailable
from proxy.service.ports import AuditEvent


class AuditLog:
    """The trail in ``folder``, written by ``node``. `open` it before use; `close` waits for what is under way."""

    def __init__(
        self,
        folder: Path,
        node: str,
        *,
        segment_bytes: int = 64 << 20,
        timeout: float = 1.5,
        key: AuditKey | None = None,
        watch: Watch | None = None,
        die: Callable[[str], NoReturn] = end_process,
    ) -> None:
        """``key`` signs checkpoints and conceals identifiers; ``die`` ends the process when an fsync failed.

        ``timeout``: less than the two seconds in which a refusal is due, because more than this can be slow.
        """
        self._node, self._timeout, self._watch = node, timeout, watch or Watch()
        self._sink = FileSink(folder, segment_bytes, die)
        self._checkpoints = Checkpoints(key.signer(node)) if key is not None else None
        self._conceal = key.conceal if key is not None else hidden
        self._writer: Writer | None = None

    @property
    def position(self) -> Position:
        """The last durable record: an anchor to keep elsewhere."""
        return Position() if self._writer is None else self._writer.position

    @property
    def healthy(self) -> bool:
        """Whether the disk takes records, and all that it did not take is told; for readiness."""
        writer = self._writer
        return writer is not None and writer.running and not writer.outage.pending and not writer.hangs(self._timeout)

    def rotate_soon(self) -> None:
        """The next record begins a segment, so that the one before it can be removed when its time has come."""
        self._sink.rotate_soon()

    async def open(self) -> None:
        """Resume the chain; what a crash or a hand did to its end is recorded. `AuditUnavailable` if it cannot."""
        position, findings = await asyncio.to_thread(self._resume)
        self._writer = Writer(self._sink, self._checkpoints, self._watch, self._node, self._conceal, position)
        self._writer.start()
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
        if self._writer is not None and await asyncio.to_thread(self._writer.stop, self._timeout):
            self._sink.close()

    async def record(self, *events: AuditEvent) -> None:
        """Durable when it returns. `AuditUnavailable` within ``timeout`` seconds otherwise."""
        if not events:
            return
        writer = self._writer
        if writer is None or not writer.running:
            raise AuditUnavailable("the audit log is not open")
        if writer.hangs(self._timeout):
            self._refuse(writer, events)
        request = Request(events)
        try:
            writer.put(request)
        except AuditUnavailable as error:
            writer.outage.refused(len(events), str(error))
            raise
        try:
            async with asyncio.timeout(self._timeout):
                await request.future
        except TimeoutError:
            if request.give_up():
                self._refuse(writer, events)
            if request.error is not None:  # it was the event loop that was late, not the disk
                raise request.error from None

    def _refuse(self, writer: Writer, events: tuple[AuditEvent, ...]) -> NoReturn:
        writer.outage.refused(len(events))
        raise AuditUnavailable("the audit disk does not answer") from None
