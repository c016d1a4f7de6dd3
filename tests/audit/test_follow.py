"""Each record once, none before it is durable, on from where the cursor stood, over rotation and removal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from proxy.audit.follow import Cursor, CursorFile, Follower, cursor_after
from proxy.audit.sink_file import segments
from proxy.audit.trail import AuditLog
from proxy.service.ports import AuditEvent


async def written(folder: Path, count: int, segment_bytes: int = 4000) -> int:
    log = AuditLog(folder, "veil", segment_bytes=segment_bytes, timeout=60)
    await log.open()
    for n in range(count):
        await log.record(AuditEvent("received", project="research", object={"size": n}))
    last = log.position.seq
    await log.close()
    return last


def everything(follower: Follower, most: int = 7) -> list[int]:
    found: list[int] = []
    while lines := follower.next(most).lines:
        assert len(lines) <= most
        found += [line.seq for line in lines]
    return found


async def test_every_record_once_in_order_over_segments(tmp_path: Path) -> None:
    last = await written(tmp_path, 60)
    assert len(segments(tmp_path)) > 3
    assert everything(Follower(tmp_path, lambda: last)) == list(range(1, last + 1))


async def test_nothing_is_read_that_is_not_durable(tmp_path: Path) -> None:
    last = await written(tmp_path, 10)
    bound = 4
    follower = Follower(tmp_path, lambda: bound)
    assert everything(follower) == [1, 2, 3, 4]
    bound = last
    assert everything(follower) == list(range(5, last + 1))


async def test_a_line_without_its_end_waits(tmp_path: Path) -> None:
    last = await written(tmp_path, 3)
    path = segments(tmp_path)[-1]
    with path.open("ab") as file:
        file.write(b'{"seq":' + str(last + 1).encode())
    follower = Follower(tmp_path, lambda: last + 1)
    assert everything(follower) == list(range(1, last + 1))
    with path.open("ab") as file:
        file.write(b',"type":"x"}\n')
    assert everything(follower) == [last + 1]


async def test_what_is_no_record_is_passed_over_and_counted(tmp_path: Path) -> None:
    last = await written(tmp_path, 3)
    path = segments(tmp_path)[-1]
    for junk in (b"\xff\n", b"{}\n", b'{"seq":"9"}\n', b"[" * 5000 + b"\n"):
        path.write_bytes(junk + path.read_bytes())
    follower = Follower(tmp_path, lambda: last)
    assert everything(follower) == list(range(1, last + 1))
    assert follower.skipped == 4


async def test_a_cursor_goes_on_where_it_stood(tmp_path: Path) -> None:
    last = await written(tmp_path / "audit", 40)
    file = CursorFile(tmp_path / "cursors" / "one.json")
    assert file.load() == Cursor()
    found: list[int] = []
    while True:
        follower = Follower(tmp_path / "audit", lambda: last, file.load())
        batch = follower.next(9)
        if not batch.lines:
            break
        found += [line.seq for line in batch.lines]
        file.save(batch.after)
    assert found == list(range(1, last + 1))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"segment":1}', '{"segment":1,"offset":"x","seq":2}'])
def test_a_cursor_that_cannot_be_read_begins_anew(tmp_path: Path, text: str) -> None:
    (tmp_path / "one.json").write_text(text)
    assert CursorFile(tmp_path / "one.json").load() == Cursor()


async def test_segments_that_are_gone_are_passed_over(tmp_path: Path) -> None:
    last = await written(tmp_path, 60)
    first = segments(tmp_path)[2]
    for path in segments(tmp_path)[:2]:
        path.unlink()
    expected = json.loads(first.read_text().splitlines()[0])["seq"]
    assert everything(Follower(tmp_path, lambda: last)) == list(range(expected, last + 1))


async def test_a_cursor_is_found_for_every_number(tmp_path: Path) -> None:
    last = await written(tmp_path, 400, 120_000)
    for seq in (1, 2, 150, last - 1, last, *range(190, 240, 7)):
        follower = Follower(tmp_path, lambda: last, cursor_after(tmp_path, seq))
        assert everything(follower, 500) == list(range(seq + 1, last + 1))
