"""What an outage says of itself, however often saying it fails."""

from __future__ import annotations

from proxy.audit.outage import Outage


class Ticks:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_it_says_since_when_why_and_how_many() -> None:
    ticks = Ticks()
    outage = Outage(ticks)
    assert not outage.pending
    assert outage.take() == []
    outage.refused(3, "full")
    ticks.now += 2.5
    outage.refused(1, "something else")
    assert outage.pending
    (event,) = outage.take()
    assert (event.type, event.reason, dict(event.counts)) == (
        "audit-outage",
        "full",
        {"refused": 4, "milliseconds": 2500},
    )
    assert outage.pending, "it is not on disk yet"
    outage.written()
    assert not outage.pending


def test_what_could_not_be_written_is_said_again_with_what_came_since() -> None:
    outage = Outage(Ticks())
    outage.refused(3, "full")
    outage.take()
    outage.refused(2, "full")
    outage.put_back()
    assert outage.pending
    assert [dict(event.counts)["refused"] for event in outage.take()] == [5]
    outage.written()
    outage.put_back()
    assert not outage.pending


def test_late_records_are_named_by_their_numbers_neighbours_together() -> None:
    outage = Outage(Ticks())
    outage.late(7, 8)  # the writer was faster than whoever was refused
    outage.refused(2)
    outage.late(9, 9)
    outage.late(12, 13)
    outage.take()
    outage.put_back()
    gap, *late = outage.take()
    assert dict(gap.counts)["refused"] == 2
    assert [(e.type, e.object["first"], e.object["last"]) for e in late] == [
        ("audit-late", 7, 9),
        ("audit-late", 12, 13),
    ]
