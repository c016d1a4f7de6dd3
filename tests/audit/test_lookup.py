"""Pages: every record that is meant once, in order, over segments; found by halving, not by reading everything."""

from __future__ import annotations

import io
import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from proxy.audit.chain import Position, seal, stamp
from proxy.audit.lookup import Bounds, Lookup, Page, Question
from proxy.audit.selection import Selection
from proxy.service.ports import AuditEvent

START = datetime(2026, 11, 21, tzinfo=UTC)


def write(folder: Path, moments: list[datetime], each: int = 100) -> None:
    """Record n at ``moments[n - 1]``, of type t0, t1 or t2 in turn; ``each`` of them in a segment."""
    last = Position()
    for n, moment in enumerate(moments):
        sealed, last = seal(AuditEvent(f"t{n % 3}", project="ab"[n % 2]), last, moment, "veil")
        with (folder / f"audit-{n // each + 1:06d}.jsonl").open("ab") as file:
            file.write(sealed + b"\n")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, [START + timedelta(seconds=n) for n in range(1000)])
    return tmp_path


def numbers(page: Page) -> list[int]:
    return [json.loads(line)["seq"] for line in page.lines]


def everything(found: Lookup, question: Question | None) -> list[int]:
    seen: list[int] = []
    while question is not None:
        page = found.page(question)
        seen += numbers(page)
        question = page.next
    return seen


@pytest.mark.parametrize("oldest", [True, False])
@pytest.mark.parametrize("limit", [1, 7, 100, 5000])
def test_pages_have_every_record_once(folder: Path, oldest: bool, limit: int) -> None:
    if limit == 1:
        question = Question(after=180, before=230, oldest=oldest, limit=1)
        expected = list(range(181, 230))
    else:
        question, expected = Question(oldest=oldest, limit=limit), list(range(1, 1001))
    assert everything(Lookup(folder, lambda: 1000), question) == (expected if oldest else expected[::-1])


def test_a_selection_over_pages(folder: Path) -> None:
    found = Lookup(folder, lambda: 1000, Bounds(records=37, block=5000))
    selection = Selection(types=frozenset({"t1"}), visible=frozenset({"b"}))
    expected = [n for n in range(1, 1001) if n % 3 == 2 and n % 2 == 0]
    assert everything(found, Question(selection, oldest=True)) == expected
    assert everything(found, Question(selection)) == expected[::-1]
    nothing, little = Selection(types=frozenset({"t1"}), reasons=frozenset({"none"})), Bounds(bytes=20_000, block=5000)
    assert found.page(Question(nothing)) == Page(
        (), None, found.page(Question(nothing)).searched, 0
    )  # searched, not looked at
    rare = Lookup(folder, lambda: 1000, little).page(Question(nothing))
    assert rare.lines == ()
    assert rare.next is not None  # searched enough for one page
    assert rare.next.before is not None
    assert 900 < rare.next.before < 1000
    assert 20_000 <= rare.searched < 26_000


def test_nothing_that_is_not_durable_is_shown(folder: Path) -> None:
    found = Lookup(folder, lambda: 555)
    assert everything(found, Question(oldest=True, limit=1000)) == list(range(1, 556))
    assert numbers(found.page(Question(limit=1)))[0] == 555
    assert everything(Lookup(folder, lambda: 0), Question()) == []
    assert everything(found, Question(after=555)) == everything(found, Question(before=1)) == []
    assert everything(found, Question(after=10**12)) == []


def test_by_time(folder: Path) -> None:
    found, draw = Lookup(folder, lambda: 1000), random.Random(7)
    for _ in range(25):
        low, high = sorted(draw.sample(range(-100, 1100), 2))
        since, until = (stamp(START + timedelta(seconds=n)) for n in (low, high))
        expected = [n + 1 for n in range(1000) if low <= n < high]
        question = Question(Selection(since=since, until=until), oldest=True, limit=1000)
        assert everything(found, question) == expected


def test_a_clock_that_was_put_back_hides_nothing(tmp_path: Path) -> None:
    moments = [START + timedelta(seconds=3 * n - (500 if n >= 400 else 0)) for n in range(1000)]
    write(tmp_path, moments)
    since, until = START + timedelta(seconds=900), START + timedelta(seconds=1100)
    expected = [n + 1 for n, moment in enumerate(moments) if since <= moment < until]
    assert len(expected) > 100
    question = Question(Selection(since=stamp(since), until=stamp(until)), oldest=True, limit=1000)
    assert everything(Lookup(tmp_path, lambda: 1000), question) == expected


def test_a_segment_that_retention_took_and_lines_that_are_none(folder: Path) -> None:
    (folder / "audit-000001.jsonl").unlink()
    with (folder / "audit-000003.jsonl").open("ab") as file:
        file.write(b"\nnonsense\n{}\n")
    found = Lookup(folder, lambda: 1000, Bounds(records=20, block=1000))
    assert everything(found, Question(oldest=True)) == list(range(101, 1001))
    assert everything(found, Question()) == list(range(1000, 100, -1))


class Counted(io.BufferedReader):
    bytes_read = 0

    def readline(self, size: int | None = -1, /) -> bytes:
        data = super().readline(size or -1)
        Counted.bytes_read += len(data)
        return data


def test_a_question_by_number_or_time_reads_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 6000
    write(tmp_path, [START + timedelta(minutes=n) for n in range(count)], each=count)
    plain = Path.open

    def opened(path: Path, *how: Any) -> BinaryIO:
        return Counted(plain(path, "rb", buffering=0)) if how == ("rb",) else plain(path, *how)

    monkeypatch.setattr(Path, "open", opened)
    found = Lookup(tmp_path, lambda: count)
    size = sum(path.stat().st_size for path in tmp_path.iterdir())
    moment = START + timedelta(minutes=3000)
    for question in (
        Question(after=3000, limit=5, oldest=True),
        Question(Selection(since=stamp(moment), until=stamp(moment + timedelta(minutes=5))), limit=5, oldest=True),
    ):
        Counted.bytes_read = 0
        assert numbers(found.page(question)) == [3001, 3002, 3003, 3004, 3005]
        assert 0 < Counted.bytes_read < size / 10 + 4 * (1 << 16)
