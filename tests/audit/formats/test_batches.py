"""A batch is one body in which each record is found again."""

from __future__ import annotations

import json

import pytest

from proxy.audit.formats.batches import body
from tests.audit.formats.records import EVENTS, record_of

LINES = [json.dumps(record_of(event)).encode() for event in EVENTS]


def test_lines_of_the_log_are_sent_as_they_are() -> None:
    made = body("json", LINES)
    assert made.data.splitlines() == LINES
    assert made.media_type == "application/x-ndjson"


@pytest.mark.parametrize(("form", "said"), [("cef", "CEF:0|"), ("ocsf", '{"class_uid"')])
def test_a_line_for_each_record(form: str, said: str) -> None:
    lines = body(form, LINES).data.decode().splitlines()
    assert len(lines) == len(LINES)
    assert all(line.startswith(said) for line in lines)


def test_a_request_of_otlp() -> None:
    found = json.loads(body("otlp", LINES).data)
    assert len(found["resourceLogs"][0]["scopeLogs"][0]["logRecords"]) == len(LINES)
