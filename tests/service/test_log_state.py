"""How a log stands is seen at its first line and its last checkpoint, whatever is missing."""

from __future__ import annotations

from pathlib import Path

from proxy.audit.keys import AuditKey
from proxy.audit.trail import AuditLog
from proxy.service.log_state import LogState, log_state
from proxy.service.ports import AuditEvent


def test_a_log_that_has_not_begun(tmp_path: Path) -> None:
    assert log_state(tmp_path) == LogState(0, "", 0, 0, None)


async def test_a_log_of_which_the_first_part_is_gone(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, "veil", key=AuditKey(bytes(32)), segment_bytes=2000, timeout=60)
    await log.open()
    for n in range(12):
        await log.record(AuditEvent("held", object={"id": str(n)}))
    await log.close()
    files = sorted(tmp_path.glob("*.jsonl"))
    files[0].unlink()
    found = log_state(tmp_path)
    assert found.first > 1
    assert f'"ts":"{found.since}"' in files[1].read_text().splitlines()[0]
    assert (found.segments, found.size) == (len(files) - 1, sum(path.stat().st_size for path in files[1:]))
    assert found.signed is not None
    assert (found.signed.seq, found.signed.names) == (log.position.seq, ("veil.audit/veil",))
