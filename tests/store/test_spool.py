"""The spool takes released bytes, whole and durable, and nothing else."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from proxy.deid.types import Chunk, Slice, materialise
from proxy.deid.verify import Gate, Release
from proxy.errors import InstanceHeld, SpoolFull, Unavailable
from proxy.store import durable
from proxy.store.spool import DiskSpool
from proxy.workers.arena import Arena

SOURCE = os.urandom(3_000_000)
CHUNKS: tuple[Chunk, ...] = (
    b"head",
    Slice(10, 20),
    Slice(100, 0),
    b"",
    Slice(0, 65_536),
    b"x" * 70_000,
    Slice(65_536, 65_535),
    *(Slice(i * 10, 7) for i in range(2000)),
    Slice(500_000, 2_500_000),
    b"tail",
)
OUTPUT = materialise(CHUNKS, SOURCE)

ReleaseOf = Callable[[bytes], Release]
ArenaOf = Callable[..., Arena]


def files(spool: DiskSpool, tmp_path: Path) -> list[str]:
    return sorted(os.listdir(tmp_path / "spool"))


async def test_writes_the_chunks_in_order_as_a_private_file(
    spool: DiskSpool, release_of: ReleaseOf, arena_of: ArenaOf, tmp_path: Path
) -> None:
    release = release_of(OUTPUT)
    item = await spool.write(release, CHUNKS, arena_of(SOURCE))
    assert (item.sha256, item.size) == (hashlib.sha256(OUTPUT).hexdigest(), release.size)
    assert item.name.startswith(item.sha256)
    path = spool.path(item.name)
    assert path.read_bytes() == OUTPUT
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert files(spool, tmp_path) == [item.name]
    assert spool.used == len(OUTPUT)


@pytest.mark.parametrize(
    "forge",
    [
        lambda r: Release(r.size, r.nonce, bytes(16)),
        lambda r: Release(r.size, r.nonce, b""),
        lambda r: Release(r.size, bytes(12), r.tag),
        lambda r: Release(r.size + 1, r.nonce, r.tag),
    ],
)
async def test_a_forged_release_is_refused(
    spool: DiskSpool, release_of: ReleaseOf, arena_of: ArenaOf, tmp_path: Path, forge: Callable[[Release], Release]
) -> None:
    with pytest.raises(InstanceHeld, match="released"):
        await spool.write(forge(release_of(OUTPUT)), CHUNKS, arena_of(SOURCE))
    assert files(spool, tmp_path) == []


async def test_only_this_runs_gate_counts(release_of: ReleaseOf, arena_of: ArenaOf, tmp_path: Path) -> None:
    real = DiskSpool(tmp_path / "real", Gate(bytes(32)), 1 << 30)
    with pytest.raises(InstanceHeld, match="released"):
        await real.write(release_of(OUTPUT), CHUNKS, arena_of(SOURCE))
    real.close()


@pytest.mark.parametrize(
    "chunks",
    [
        (b"Head", *CHUNKS[1:]),  # same length, other bytes
        (*CHUNKS[:-1], b"tai"),
        (*CHUNKS, b"more"),
        (Slice(-4, 4), *CHUNKS[1:]),
        (Slice(len(SOURCE) - 3, 4), *CHUNKS[1:]),
        (Slice(0, len(OUTPUT)),),
        (Slice(0, -1), *CHUNKS),
    ],
    ids=["altered", "short", "long", "before", "beyond", "all-beyond", "negative"],
)
async def test_bytes_that_are_not_the_released_ones_leave_no_file(
    spool: DiskSpool, release_of: ReleaseOf, arena_of: ArenaOf, tmp_path: Path, chunks: tuple[Chunk, ...]
) -> None:
    with pytest.raises(InstanceHeld):
        await spool.write(release_of(OUTPUT), chunks, arena_of(SOURCE))
    assert files(spool, tmp_path) == []
    assert spool.used == 0


async def test_an_arena_that_changes_after_the_gate_saw_it_is_refused(
    spool: DiskSpool, release_of: ReleaseOf, arena_of: ArenaOf, tmp_path: Path
) -> None:
    arena = arena_of(SOURCE)
    os.pwrite(arena.fd, b"JOHN DOE", 600_000)
    with pytest.raises(InstanceHeld, match="not those"):
        await spool.write(release_of(OUTPUT), CHUNKS, arena)
    os.ftruncate(arena.fd, 1000)
    with pytest.raises(InstanceHeld, match="not those"):
        await spool.write(release_of(OUTPUT), CHUNKS, arena)
    assert files(spool, tmp_path) == []


@pytest.mark.parametrize("name", ["../veil.db", "", "a/b", ".tmp-0", "A" * 64 + "-" + "0" * 16 + ".dcm"])
async def test_only_spool_names_become_paths(spool: DiskSpool, name: str) -> None:
    with pytest.raises(ValueError, match="not a spool file name"):
        spool.path(name)
    with pytest.raises(ValueError, match="not a spool file name"):
        await spool.remove(name)


async def test_the_same_instance_many_times_at_once(
    spool: DiskSpool, release_of: ReleaseOf, arena_of: ArenaOf, tmp_path: Path
) -> None:
    arena, release = arena_of(SOURCE), release_of(OUTPUT)
    items = await asyncio.gather(*(spool.write(release, CHUNKS, arena) for _ in range(8)))
    assert len({item.name for item in items}) == 8
    await asyncio.gather(*(spool.remove(item.name) for item in items[1:]), spool.remove(items[1].name))
    assert files(spool, tmp_path) == [items[0].name]
    assert spool.path(items[0].name).read_bytes() == OUTPUT
    assert spool.used == len(OUTPUT)


async def test_a_cancelled_write_never_reads_a_descriptor_that_was_given_back(
    spool: DiskSpool, release_of: ReleaseOf, arena_of: ArenaOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, go = asyncio.Event(), asyncio.Event()
    loop, real = asyncio.get_running_loop(), os.sendfile
    seen: list[bytes] = []

    def slow(out: int, source: int, offset: int, count: int) -> int:
        loop.call_soon_threadsafe(started.set)
        asyncio.run_coroutine_threadsafe(go.wait(), loop).result()
        seen.append(os.pread(source, 8, 0))
        return real(out, source, offset, count)

    monkeypatch.setattr(os, "sendfile", slow)
    arena = arena_of(SOURCE)
    write = asyncio.create_task(spool.write(release_of(OUTPUT), CHUNKS, arena))
    await started.wait()
    write.cancel()
    number = arena.fd
    arena.close()
    stranger = arena_of(b"another patient's instance")  # takes the number that the arena had
    assert stranger.fd == number
    go.set()
    await asyncio.to_thread(spool.close)
    assert set(seen) == {SOURCE[:8]}


@pytest.mark.parametrize("call", ["sendfile", "fsync"])
async def test_a_cancelled_write_leaves_neither_a_file_nor_its_bytes_on_the_count(
    spool: DiskSpool,
    release_of: ReleaseOf,
    arena_of: ArenaOf,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    call: str,
) -> None:
    started, go = asyncio.Event(), threading.Event()
    loop, real = asyncio.get_running_loop(), getattr(os, call)

    def slow(*arguments: Any) -> Any:
        loop.call_soon_threadsafe(started.set)
        go.wait()
        return real(*arguments)

    monkeypatch.setattr(os, call, slow)
    write = asyncio.create_task(spool.write(release_of(OUTPUT), CHUNKS, arena_of(SOURCE)))
    await started.wait()
    write.cancel()
    with pytest.raises(asyncio.CancelledError):
        await write
    go.set()
    for _ in range(200):
        if not files(spool, tmp_path) and not spool.used:
            break
        await asyncio.sleep(0.01)
    assert (files(spool, tmp_path), spool.used) == ([], 0)


async def test_above_the_high_water_mark_nothing_is_written(
    release_of: ReleaseOf, arena_of: ArenaOf, tmp_path: Path, spool: DiskSpool
) -> None:
    small = DiskSpool(tmp_path / "small", spool._gate, 2 * len(OUTPUT) + 10)
    arena, release = arena_of(SOURCE), release_of(OUTPUT)
    first = await small.write(release, CHUNKS, arena)
    await small.write(release, CHUNKS, arena)
    with pytest.raises(SpoolFull):
        await small.write(release, CHUNKS, arena)
    await small.remove(first.name)
    await small.write(release, CHUNKS, arena)
    small.close()
    again = DiskSpool(tmp_path / "small", spool._gate, 2 * len(OUTPUT) + 10)  # what lies there counts
    with pytest.raises(SpoolFull):
        await again.write(release, CHUNKS, arena)
    again.close()


@pytest.mark.parametrize(
    ("code", "expected"), [(errno.ENOSPC, SpoolFull), (errno.EDQUOT, SpoolFull), (errno.EIO, Unavailable)]
)
@pytest.mark.parametrize("call", ["write", "sendfile", "rename", "open"])
async def test_a_failing_disk_leaves_no_temporary_file(
    spool: DiskSpool,
    release_of: ReleaseOf,
    arena_of: ArenaOf,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    code: int,
    expected: type[Exception],
) -> None:
    def fail(*_: Any, **__: Any) -> int:
        raise OSError(code, "injected", "/a/path")

    arena = arena_of(SOURCE)
    monkeypatch.setattr(os, call, fail)
    with pytest.raises(expected) as caught:
        await spool.write(release_of(OUTPUT), CHUNKS, arena)
    monkeypatch.undo()
    assert str(caught.value) == f"spool: {errno.errorcode[code]}"
    assert files(spool, tmp_path) == []
    assert spool.used == 0
    assert (await spool.write(release_of(OUTPUT), CHUNKS, arena)).size == len(OUTPUT)  # and it recovers


async def test_short_writes_are_continued(
    spool: DiskSpool, release_of: ReleaseOf, arena_of: ArenaOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, sendfile = os.write, os.sendfile
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[: max(1, len(data) // 3)]))
    monkeypatch.setattr(os, "sendfile", lambda out, fd, at, count: sendfile(out, fd, at, min(count, 100_001)))
    item = await spool.write(release_of(OUTPUT), CHUNKS, arena_of(SOURCE))
    monkeypatch.undo()
    assert spool.path(item.name).read_bytes() == OUTPUT


@pytest.mark.parametrize("nth", [1, 2])
async def test_a_failed_fsync_is_the_end(
    spool: DiskSpool, release_of: ReleaseOf, arena_of: ArenaOf, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    class Ended(BaseException):
        pass

    calls = 0

    def failing(_: int) -> None:
        nonlocal calls
        calls += 1
        if calls == nth:
            raise OSError(errno.EIO, "injected")

    def end(what: str) -> None:
        raise Ended(what)

    monkeypatch.setattr(os, "fsync", failing)
    monkeypatch.setattr(durable, "end_process", end)
    with pytest.raises(Ended, match="EIO"):
        await spool.write(release_of(OUTPUT), CHUNKS, arena_of(SOURCE))
    assert calls == nth  # never retried


async def test_the_janitor_keeps_what_rows_refer_to(
    spool: DiskSpool, release_of: ReleaseOf, arena_of: ArenaOf, tmp_path: Path
) -> None:
    arena, release = arena_of(SOURCE), release_of(OUTPUT)
    kept, orphan = [await spool.write(release, CHUNKS, arena) for _ in range(2)]
    (tmp_path / "spool" / (durable.TEMP_PREFIX + "00")).write_bytes(b"half")
    swept = await spool.sweep({kept.name, lost := kept.sha256 + "-" + "0" * 16 + ".dcm"})
    assert swept.removed == 2
    assert swept.missing == {lost}
    assert files(spool, tmp_path) == [kept.name]
    assert orphan.name not in files(spool, tmp_path)
    assert spool.used == len(OUTPUT)
