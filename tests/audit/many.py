"""A log of as many records as wanted: a valid chain in segments, mostly instances, with a few rare records in it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from proxy.audit.chain import Position, seal
from proxy.audit.sink_file import segment
from proxy.service.ports import AuditEvent

START = datetime(2026, 11, 1, tzinfo=UTC)
#: records of one instance: received, released, delivered
EACH = 3
#: every so many records one is a `denied`; one in the middle of the log is the only `certificates-refused`
DENIED_EVERY = 9_000
_PEER = {"transport": "dimse", "address": "10.1.2.17", "calling_ae": "CT1", "called_ae": "VEIL", "caller": "peer:ct-1"}
_STRANGER = {"transport": "dicomweb", "address": "10.9.9.9"}
_COUNTS = {"removed": 31, "replaced": 12, "shifted": 6, "emptied": 9, "kept": 140}


def uid(n: int, level: str = "sop") -> str:
    """The pseudonymous UID of the ``n``-th instance; a hundred are a series, four hundred a study."""
    n = n if level == "sop" else n // (100 if level == "series" else 400)
    return f"2.25.{int.from_bytes(hashlib.sha256(f'{level} {n}'.encode()).digest()[:16])}"


def write(folder: Path, count: int, segment_bytes: int = 64 << 20, each: timedelta = timedelta(seconds=1)) -> Position:
    """``count`` records, ``each`` apart from `START` on, as the product would have written them."""
    last, number, lines, size = Position(), 1, list[bytes](), 0
    for event in _events(count):
        line, last = seal(event, last, START + each * last.seq, "veil")
        lines.append(line)
        size += len(line) + 1
        if size >= segment_bytes or last.seq == count:
            segment(folder, number).write_bytes(b"\n".join(lines) + b"\n")
            number, lines, size = number + 1, [], 0
    return last


def _events(count: int) -> Iterator[AuditEvent]:
    for seq in range(1, count + 1):
        if seq == count // 2:
            yield AuditEvent("certificates-refused", "failure", object={"kind": "certificates"}, reason="expired")
        elif seq % DENIED_EVERY == 0:
            yield AuditEvent("denied", "failure", "research", _STRANGER, {"kind": "request"}, "unknown-token")
        else:
            yield _of_instance(*divmod(seq, EACH))


def _of_instance(n: int, step: int) -> AuditEvent:
    project = "other" if n % 5 == 4 else "research"
    if step == 0:
        return AuditEvent("received", project=project, peer=_PEER, object={"kind": "instance", "size": 524_288 + n})
    about = {f"{level}_instance_uid": uid(n, level) for level in ("study", "series", "sop")}
    about |= {"kind": "instance", "sha256": f"{n:064x}"}
    if step == 1:
        about |= {"sop_class_uid": "1.2.840.10008.5.1.4.1.1.2", "transfer_syntax_uid": "1.2.840.10008.1.2.1"}
        return AuditEvent("released", "success", project, _PEER, about, "", f"{7:064x}", 1, _COUNTS)
    return AuditEvent("delivered", project=project, object=about | {"destination": "pacs", "queue_id": n})
