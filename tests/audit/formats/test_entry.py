"""What a record holds becomes printable words in one line, and nothing of it is lost or taken for something else."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from proxy.audit.formats.entry import entry_of, plain

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda each: st.lists(each) | st.dictionaries(st.text(), each),
)


@given(st.text())
def test_plain_text_is_one_printable_line(text: str) -> None:
    assert plain(text).isprintable()
    assert len(plain(text).splitlines()) <= 1
    if text.isprintable():
        assert plain(text) == text


def test_what_would_steer_is_spelled_out() -> None:
    assert plain("a\r\nb\0\x1b[2J\u202ec\u200f\u2028\ufeff\ud800") == (
        "a\\u000d\\u000ab\\u0000\\u001b[2J\\u202ec\\u200f\\u2028\\ufeff\\ud800"
    )
    assert plain("CT 1 Größe 磁気") == "CT 1 Größe 磁気"


MEMBERS = ("node", "ts", "type", "outcome", "project", "peer", "behalf", "object", "reason", "counts", "future")


@given(st.dictionaries(st.sampled_from(MEMBERS), ANYTHING))
def test_no_record_is_too_strange(record: dict[str, object]) -> None:
    entry = entry_of(record | {"seq": 7})
    for text in (entry.who, entry.reason, entry.type, *entry.told, *entry.told.values()):
        assert text.isprintable()
    assert len(json.dumps(entry.brief.told)) < 2000


def test_members_of_tomorrow_are_details() -> None:
    entry = entry_of({"seq": 1, "trace": {"id": "x"}, "counts": {"kept": 3}, "key_epoch": 2, "policy_digest": ""})
    assert entry.told == {"counts.kept": "3", "key_epoch": "2", "trace": '{"id":"x"}'}
