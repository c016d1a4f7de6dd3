"""What the queue says of one instance: its rows at the destinations of its project, and nobody else's."""

from __future__ import annotations

from collections.abc import Callable

from proxy.deid.types import Report
from proxy.service.ports import SpoolItem
from proxy.store.database import Database
from proxy.store.queue import Queue
from proxy.store.queue_look import QueueLook


async def _keep(name: str) -> None:
    return None


async def test_rows_of_one_instance(database: Database, report_of: Callable[[str], Report]) -> None:
    queue = await Queue.open(database, _keep, lambda: 1000.0)
    for uid, digest in (("2.25.9", "a"), ("2.25.8", "b")):
        await queue.enqueue(
            "research", ["pacs", "archive"], SpoolItem(f"{digest}.dcm", digest * 64, 10), report_of(uid)
        )
    await queue.enqueue("other", ["pacs"], SpoolItem("c.dcm", "c" * 64, 10), report_of("2.25.9"))
    (row, *_) = await queue.claim("pacs", 1, 1000.0)
    await queue.retry(row, 1060.0, "A700")
    look = QueueLook(queue.database, {"research": ["pacs", "archive", "gone"], "other": []})
    assert [dict(row) for row in await look.of("research", "2.25.9")] == [
        {"destination": "archive", "state": "waiting", "attempts": 0, "queued_at": 1000.0, "due_at": 1000.0,
         "last_code": ""},
        {"destination": "pacs", "state": "waiting", "attempts": 1, "queued_at": 1000.0, "due_at": 1060.0,
         "last_code": "A700"},
    ]  # fmt: skip
    assert (
        await look.of("other", "2.25.9") == await look.of("research", "2.25.7") == await look.of("none", "2.25.9") == []
    )
