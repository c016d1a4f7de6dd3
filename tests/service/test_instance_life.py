"""One instance's records, all of them, in order, and of no other instance, however they name it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from proxy.audit.chain import Position, seal
from proxy.audit.lookup import Bounds, Lookup
from proxy.service.instance_life import MOST, life_of
from proxy.service.ports import AuditEvent

STUDY, SERIES = "2.25.100", "2.25.200"
CT, VIEWER = {"calling_ae": "CT1"}, {"caller": "token:ohif"}


def original(n: int) -> dict[str, Any]:
    return {"original": {"sop_instance_uid": f"hmac:{n:032x}", "study_instance_uid": f"hmac:{99:032x}"}}


def uids(n: int) -> dict[str, str]:
    return {"study_instance_uid": STUDY, "series_instance_uid": SERIES, "sop_instance_uid": f"2.25.{n}"}


def received(project: str = "a") -> AuditEvent:
    return AuditEvent("received", project=project, peer=CT, object={"kind": "instance", "size": 5})


def held(n: int) -> AuditEvent:
    about = {"kind": "quarantine", "id": f"q{n}"} | original(n)
    return AuditEvent("held", "failure", "a", CT, about, "burned-in-annotation")


def released(n: int, project: str = "a") -> AuditEvent:
    return AuditEvent("released", project=project, peer=CT, object={"kind": "instance"} | uids(n) | original(n))


def delivered(n: int, project: str = "a") -> AuditEvent:
    return AuditEvent("delivered", project=project, object={"kind": "instance", "destination": "pacs"} | uids(n))


def retrieved(project: str = "a", **about: str) -> AuditEvent:
    return AuditEvent("retrieved", project=project, peer=VIEWER, object={"kind": "study", "instances": 9} | about)


def log(folder: Path, *events: AuditEvent) -> Lookup:
    last = Position()
    with (folder / "audit-000001.jsonl").open("wb") as file:
        for event in events:
            line, last = seal(event, last, datetime(2026, 11, 21, tzinfo=UTC), "veil")
            file.write(line + b"\n")
    return Lookup(folder, lambda: last.seq)


def seqs(found: Lookup, of: str, visible: frozenset[str] | None = None) -> list[int]:
    return [json.loads(line)["seq"] for line in life_of(found.page, of, visible).lines]


def whole(folder: Path) -> Lookup:
    replayed = AuditEvent("replayed", project="a", object={"kind": "quarantine", "id": "q1"})
    return log(
        folder,
        received(), held(1),  # 1, 2
        received(), released(2),  # 3, 4
        received(), released(1), replayed,  # 5, 6, 7
        delivered(2), delivered(1),  # 8, 9
        retrieved(study_instance_uid=STUDY), retrieved(study_instance_uid="2.25.7"),  # 10, 11
        retrieved(study_instance_uid=STUDY, series_instance_uid=SERIES),  # 12
        retrieved(**uids(1)), retrieved(**uids(2)), retrieved("b", study_instance_uid=STUDY),  # 13, 14, 15
    )  # fmt: skip


def test_a_life_is_the_same_whatever_it_is_asked_by(tmp_path: Path) -> None:
    found = whole(tmp_path)
    expected = [1, 2, 5, 6, 7, 9, 10, 12, 13]
    for of in ("2.25.1", "q1", f"hmac:{1:032x}"):
        assert seqs(found, of) == expected, of
    assert seqs(found, "2.25.2") == [3, 4, 8, 10, 12, 14]


def test_what_is_of_no_single_instance_has_no_life(tmp_path: Path) -> None:
    found = whole(tmp_path)
    for of in (STUDY, SERIES, "pacs", f"hmac:{99:032x}", "hidden", "CT1"):
        assert seqs(found, of) == [], of


def test_projects_that_may_not_be_seen_do_not_exist(tmp_path: Path) -> None:
    found = log(tmp_path, received(), released(1), received("b"), released(1, "b"), delivered(1, "b"))
    assert seqs(found, "2.25.1", frozenset({"b"})) == [3, 4, 5]
    assert seqs(found, "2.25.1", frozenset()) == []
    assert seqs(found, "2.25.1") == [1, 2, 3, 4, 5]


def test_the_record_before_is_its_arrival_only_where_it_can_be(tmp_path: Path) -> None:
    found = log(tmp_path, received("b"), released(1), AuditEvent("started"), held(3))
    assert seqs(found, "2.25.1") == [2]
    assert seqs(found, "q3") == [4]


def test_an_arrival_that_is_named_is_found_by_its_name(tmp_path: Path) -> None:
    named = {"kind": "instance", "arrival": "0123456789abcdef"}
    came = AuditEvent("received", project="a", peer=CT, object=named)
    found = log(
        tmp_path, came, received(), AuditEvent("released", project="a", peer=CT, object=named | uids(1)), delivered(1)
    )
    assert seqs(found, "2.25.1") == [1, 3, 4]


def test_what_was_not_searched_is_said(tmp_path: Path) -> None:
    log(tmp_path, received(), released(1), *(received() for _ in range(100)), delivered(1))
    life = life_of(Lookup(tmp_path, lambda: 103, Bounds(bytes=5000, block=2000)).page, "2.25.1", None)
    assert [json.loads(line)["seq"] for line in life.lines] == [103]
    assert 80 < life.back_to < 103
    assert life_of(Lookup(tmp_path, lambda: 103).page, "2.25.1", None).back_to == 0


def test_a_life_has_an_end(tmp_path: Path) -> None:
    found = log(tmp_path, received(), released(1), *(retrieved(**uids(1)) for _ in range(MOST + 50)))
    life = life_of(found.page, "2.25.1", None)
    assert MOST <= len(life.lines) <= MOST + 2
    assert life.back_to > 0
