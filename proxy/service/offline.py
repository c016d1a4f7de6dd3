"""The offline twin: files instead of associations, the same worker, the same gate, the same audit.

A held file is left where it was and listed; the output folder only ever gets bytes that carry a `Release`.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from proxy.deid.types import Claimed, Report
from proxy.errors import Reason
from proxy.service.ports import AuditEvent, AuditTrail, Deidentifier, Held, Released, Spool, Verdict
from proxy.workers.arena import Arena, ArenaFull

_PIECE = 4 << 20


@dataclass(frozen=True, slots=True)
class Source:
    """One input file and its place below the argument it came from."""

    path: Path
    relative: Path


@dataclass(frozen=True, slots=True)
class Line:
    """What became of one file. ``target`` is None where it was held."""

    source: Path
    target: Path | None
    reason: Reason | None = None
    detail: str = ""
    report: Report | None = None
    milliseconds: float = 0.0


Layout = Callable[[Source, Report], Path]


def three_tier(source: Source, report: Report) -> Path:
    """PatientID/StudyInstanceUID/SeriesInstanceUID/SOPInstanceUID.dcm, all pseudonymous."""
    name = report.sop_instance_uid + ".dcm"
    return Path(report.patient_id) / report.study_instance_uid / report.series_instance_uid / name


def mirrored(source: Source, report: Report) -> Path:
    """The input's own folders and names; only for inputs whose names say nothing of a patient."""
    return source.relative


def find(inputs: Iterable[Path]) -> list[Source]:
    """Every regular file below ``inputs``, in a stable order, links not followed."""
    found: list[Source] = []
    for top in inputs:
        if top.is_dir():
            files = sorted(p for p in top.rglob("*") if p.is_file() and not p.is_symlink())
            found += [Source(p, p.relative_to(top)) for p in files]
        else:
            found.append(Source(top, Path(top.name)))
    return found


class Offline:
    """De-identify files of one project into ``out``."""

    def __init__(
        self,
        deidentifier: Deidentifier,
        spool: Spool,
        audit: AuditTrail,
        project: str,
        out: Path,
        layout: Layout,
        limit: int,
    ) -> None:
        """``limit``: bytes of one instance. ``spool`` must lie in the file system of ``out``."""
        self._deidentifier, self._spool, self._audit = deidentifier, spool, audit
        self._project, self._out, self._layout, self._limit = project, out, layout, limit

    async def run(self, sources: Iterable[Source], at_once: int) -> AsyncIterator[Line]:
        """One `Line` a file, in the order of ``sources``; at most ``at_once`` are in memory.

        Judged side by side, released one after the other: which of two files that are the same instance wins does not
        depend on which worker was faster.
        """
        waiting = iter(sources)
        judged: deque[asyncio.Task[_Judged]] = deque()
        try:
            while True:
                while len(judged) < at_once and (source := next(waiting, None)) is not None:
                    judged.append(asyncio.create_task(self._judge(source)))
                if not judged:
                    return
                yield await self._settle(await judged[0])
                judged.popleft()
        finally:
            for task in judged:
                task.cancel()

    async def _judge(self, source: Source) -> _Judged:
        arena = Arena(self._limit)
        verdict: Verdict
        try:
            await asyncio.to_thread(_read, source.path, arena)
        except ArenaFull:
            verdict = Held(Reason.LENGTH_BEYOND_BUFFER, "larger than limits.instance_bytes")
        except OSError as error:
            verdict = Held(Reason.NOT_DICOM, f"cannot be read: {type(error).__name__}")
        else:
            verdict = await self._deidentifier.run(self._project, arena, Claimed())
        return _Judged(source, arena, verdict)

    async def _settle(self, judged: _Judged) -> Line:
        """Release or leave one file. Never raises for what the file holds."""
        source, verdict = judged.source, judged.verdict
        with judged.arena as arena:
            if isinstance(verdict, Released):
                return await self._release(source, arena, verdict)
        return await self._hold(source, verdict)

    async def _release(self, source: Source, arena: Arena, verdict: Released) -> Line:
        report = verdict.report
        target = self._out / self._layout(source, report)
        item = await self._spool.write(verdict.release, verdict.chunks, arena)
        if await asyncio.to_thread(_other_content, target, item.sha256):
            await self._spool.remove(item.name)
            why = "an instance of this UID and other content was released already"
            return await self._hold(source, Held(Reason.DUPLICATE_INSTANCE, why))
        event = AuditEvent(
            type="released",
            project=self._project,
            peer={"transport": "cli"},
            object={"kind": "instance", "sop_instance_uid": report.sop_instance_uid, "sha256": item.sha256},
            policy_digest=report.policy_digest,
            key_epoch=report.key_epoch,
            counts=dict(report.counts),
        )
        await self._audit.record(event)
        await asyncio.to_thread(_place, self._spool.path(item.name), target)
        return Line(source.path, target, report=report, milliseconds=verdict.milliseconds)

    async def _hold(self, source: Source, held: Held) -> Line:
        event = AuditEvent(
            type="held",
            outcome="failure",
            project=self._project,
            peer={"transport": "cli"},
            object={"kind": "instance"},
            reason=str(held.reason),
        )
        await self._audit.record(event)
        return Line(source.path, None, held.reason, held.detail, milliseconds=held.milliseconds)


@dataclass(frozen=True, slots=True)
class _Judged:
    source: Source
    arena: Arena
    verdict: Verdict


def _read(path: Path, arena: Arena) -> None:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            arena.write(piece)


def _other_content(target: Path, sha256: str) -> bool:
    """Whether a file stands at ``target`` that is not the one with this digest."""
    try:
        with target.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() != sha256
    except FileNotFoundError:
        return False


def _place(spooled: Path, target: Path) -> None:
    """Move ``spooled`` to ``target``, where nothing stands or the same bytes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(spooled, target)
