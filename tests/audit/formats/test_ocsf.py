"""Each event is valid by the published schema of OCSF 1.3.0, and carries the whole record."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

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


@cache
def validator(class_uid: int) -> Any:
    """Of the published schema of a class, objects included; what it does not name is an error."""
    published = OcsfJsonSchemaEmbedded(get_ocsf_schema(version="1.3.0"))
    name = published.lookup_class_name_from_uid(class_uid=class_uid)
    return jsonschema_rs.validator_for(published.get_class_schema(class_name=name))


def wrong(found: dict[str, Any]) -> list[str]:
    """What the schema says against an event."""
    return [f"{error.instance_path}: {error.message}" for error in validator(found["class_uid"]).iter_errors(found)]


def test_the_schema_finds_what_is_wrong() -> None:
    found = render(entry(EVENTS[2]))
    assert wrong(found) == []
    for spoiled in ({"surplus": 1}, {"time": "now"}, {"activity_id": 4711}, {"databucket": {"name": "x"}}):
        assert wrong(found | spoiled)
    del found["actor"]
    assert wrong(found)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_the_numbers_follow_from_the_class(event: AuditEvent) -> None:
    found = json.loads(json.dumps(render(entry(event))))
    assert found.keys() >= BASE | REQUIRED[found["class_uid"]]
    assert found["type_uid"] == found["class_uid"] * 100 + found["activity_id"]
    assert found["category_uid"] == found["class_uid"] // 1000
    assert found["status_id"] == (1 if event.outcome == "success" else 2)
    assert (found["metadata"]["uid"], found["metadata"]["sequence"]) == ("veil:42", 42)
    assert found["time"] > 1_700_000_000_000
    assert wrong(found) == []


@settings(max_examples=100, deadline=None)
@given(hostile())
def test_nobody_adds_a_member(found: Entry) -> None:
    text = json.dumps(render(found))
    assert len(text.splitlines()) == 1
    again = json.loads(text)
    assert again["unmapped"] == {"hash": found.hash, "project": found.project} | found.told
    assert again.get("status_detail", "") == found.reason
    assert wrong(again) == []
    if again["class_uid"] != 6002:
        assert again["src_endpoint"]["name"] == (found.who or "veil")
