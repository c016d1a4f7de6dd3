"""Tampering with a log of 200 records shows, wherever it is done."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from proxy.audit.chain import Position, seal, unseal
from proxy.audit.sink_file import segments
from proxy.audit.trail import AuditLog
from proxy.audit.verify import Result, read_anchor, verify_folder
from proxy.service.ports import AuditEvent

RECORDS = 200


@pytest.fixture
async def log(tmp_path: Path) -> Path:
    """Four segments, 200 records."""
    trail = AuditLog(tmp_path / "audit", "veil", segment_bytes=20_000, timeout=60)
    await trail.open()
    for n in range(RECORDS):
        await trail.record(AuditEvent("received", project="research", object={"kind": "instance", "size": n + 1000}))
    await trail.close()
    return tmp_path / "audit"


def all_lines(folder: Path) -> list[tuple[Path, int, bytes]]:
    return [
        (path, number, line)
        for path in segments(folder)
        for number, line in enumerate(path.read_bytes().splitlines(keepends=True), 1)
    ]


def put(path: Path, number: int, *new: bytes) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    lines[number - 1 : number] = new
    path.write_bytes(b"".join(lines))


def test_an_untouched_log_is_whole(log: Path) -> None:
    result = verify_folder(log)
    assert result.ok
    assert (result.records, result.seq, result.segments) == (RECORDS, RECORDS, len(segments(log)))
    assert result.segments >= 4
    assert verify_folder(log, Position(result.seq, result.hash)).ok
    assert read_anchor(f"{result.seq}:{result.hash}\n") == Position(result.seq, result.hash)


def found(result: Result, path: Path, number: int) -> bool:
    """A problem at the line, or at the one right after it."""
    return any(p.file == path.name and p.line in (number, number + 1) for p in result.problems)


@pytest.mark.parametrize("how", ["edit", "rehash", "delete", "swap", "insert", "double", "split", "blank"])
def test_each_line_tampered_with_shows(log: Path, how: str) -> None:
    everything = all_lines(log)
    for index, (path, number, line) in enumerate(everything):
        before = path.read_bytes()
        others = {}
        match how:
            case "edit":
                put(path, number, line.replace(b'"project":"research"', b'"project":"Research"'))
            case "rehash":
                record, _ = unseal(line.rstrip(b"\n"))
                forged = AuditEvent("received", project="other", object=record["object"])
                stamp = datetime(2026, 1, 1, tzinfo=UTC)
                put(path, number, seal(forged, Position(record["seq"] - 1, record["prev"]), stamp, "veil")[0] + b"\n")
            case "delete":
                put(path, number)
            case "swap":
                other, place, text = everything[(index + 1) % RECORDS]
                others[other] = other.read_bytes()
                put(path, number, text)
                put(other, place, line)
            case "insert":
                put(
                    path,
                    number,
                    line,
                    seal(AuditEvent("x"), Position(index + 1, "0" * 64), datetime.now(UTC), "veil")[0] + b"\n",
                )
            case "double":
                put(path, number, line, line)
            case "split":
                put(path, number, line[:50] + b"\n", line[50:])
            case "blank":
                put(path, number, line, b"\n")
        # the last record can be forged or taken away unseen by the chain alone: an anchor sees it
        last = index == RECORDS - 1 and how in ("rehash", "delete")
        anchor = unseal(everything[-1][2].rstrip(b"\n"))[1] if last else None
        result = verify_folder(log, anchor)
        assert not result.ok, f"{how} of {path.name}:{number}"
        if not last and how != "swap" and number < sum(1 for p, _, _ in everything if p == path):
            assert found(result, path, number), f"{how} of {path.name}:{number}: {result.problems}"
        path.write_bytes(before)
        for other, content in others.items():
            if other != path:
                other.write_bytes(content)
    assert verify_folder(log).ok


def test_a_missing_segment_shows(log: Path) -> None:
    for path in segments(log)[:-1]:
        content = path.read_bytes()
        path.unlink()
        assert any("missing" in str(p) or "numbered" in str(p) for p in verify_folder(log).problems), path.name
        path.write_bytes(b"")
        assert not verify_folder(log).ok
        path.write_bytes(content)
    assert verify_folder(log).ok


def test_a_cut_tail_shows_against_an_anchor_only(log: Path) -> None:
    whole = verify_folder(log)
    anchor = Position(whole.seq, whole.hash)
    last = segments(log)[-1]
    for _ in range(3):
        put(last, len(last.read_bytes().splitlines()))
        assert verify_folder(log).ok
        assert "before the anchor" in str(verify_folder(log, anchor).problems[0])
    last.unlink()
    assert not verify_folder(log, anchor).ok


def test_a_line_cut_in_the_middle_shows(log: Path) -> None:
    last = segments(log)[-1]
    last.write_bytes(last.read_bytes()[:-20])
    assert "cut off" in str(verify_folder(log).problems[0])


def test_a_rewrite_from_the_start_shows_against_an_anchor(log: Path) -> None:
    whole = verify_folder(log)
    shutil.rmtree(log)
    log.mkdir()
    lines, at = b"", Position()
    for _ in range(RECORDS + 10):
        line, at = seal(AuditEvent("received"), at, datetime.now(UTC), "veil")
        lines += line + b"\n"
    (log / "audit-000001.jsonl").write_bytes(lines)
    assert verify_folder(log).ok
    assert "not the one that the anchor names" in str(verify_folder(log, Position(whole.seq, whole.hash)).problems[0])


def test_another_nodes_record_shows(tmp_path: Path) -> None:
    first, at = seal(AuditEvent("a"), Position(), datetime.now(UTC), "veil")
    second, _ = seal(AuditEvent("b"), at, datetime.now(UTC), "other")
    (tmp_path / "audit-000001.jsonl").write_bytes(first + b"\n" + second + b"\n")
    expected = ["audit-000001.jsonl:2 (record 2): the record is another node's"]
    assert [str(p) for p in verify_folder(tmp_path).problems] == expected


def test_a_number_left_out_shows_even_where_the_hashes_follow(tmp_path: Path) -> None:
    first, at = seal(AuditEvent("a"), Position(), datetime.now(UTC), "veil")
    second, _ = seal(AuditEvent("b"), Position(at.seq + 1, at.hash), datetime.now(UTC), "veil")
    (tmp_path / "audit-000001.jsonl").write_bytes(first + b"\n" + second + b"\n")
    assert [p.text for p in verify_folder(tmp_path).problems] == ["record 3 stands where 2 belongs"]


def test_an_endless_line_is_refused_in_bounded_memory(tmp_path: Path) -> None:
    with (tmp_path / "audit-000001.jsonl").open("wb") as file:
        for _ in range(5):
            file.write(b"x" * (1 << 20))
    assert not verify_folder(tmp_path).ok


def test_an_empty_folder_is_an_empty_chain(tmp_path: Path) -> None:
    assert verify_folder(tmp_path).ok
    assert not verify_folder(tmp_path, Position(1, "0" * 64)).ok


@pytest.mark.parametrize("text", ["", "5", "x:" + "0" * 64, "5:" + "0" * 63, "5:" + "G" * 64, "-1:" + "0" * 64])
def test_what_is_no_anchor(text: str) -> None:
    with pytest.raises(ValueError, match="an anchor is SEQ:HASH"):
        read_anchor(text)
