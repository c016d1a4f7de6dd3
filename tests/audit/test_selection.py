"""What is meant by a question, and that nothing is shown of projects that may not be seen."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proxy.audit.selection import Selection


def line(**members: Any) -> bytes:
    record = {
        "seq": 1,
        "type": "held",
        "outcome": "failure",
        "project": "a",
        "reason": "x",
        "ts": "2026-01-01T00:00:00.000000Z",
    }
    return json.dumps(record | members, sort_keys=True, separators=(",", ":")).encode()


def one(*values: str) -> frozenset[str]:
    return frozenset(values)


LINE = line(
    peer={"address": "192.0.2.1", "caller": "token:ohif"},
    behalf={"caller": "Gräf"},
    object={"kind": "instance", "sop_instance_uid": "2.25.7", "added": {"ct": ["veil:a:store"]}},
)


@pytest.mark.parametrize(
    ("selection", "meant"),
    [
        (Selection(), True),
        (Selection(types=one("held", "other")), True),
        (Selection(types=one("instance")), False),  # stands in the line, but not as its type
        (Selection(outcomes=one("failure"), reasons=one("x")), True),
        (Selection(outcomes=one("failure"), reasons=one("y")), False),
        (Selection(projects=one("b")), False),
        (Selection(peers=one("192.0.2.1")), True),
        (Selection(peers=one("Gräf")), True),
        (Selection(peers=one("address")), False),
        (Selection(peers=one("2.25.7")), False),
        (Selection(objects=one("2.25.7")), True),
        (Selection(objects=one("2.25.")), False),
        (Selection(objects=one("ct")), True),
        (Selection(objects=one("kind")), False),
        (Selection(since="2026-01-01T00:00:00.000000Z"), True),
        (Selection(until="2026-01-01T00:00:00.000000Z"), False),
        (Selection(visible=one("a")), True),
        (Selection(visible=one("b")), False),
        (Selection(visible=one()), False),
        (Selection(projects=one("a"), visible=one("b")), False),
    ],
)
def test_what_is_meant(selection: Selection, meant: bool) -> None:
    assert selection.test()(LINE) is meant


def test_a_record_of_the_site_is_shown_to_who_sees_everything_only() -> None:
    for about in ({"project": ""}, {"project": "", "object": {"project": "a"}}):
        assert Selection().test()(line(**about))
        assert not Selection(visible=one("a")).test()(line(**about))


def test_what_is_no_record_is_not_shown() -> None:
    assert not any(Selection().test()(each) for each in (b"", b"{", b"{}", b"[]", b'"type"', b"[" * 100_000))


def test_a_question_is_told_by_its_names_only() -> None:
    assert Selection(types=one("held"), peers=one("Jane Doe"), visible=one("a")).asked() == ["types", "peers"]
