"""What is known of the rows that wait, and when that is not enough."""

from __future__ import annotations

from typing import Any

from proxy.service.ports import QueueRow
from proxy.store.ready import Ready


def row(number: int) -> QueueRow:
    return QueueRow(number, "p", "pacs", "x.dcm", "a" * 64, 1, "1.2", "1.2", "1.2.3", "1.2.3.4", "1", "P", 0, 0.0)


def sure(*found: Any, now: float = 100.0) -> Ready:
    """After the database was asked and had no more."""
    ready = Ready()
    assert ready.take(5, now) is None
    ready.ask()
    ready.asked(found, 5, now)
    return ready


def test_before_the_database_was_asked_nothing_is_known() -> None:
    ready = Ready()
    ready.add(row(1))
    assert ready.take(1, 100.0) is None


def test_new_rows_are_handed_out_in_their_order_and_once() -> None:
    ready = sure()
    assert ready.take(1, 100.1) == []
    for n in (1, 2, 3):
        ready.add(row(n))
    assert ready.take(2, 100.2) == [row(1), row(2)]
    assert ready.take(2, 100.2) == [row(3)]
    assert ready.take(2, 100.2) == []


def test_a_full_answer_proves_nothing() -> None:
    ready = sure(*(row(n) for n in range(5)))
    ready.add(row(9))
    assert ready.take(1, 100.1) is None


def test_a_retry_sends_back_to_the_database_when_it_is_due_and_not_before() -> None:
    ready = sure()
    ready.due(101.0)
    ready.add(row(1))
    assert ready.take(1, 100.9) == [row(1)]
    ready.add(row(2))
    assert ready.take(1, 101.0) is None


def test_after_a_while_the_database_is_asked_whatever_is_here() -> None:
    ready = sure()
    ready.add(row(1))
    assert ready.take(1, 200.0) is None


def test_what_is_committed_while_the_database_answers_is_in_one_place() -> None:
    ready = Ready()
    ready.ask()
    ready.add(row(1))  # the answer has it
    ready.add(row(2))  # the answer is too old for it
    assert ready.take(1, 100.0) is None
    ready.asked([row(1)], 5, 100.0)
    assert ready.take(5, 100.0) == [row(2)]


def test_while_another_question_is_under_way_nothing_is_handed_out() -> None:
    ready = Ready()
    ready.ask()
    ready.ask()
    ready.add(row(1))
    ready.asked([], 5, 100.0)
    assert ready.take(1, 100.0) is None  # the other answer may hold it
    ready.asked([row(1)], 5, 100.0)
    assert ready.take(1, 100.0) == []


def test_a_question_without_an_answer_leaves_doubt() -> None:
    ready = sure()
    ready.ask()
    ready.asked(None, 5, 100.0)
    assert ready.take(1, 100.0) is None


def test_a_long_backlog_is_the_databases() -> None:
    ready = sure()
    for n in range(1001):
        ready.add(row(n))
    assert ready.take(1, 100.1) is None
