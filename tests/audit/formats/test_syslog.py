"""One message a record: an RFC 5424 header that nobody else fills, and frames that can only be cut where they end."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.audit.formats.entry import Entry, entry_of
from proxy.audit.formats.syslog import MESSAGES, counted, graphic, message
from tests.audit.formats.records import EVENTS, NASTY, entry, hostile, record_of

HEADER = re.compile(
    rb"<(?P<pri>8[45])>1 (?P<time>\S+) (?P<host>[!-~]+) veil (?P<process>[!-~]+) (?P<id>[!-~]{1,32}) "
    rb'\[meta sequenceId="(?P<seq>\d+)"\] (?P<message>.*)'
)


@pytest.mark.parametrize("form", MESSAGES)
@pytest.mark.parametrize("event", EVENTS[:6], ids=lambda event: event.type)
def test_the_header_is_rfc_5424s(form: str, event: object) -> None:
    found = HEADER.fullmatch(message(entry(event), form, "host", 8192))  # type: ignore[arg-type]
    assert found is not None
    assert found["pri"] == (b"85" if event.outcome == "success" else b"84")  # type: ignore[attr-defined]
    assert found["seq"] == b"42"


def test_ps3_15_a_6_names_the_message() -> None:
    assert b" DICOM+RFC3881 [" in message(entry(EVENTS[0]), "dicom", "host", 8192)


@settings(max_examples=150, deadline=None)
@given(hostile(), st.sampled_from([*MESSAGES]), st.sampled_from(NASTY))
def test_nobody_ends_a_message_or_begins_another(found: Entry, form: str, host: str) -> None:
    made = message(found, form, host, 8192)
    match = HEADER.fullmatch(made)
    assert match is not None
    assert not re.search(rb"[\x00-\x1f\x7f]", made)
    stream = counted(made) + counted(b"next")
    length, _, rest = stream.partition(b" ")
    assert (rest[: int(length)], rest[int(length) :]) == (made, b"4 next")


@pytest.mark.parametrize("form", MESSAGES)
def test_what_is_too_long_is_brief_and_whole(form: str) -> None:
    record = record_of(EVENTS[3]) | {"object": {"kind": "instance", "names": "x" * 50_000}, "reason": "y" * 9000}
    made = message(entry_of(record), form, "host", 8192)
    assert len(made) < 4096
    assert HEADER.fullmatch(made) is not None
    assert b"shortened" in made or b"c2hvcnRlbmVk" in made or form == "dicom"


def test_numbers_wrap_as_the_standard_has_it() -> None:
    found = [message(entry_of({"seq": n}), "cef", "host", 8192) for n in (2_147_483_647, 2_147_483_648)]
    assert [HEADER.fullmatch(each)["seq"] for each in found] == [b"2147483647", b"1"]  # type: ignore[index]


def test_header_fields_are_graphic() -> None:
    assert graphic("a b\n\xe9", 48) == "a_b__"
    assert graphic("", 48) == "-"
    assert graphic("x" * 99, 48) == "x" * 48
