"""Log records as OTLP's JSON encoding has them: the published protobuf messages read them and lose nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from google.protobuf.json_format import MessageToDict, Parse, ParseError
from hypothesis import given, settings
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from proxy.audit.formats.entry import Entry, entry_of
from proxy.audit.formats.otlp import render, request
from tests.audit.formats.records import EVENTS, entry, hostile, record_of


def attributes(record: dict[str, object]) -> dict[str, str]:
    pairs = [(each["key"], each["value"]["stringValue"]) for each in record["attributes"]]  # type: ignore[attr-defined]
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def test_a_request_has_a_resource_for_each_node() -> None:
    records = [record_of(event) | {"node": node} for event in EVENTS[:2] for node in ("a", "b")]
    found = json.loads(json.dumps(request(map(entry_of, records))))["resourceLogs"]
    assert [attributes(each["resource"])["service.instance.id"] for each in found] == ["a", "b"]
    assert [len(each["scopeLogs"][0]["logRecords"]) for each in found] == [2, 2]


def read(body: dict[str, object]) -> dict[str, object]:
    """What the message of OTLP has of a body; `ParseError` for what it does not know."""
    message = Parse(json.dumps(body), ExportLogsServiceRequest())
    return MessageToDict(message, use_integers_for_enums=True)


def test_the_published_message_reads_every_type_of_event() -> None:
    body = request(map(entry, EVENTS))
    assert read(body) == body
    body["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["surplus"] = 1
    with pytest.raises(ParseError):
        read(body)


def test_time_is_exact_to_the_microsecond() -> None:
    moment = datetime(2026, 11, 21, 9, 30, 0, 42, tzinfo=UTC)
    found = render(entry_of({"seq": 1, "ts": "2026-11-21T09:30:00.000042Z"}))
    assert found["timeUnixNano"] == str(int(moment.replace(microsecond=0).timestamp()) * 10**9 + 42_000)
    assert render(entry_of({"seq": 1, "ts": "never"}))["timeUnixNano"] == "0"


def test_failures_are_warnings() -> None:
    found = {event.type: render(entry(event))["severityText"] for event in EVENTS}
    assert (found["released"], found["held"]) == ("INFO", "WARN")


@settings(max_examples=100, deadline=None)
@given(hostile())
def test_nobody_adds_an_attribute(found: Entry) -> None:
    said = attributes(json.loads(json.dumps(render(found))))
    read(request([found]))
    told = {f"veil.{key}": value for key, value in found.told.items()}
    own = {"veil.seq", "veil.hash", "veil.outcome", "veil.reason", "veil.project"}
    assert {key: value for key, value in said.items() if key not in own} == told
    assert said.get("veil.reason", "") == found.reason
