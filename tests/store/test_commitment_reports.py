"""Reports of storage commitment that are owed: found when due, kept as they stand, sealed on disk."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from proxy.errors import SealBroken
from proxy.store.commitment_reports import GIVEN_UP, OWED, REPORTED, WAITING, CommitmentReports
from proxy.store.commitments import Commitments
from proxy.store.database import Database

TITLES = ("CT1", "VEIL")
NAMED = [("1.2.840.10008.5.1.4.1.1.2", "1.2.826.4711.1")]


@pytest.fixture
def requests(database: Database) -> Commitments:
    return Commitments(database, bytes(32), clock=lambda: 100.0)


@pytest.fixture
def reports(database: Database, requests: Commitments) -> CommitmentReports:
    return CommitmentReports(database, requests)


async def test_a_report_is_owed_to_who_has_a_title(requests: Commitments, reports: CommitmentReports) -> None:
    assert await requests.add("research", "1.2.826.4711.8", NAMED)
    assert await reports.next_due(()) is None
    assert await requests.add("research", "1.2.826.4711.9", NAMED, TITLES)
    assert not await requests.add("research", "1.2.826.4711.9", [], TITLES), "a transaction is asked for once"
    (owed,) = await reports.due(100.0, 10, ())
    assert (owed.requester, owed.provider, owed.asked_at, owed.settled_at) == ("CT1", "VEIL", 100.0, 0.0)
    assert await reports.open(owed) == ("1.2.826.4711.9", NAMED)
    assert await reports.next_due(()) == 100.0
    assert await reports.counts() == {WAITING: 1}


async def test_what_is_not_due_and_who_is_busy_is_passed_over(
    requests: Commitments, reports: CommitmentReports
) -> None:
    for number, title in enumerate(("CT1", "CT1", "MR1")):
        await requests.add("research", f"1.2.{number}", NAMED, (title, "VEIL"))
    first, *_ = found = await reports.due(100.0, 10, ())
    assert len(found) == 3
    assert await reports.due(99.0, 10, ()) == []
    assert [owed.requester for owed in await reports.due(100.0, 10, ("CT1",))] == ["MR1"]
    await reports.keep(first, WAITING, 120.0)
    assert first not in await reports.due(119.0, 10, ())
    assert await reports.next_due(("CT1", "MR1")) is None
    assert len(await reports.due(120.0, 2, ())) == 2


@pytest.mark.parametrize("state", [REPORTED, GIVEN_UP])
async def test_what_has_ended_is_never_due(requests: Commitments, reports: CommitmentReports, state: str) -> None:
    await requests.add("research", "1.2.9", NAMED, TITLES)
    (owed,) = await reports.due(100.0, 10, ())
    tried = dataclasses.replace(owed, settled_at=101.0, attempts=2)
    await reports.keep(tried, OWED, 110.0, "away")
    assert await reports.due(110.0, 10, ()) == [tried]
    await reports.keep(tried, state, 0.0)
    assert await reports.due(1e12, 10, ()) == []
    assert await reports.next_due(()) is None
    assert await reports.counts() == {state: 1}


async def test_at_a_start_what_is_owed_is_due(requests: Commitments, reports: CommitmentReports) -> None:
    for number in range(2):
        await requests.add("research", f"1.2.{number}", NAMED, TITLES)
    waiting, owed = await reports.due(100.0, 10, ())
    await reports.keep(waiting, WAITING, 500.0)
    await reports.keep(owed, OWED, 900.0, "no-address")
    await reports.hurry(200.0)
    assert await reports.due(200.0, 10, ()) == [owed]


async def test_a_report_lies_sealed(tmp_path: Path) -> None:
    opened = await Database.open(tmp_path / "sealed.db")
    requests = Commitments(opened, bytes(32))
    await requests.add("research", "1.2.826.4711.9", NAMED, TITLES)
    (owed,) = await CommitmentReports(opened, requests).due(1e12, 1, ())
    other = CommitmentReports(opened, Commitments(opened, bytes([1] * 32)))
    with pytest.raises(SealBroken):
        await other.open(owed)
    move = "UPDATE commitment_report SET sealed = (SELECT sealed FROM commitment)"
    await opened.run(lambda connection: connection.exec_driver_sql(move))
    with pytest.raises(SealBroken):
        await CommitmentReports(opened, requests).open(owed)
    await opened.close()
    for file in tmp_path.iterdir():
        assert b"1.2.826.4711" not in file.read_bytes()
