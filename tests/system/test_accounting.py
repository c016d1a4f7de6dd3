"""The auditor finds what is missing or doubled; one that finds nothing proves nothing."""

from __future__ import annotations

import pytest

from tests.system.accounting import Record, account


def record(seq: int, kind: str, **about: str | int) -> Record:
    return {"seq": seq, "type": kind, "object": about}


def released(seq: int, arrival: str, uid: str) -> Record:
    found = record(seq, "released", arrival=arrival, sop_instance_uid=uid)
    found["object"]["original"] = {"sop_instance_uid": "hmac:" + uid}
    return found


def log() -> list[Record]:
    return [
        record(1, "started"),
        record(2, "received", arrival="a"),
        released(3, "a", "1"),
        record(4, "received", arrival="b"),
        record(5, "held", arrival="b", id="q"),
        record(6, "delivered", destination="pacs", sop_instance_uid="1"),
        record(7, "received", arrival="c"),
        record(8, "refused", arrival="c"),
        record(9, "stopped"),
    ]


def test_a_whole_log_has_nothing_wrong() -> None:
    found = account(log())
    assert found.wrong == []
    assert found.verdicts == {"released": 1, "held": 1, "refused": 1}
    assert (found.held, dict(found.ends), found.again, found.taken_back) == ({"q"}, {("pacs", "1"): 1}, 0, 0)


@pytest.mark.parametrize("seq", [2, 3, 4, 5, 7, 8])
def test_a_missing_record_is_found(seq: int) -> None:
    assert account([each for each in log() if each["seq"] != seq]).wrong


@pytest.mark.parametrize("seq", [2, 3, 4, 5, 7, 8])
def test_a_doubled_record_is_found(seq: int) -> None:
    assert account([each for one in log() for each in ([one, one] if one["seq"] == seq else [one])]).wrong


def test_an_end_without_a_beginning_is_found() -> None:
    assert account([*log(), record(10, "delivered", destination="pacs", sop_instance_uid="2")]).wrong


def test_an_end_too_many_needs_a_start_or_a_release() -> None:
    again = [record(n, "delivered", destination="pacs", sop_instance_uid="1") for n in (10, 11)]
    assert account([*log(), *again]).wrong
    assert account([*log(), record(12, "started"), again[0]]).wrong == []
    resent = [record(13, "received", arrival="d"), released(14, "d", "1")]
    assert account([*log(), *resent, *again]).wrong == []
    assert account([*log(), *resent, *again]).again == 2


def test_a_release_may_be_taken_back_and_what_came_too_late_does_not_count() -> None:
    back = [record(10, "received", arrival="d"), released(11, "d", "2"), record(12, "refused", arrival="d")]
    found = account([*log(), *back])
    assert (found.wrong, found.taken_back, "2" in found.released) == ([], 1, False)
    late = record(13, "audit-late", first=10, last=12)
    assert account([*log(), *back, late]).taken_back == 0
