"""Blocks have every line once, in order, from either end; what is rare costs a search for bytes and no parsing."""

from __future__ import annotations

import random
import tracemalloc
from pathlib import Path

import pytest

from proxy.audit.follow import Cursor
from proxy.audit.lookup import Lookup, Question
from proxy.audit.selection import Selection
from proxy.audit.sifting import BLOCK, blocks, sift
from proxy.audit.sink_file import segments
from proxy.audit.verify import verify_folder
from tests.audit import many

COUNT = 50_000
WHOLE = Cursor(0), Cursor(1 << 30)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("log")
    many.write(folder, COUNT, segment_bytes=4 << 20)
    return folder


def one(*values: str) -> frozenset[str]:
    return frozenset(values)


@pytest.mark.parametrize("oldest", [True, False])
@pytest.mark.parametrize("size", [1, 7, 64, 10_000])
def test_blocks_have_every_line_once(tmp_path: Path, oldest: bool, size: int) -> None:
    draw = random.Random(5)
    lines = [b"%d:" % n + b"x" * draw.randrange(40) for n in range(300)]
    for number in range(3):
        part = lines[100 * number : 100 * (number + 1)]
        (tmp_path / f"audit-{number + 1:06d}.jsonl").write_bytes(b"".join(line + b"\n" for line in part))
    found = [sift(block, ()) for block in blocks(tmp_path, *WHOLE, oldest, size)]
    in_order = [line for part in (found if oldest else reversed(found)) for line in part]
    assert in_order == lines


def test_lines_are_found_by_what_stands_in_them() -> None:
    block = b"a b\nb c\nc\n\na c\nlast a"
    assert sift(block, [(b"a",)]) == [b"a b", b"a c", b"last a"]
    assert sift(block, [(b"a", b"b")]) == [b"a b", b"b c", b"a c", b"last a"]
    assert sift(block, [(b"c",), (b"a", b"b")]) == [b"b c", b"a c"]
    assert sift(block, [(b"c",), (b"nothing",)]) == sift(block, [()]) == []


def test_the_log_of_these_tests_is_a_valid_chain(log: Path) -> None:
    result = verify_folder(log)
    assert (result.ok, result.records) == (True, COUNT)
    assert len(segments(log)) > 3


@pytest.mark.parametrize(
    ("selection", "matches"),
    [
        (Selection(types=one("denied")), COUNT // many.DENIED_EVERY),
        (Selection(types=one("denied"), outcomes=one("failure"), visible=one("research")), COUNT // many.DENIED_EVERY),
        (Selection(reasons=one("expired")), 1),
        (Selection(reasons=one("expired"), visible=one("research")), 0),
        (Selection(peers=one("10.9.9.9")), COUNT // many.DENIED_EVERY),
        (Selection(objects=one(many.uid(1234))), 2),
        (Selection(types=one("delivered"), objects=one(many.uid(1234)), visible=one("research", "other")), 1),
        (Selection(types=one("nothing")), 0),
    ],
)
@pytest.mark.parametrize("oldest", [True, False])
def test_what_is_rare_is_found_by_looking_at_few_records(
    log: Path, selection: Selection, matches: int, oldest: bool
) -> None:
    page = Lookup(log, lambda: COUNT).page(Question(selection, oldest=oldest))
    assert (len(page.lines), page.next) == (matches, None)
    size = sum(path.stat().st_size for path in segments(log))
    assert size - 1000 < page.searched <= size
    assert page.looked_at == matches


def test_a_page_costs_a_block_wherever_it_is(log: Path) -> None:
    found = Lookup(log, lambda: COUNT)
    for question in (Question(), Question(before=30_000), Question(after=20_000, oldest=True)):
        page = found.page(question)
        assert (len(page.lines), page.looked_at) == (100, 100)
        assert page.searched <= BLOCK
    often = found.page(Question(Selection(types=one("released"), visible=one("research")), before=30_000))
    assert len(often.lines) == 100
    assert often.searched <= 2 * BLOCK


def test_the_memory_of_a_search_is_that_of_a_few_blocks(log: Path) -> None:
    tracemalloc.start()
    Lookup(log, lambda: COUNT).page(Question(Selection(types=one("denied"))))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * BLOCK < sum(path.stat().st_size for path in segments(log))
