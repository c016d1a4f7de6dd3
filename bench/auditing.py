"""How fast the audit log is verified: records a second, with every checkpoint, on one core and on all.

The records are those of received and released instances, written by the product into a temporary folder.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.report import Row
from proxy.audit.keys import AuditKey
from proxy.audit.sink_file import segments
from proxy.audit.trail import AuditLog
from proxy.audit.verify import verify_folder
from proxy.audit.verify_notes import Keys
from proxy.service.ports import AuditEvent, Concealed

SECTION = "audit log: verification"
_PEER = {"transport": "dimse", "address": "10.1.2.17", "calling_ae": "CT1", "called_ae": "VEIL", "caller": "peer:ct-1"}
_UID = "2.25.3297492034987203948720394872039487203"
_COUNTS = {"removed": 31, "replaced": 12, "shifted": 6, "emptied": 9, "kept": 140}
_AT_ONCE = 250


def measure(quick: bool, seed: int) -> Iterator[Row]:
    """Rows of records a second."""
    key = AuditKey(seed.to_bytes(32, "big"))
    keys = Keys.read(key.signer("veil").verifier.text())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        count = asyncio.run(_write(folder, key, 20_000 if quick else 500_000))
        size = sum(path.stat().st_size for path in segments(folder))
        for processes in sorted({1, os.cpu_count() or 1}):
            rates = [count / _verified(folder, keys, processes, count) for _ in range(1 if quick else 5)]
            cores = "one core" if processes == 1 else f"{processes} processes"
            note = f"{count:,} records of {size // count} bytes, signed checkpoints included"
            yield Row(SECTION, f"veil audit verify --pubkey, {cores}", "records/s", statistics.median(rates), note=note)


async def _write(folder: Path, key: AuditKey, count: int) -> int:
    log = AuditLog(folder, "veil", key=key, segment_bytes=16 << 20)
    await log.open()
    for first in range(0, count, 2 * _AT_ONCE):
        await log.record(*(event for n in range(_AT_ONCE) for event in _instance(first + n)))
    await log.close()
    return log.position.seq


def _instance(n: int) -> tuple[AuditEvent, AuditEvent]:
    about = {"kind": "instance", "size": 524_288 + n}
    uids = {f"{level}_instance_uid": f"{_UID}{n % 1000}" for level in ("study", "series", "sop")}
    original = {"original": {"sop_instance_uid": Concealed("research", f"{_UID}.{n}")}}
    released = {**about, **uids, **original, "sha256": f"{n:064x}", "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2"}
    return (
        AuditEvent("received", project="research", peer=_PEER, object=about),
        AuditEvent("released", "success", "research", _PEER, released, "", f"{7:064x}", 1, _COUNTS),
    )


def _verified(folder: Path, keys: Keys, processes: int, count: int) -> float:
    began = time.perf_counter()
    result = verify_folder(folder, keys=keys, complete=True, processes=processes)
    seconds = time.perf_counter() - began
    if not result.ok or result.records != count:
        raise RuntimeError("the log that was just written is not in order")
    return seconds
