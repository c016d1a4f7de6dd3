"""A query string becomes a question, or is refused; what is not known is never passed over."""

from __future__ import annotations

import pytest
from multidict import MultiDict

from proxy.audit.lookup import Question
from proxy.audit.selection import Selection
from proxy.service.audit_question import BadQuestion, going_on, question_of, selection_of


def test_everything_that_can_be_asked() -> None:
    query = MultiDict(
        [("type", "held"), ("type", "denied"), ("outcome", "failure"), ("project", "a"), ("reason", "r"), ("peer", "p")]
    )
    query.extend([("object", "2.25.1"), ("after", "5"), ("before", "90"), ("since", "2026-11-21T09:00:00+01:00")])
    query.extend([("until", "2026-11-22"), ("order", "oldest"), ("limit", "5000"), ("accept", "application/jsonl")])
    one = [frozenset({value}) for value in ("failure", "a", "r", "p", "2.25.1")]
    selection = Selection(
        frozenset({"held", "denied"}), *one, "2026-11-21T08:00:00.000000Z", "2026-11-22T00:00:00.000000Z"
    )
    assert question_of(query) == Question(selection, 5, 90, True, 1000)
    assert question_of(MultiDict()) == Question()
    assert selection_of(MultiDict({"type": "held", "after": "7"})) == Selection(frozenset({"held"}))


@pytest.mark.parametrize(
    "query",
    [
        "typ=held", "after=-1", "after=x", "before=1e3", "limit=9999999999999999", "order=up", "since=yesterday",
        "until=0001-01-01", "since=9999-12-31T23:59:59Z", "after=1&after=2", f"peer={'x' * 301}", "since=2026-02-30",
        "&".join(f"type={n}" for n in range(51)),
    ],
)  # fmt: skip
def test_what_is_refused(query: str) -> None:
    with pytest.raises(BadQuestion):
        question_of(MultiDict(pair.split("=") for pair in query.split("&")))


def test_a_stream_has_no_pages() -> None:
    with pytest.raises(BadQuestion):
        selection_of(MultiDict({"before": "5"}))


def test_the_next_page_is_asked_for_with_the_same_words() -> None:
    query = MultiDict([("type", "held"), ("type", "denied"), ("before", "90"), ("limit", "5")])
    assert going_on(query, Question(before=40)) == [
        ("type", "held"), ("type", "denied"), ("limit", "5"), ("before", "40"),
    ]  # fmt: skip
    assert going_on(MultiDict(after="3"), Question(after=9, oldest=True)) == [("after", "9")]
