"""Each event is of a class of OCSF with the numbers that follow from it, and carries the whole record."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings

from proxy.audit.formats.entry import Entry
from proxy.audit.formats.ocsf import render
from proxy.service.ports import AuditEvent
from tests.audit.formats.records import EVENTS, entry, hostile

#: class → what the class requires besides the base event
REQUIRED = {
    3001: {"actor", "user"}, 3002: {"user", "service"}, 6002: {"app"}, 6003: {"actor", "api", "src_endpoint"},
    6005: {"actor", "databucket", "src_endpoint"},
}  # fmt: skip
BASE = {"activity_id", "category_uid", "class_uid", "metadata", "severity_id", "time", "type_uid", "status_id"}


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_the_numbers_follow_from_the_class(event: AuditEvent) -> None:
    found = json.loads(json.dumps(render(entry(event))))
    assert found.keys() >= BASE | REQUIRED[found["class_uid"]]
    assert found["type_uid"] == found["class_uid"] * 100 + found["activity_id"]
    assert found["category_uid"] == found["class_uid"] // 1000
    assert found["status_id"] == (1 if event.outcome == "success" else 2)
    assert (found["metadata"]["uid"], found["metadata"]["sequence"]) == ("veil:42", 42)
    assert found["time"] > 1_700_000_000_000


@settings(max_examples=100, deadline=None)
@given(hostile())
def test_nobody_adds_a_member(found: Entry) -> None:
    text = json.dumps(render(found))
    assert len(text.splitlines()) == 1
    again = json.loads(text)
    assert again["unmapped"] == {"hash": found.hash, "project": found.project} | found.told
    assert again.get("status_detail", "") == found.reason
    assert again["src_endpoint"]["name"] == (found.who or "veil")
