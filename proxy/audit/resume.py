"""Where a chain goes on after a restart. Reads the last segments, blames nothing on anyone, repairs nothing.

A damaged end is kept as evidence: writing goes on in a new segment and the damage becomes an event, so that a
damaged log stops neither intake nor the verifier's complaint.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from proxy.audit.chain import MAX_LINE, BadRecord, Position, unseal
from proxy.audit.sink_file import FileSink
from proxy.service.ports import AuditEvent


def lines(path: Path) -> Iterator[bytes]:
    """The lines of a segment without their newline; a line that is too long comes in pieces."""
    with path.open("rb") as file:
        while line := file.readline(MAX_LINE):
            yield line.removesuffix(b"\n")


@dataclass(frozen=True, slots=True)
class Found:
    """The position to go on from, the time of its record, the segments, and what there is to record about their end."""

    position: Position
    moment: datetime | None
    paths: list[Path]
    findings: list[AuditEvent]


def resume(sink: FileSink) -> Found:
    """Open ``sink`` and see where its chain stands."""
    paths, cut = sink.open()
    findings: list[AuditEvent] = []
    end = _End()
    for path in reversed(paths):  # the newest segment may be empty: a crash right after rotation
        end = _read(path)
        if end.lines:
            sink.ends_in(path)
            break
    if end.record.get("type") == "received":
        findings.append(_interrupted(end.record))
    if cut:
        file = {"kind": "audit-segment", "file": paths[-1].name}
        findings.append(AuditEvent("audit-recovered", object=file, counts={"cut_bytes": cut}))
    if end.bad:
        file = {"kind": "audit-segment", "file": path.name}
        findings.append(AuditEvent("audit-damaged", "failure", object=file, counts={"line": end.bad}))
        sink.rotate()
    return Found(end.position, _moment(end.record.get("ts")), paths, findings)


def _interrupted(record: dict[str, Any]) -> AuditEvent:
    """What came of an instance whose `received` is the last record: nothing was promised, its sender still has it."""
    peer, about, behalf = record["peer"], record["object"], record.get("behalf", {})
    return AuditEvent("refused", "failure", record["project"], peer, about, "interrupted", behalf=behalf)


@dataclass(slots=True)
class _End:
    """A segment's last good record, its first bad line (0: none), and how many lines it has."""

    position: Position = field(default_factory=Position)
    record: dict[str, Any] = field(default_factory=dict)
    bad: int = 0
    lines: int = 0


def _read(path: Path) -> _End:
    end = _End()
    for number, line in enumerate(lines(path), 1):
        end.lines = number
        try:
            record, position = unseal(line)
        except BadRecord:
            end.bad = end.bad or number
            continue
        last = end.position
        if last.seq and (record["prev"] != last.hash or position.seq != last.seq + 1):
            end.bad = end.bad or number
        end.position, end.record = position, record
    return end


def _moment(text: object) -> datetime | None:
    try:
        return datetime.strptime(str(text), "%Y-%m-%dT%H:%M:%S.%f%z")
    except ValueError:
        return None
