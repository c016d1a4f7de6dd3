"""Where a chain goes on after a restart. Reads the last segments, blames nothing on anyone, repairs nothing.

A damaged end is kept as evidence: writing goes on in a new segment and the damage becomes an event, so that a
damaged log stops neither intake nor the verifier's complaint.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from proxy.audit.chain import MAX_LINE, BadRecord, Position, unseal
from proxy.audit.sink_file import FileSink
from proxy.service.ports import AuditEvent


def lines(path: Path) -> Iterator[bytes]:
    """The lines of a segment without their newline; a line that is too long comes in pieces."""
    with path.open("rb") as file:
        while line := file.readline(MAX_LINE):
            yield line.removesuffix(b"\n")


def resume(sink: FileSink) -> tuple[Position, list[AuditEvent]]:
    """Open ``sink``; the position to go on from, and what there is to record about the end that was found."""
    paths, cut = sink.open()
    findings: list[AuditEvent] = []
    position, damaged = Position(), 0
    for path in reversed(paths):  # the newest segment may be empty: a crash right after rotation
        position, damaged, seen = _read(path)
        if seen:
            break
    if cut:
        file = {"kind": "audit-segment", "file": paths[-1].name}
        findings.append(AuditEvent("audit-recovered", object=file, counts={"cut_bytes": cut}))
    if damaged:
        file = {"kind": "audit-segment", "file": path.name}
        findings.append(AuditEvent("audit-damaged", "failure", object=file, counts={"line": damaged}))
        sink.rotate()
    return position, findings


def _read(path: Path) -> tuple[Position, int, bool]:
    """The last good position of a segment, its first bad line (0: none), and whether it has any line."""
    last, bad, number = Position(), 0, 0
    for number, line in enumerate(lines(path), 1):
        try:
            record, position = unseal(line)
        except BadRecord:
            bad = bad or number
            continue
        if last.seq and (record["prev"] != last.hash or position.seq != last.seq + 1):
            bad = bad or number
        last = position
    return last, bad, number > 0
