"""Committed is what every destination accepted, asked for by the sender's UIDs; all else is not, and says why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from proxy.errors import SealBroken
from proxy.service.commitment import CONFLICT, FAILED, FEW, UNKNOWN, Commitment, Committed
from proxy.service.ports import AuditEvent, Peer
from proxy.store.commitments import Commitments
from proxy.store.database import Database

PEER = Peer("dicomweb", "127.0.0.1")
CT = "1.2.840.10008.5.1.4.1.1.2"
STATES = {
    "our-safe": (CT, frozenset({"delivered"})),
    "our-waiting": (CT, frozenset({"delivered", "waiting"})),
    "our-flying": (CT, frozenset({"in_flight"})),
    "our-lost": (CT, frozenset({"delivered", "failed"})),
    "our-other": ("1.2.3", frozenset({"delivered"})),
}


class Queue:
    def __init__(self) -> None:
        self.asked: list[Sequence[str]] = []

    async def standing(self, project: str, uids: Sequence[str]) -> Mapping[str, tuple[str, frozenset[str]]]:
        self.asked.append(uids)
        return {uid: STATES[uid] for uid in uids if uid in STATES}


class Audit:
    def __init__(self) -> None:
        self.events: list[AuditEvent] = []

    async def record(self, *events: AuditEvent) -> None:
        self.events += events


def policy(options: tuple[str, ...] = ()) -> Any:
    return SimpleNamespace(options=options, pseudonyms=lambda: SimpleNamespace(uid=lambda uid: f"our-{uid}"))


@pytest.fixture
async def requests(tmp_path: Path) -> Any:
    database = await Database.open(tmp_path / "veil.db")
    yield Commitments(database, bytes(32))
    await database.close()


def named(*uids: str) -> list[tuple[str, str]]:
    return [(CT, uid) for uid in uids]


async def test_each_instance_has_its_answer(requests: Commitments) -> None:
    queue, audit = Queue(), Audit()
    commitment = Commitment(requests, queue, audit, lambda _: policy())
    found = await commitment.ask("research", "1.2.9", named("safe", "lost", "unknown", "other"), PEER)
    assert found == Committed(
        named("safe"), [(CT, "lost", FAILED), (CT, "unknown", UNKNOWN), (CT, "other", CONFLICT)], 0
    )
    assert queue.asked == [["our-lost", "our-other", "our-safe", "our-unknown"]], "the queue knows pseudonyms only"
    assert audit.events[-1].object == {"kind": "commitment", "safe": 1, "failed": 3, "pending": 0}


async def test_many_are_judged_as_few_are(requests: Commitments) -> None:
    """On a thread, off the event loop."""
    commitment = Commitment(requests, Queue(), Audit(), lambda _: policy())
    many = [*named("safe"), *named(*map(str, range(FEW))), *named("waiting")]
    found = await commitment.verdict("research", many)
    assert (found.safe, len(found.failed), found.pending) == (named("safe"), FEW, 1)
    final = await commitment.verdict("research", many, final=True)
    assert (final.failed[-1], final.pending) == ((CT, "waiting", FAILED), 0)


@pytest.mark.parametrize("uid", ["waiting", "flying"])
async def test_nothing_is_final_while_something_is_under_way(requests: Commitments, uid: str) -> None:
    commitment = Commitment(requests, Queue(), Audit(), lambda _: policy())
    found = await commitment.ask("research", "1.2.9", named("safe", uid), PEER)
    assert found is not None
    assert found.pending == 1


async def test_a_transaction_is_asked_for_once_and_answered_again(requests: Commitments) -> None:
    commitment = Commitment(requests, Queue(), Audit(), lambda _: policy())
    first = await commitment.ask("research", "1.2.9", named("safe"), PEER)
    assert await commitment.ask("research", "1.2.9", named("unknown"), PEER) is None
    assert await commitment.result("research", "1.2.9", PEER) == first
    assert await commitment.result("other", "1.2.9", PEER) is None
    assert await commitment.result("research", "1.2.8", PEER) is None


async def test_retained_uids_are_looked_for_as_they_are(requests: Commitments) -> None:
    queue = Queue()
    await Commitment(requests, queue, Audit(), lambda _: policy(("rtn_uids",))).ask(
        "research", "1.2.9", named("our-safe"), PEER
    )
    assert queue.asked == [["our-safe"]]


async def test_what_was_asked_for_lies_sealed(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "veil.db")
    await Commitments(database, bytes(32)).add("research", "1.2.826.4711.9", named("1.2.826.4711.1"))
    await database.run(lambda c: c.exec_driver_sql("UPDATE commitment SET sealed = zeroblob(60)"))
    with pytest.raises(SealBroken):
        await Commitments(database, bytes(32)).get("research", "1.2.826.4711.9")
    assert await Commitments(database, bytes([1] * 32)).get("research", "1.2.826.4711.9") is None
    await database.close()
    for file in tmp_path.iterdir():
        assert b"1.2.826.4711" not in file.read_bytes()
