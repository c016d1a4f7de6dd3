"""Held instances are sealed: durable, deduplicated, unreadable without the key, and no byte changes unnoticed."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import stat
import struct
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from proxy.deid.types import Claimed
from proxy.errors import Reason, SealBroken, SpoolFull, Unavailable
from proxy.service.ports import HeldInstance, Peer
from proxy.store import durable
from proxy.store.quarantine import QuarantineFolder
from proxy.store.sealing import FRAME
from proxy.workers.arena import Arena

KEY = bytes(range(32))
PEER = Peer("dimse", "10.11.12.13", "CALLINGMODALITY", "CALLEDVEIL")
CLAIMED = Claimed("1.2.840.10008.5.1.4.1.1.2", "1.2.3.4.5.6.789", "1.2.3.4.5.6.987")
PLANTED = (b"PLANTED^NAME", b"10.11.12.13", b"CALLINGMODALITY", b"CALLEDVEIL", b"1.2.3.4.5.6", b"1.2.840.10008.5")
HEAD = struct.calcsize(">8s32sIIQ")

ArenaOf = Callable[..., Arena]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[QuarantineFolder]:
    made = QuarantineFolder(tmp_path / "quarantine", KEY, 1 << 30)
    yield made
    made.close()


def instance(size: int) -> bytes:
    data = bytearray(random.Random(size).randbytes(size))
    data[: len(PLANTED[0])] = PLANTED[0][:size]
    return bytes(data)


async def seal(folder: QuarantineFolder, arena: Arena, project: str = "research") -> HeldInstance:
    return await folder.seal(arena, project, PEER, CLAIMED, Reason.BURNED_IN, "(0028,0301) is YES")


def file_of(tmp_path: Path, entry: HeldInstance) -> Path:
    return tmp_path / "quarantine" / f"{entry.id}.sealed"


@pytest.mark.parametrize("size", [0, 1, FRAME - 1, FRAME, FRAME + 1, 3 * FRAME, 3 * FRAME + 7])
async def test_what_goes_in_comes_out(folder: QuarantineFolder, arena_of: ArenaOf, tmp_path: Path, size: int) -> None:
    data = instance(size)
    entry = await seal(folder, arena_of(data))
    out = arena_of()
    assert await folder.open(entry.id, out) == (entry, CLAIMED)
    assert (out.size, bytes(out.view())) == (size, data)
    assert await folder.peer(entry.id) == PEER
    assert await folder.list() == [entry]
    assert (entry.project, entry.reason, entry.size, entry.transport) == ("research", Reason.BURNED_IN, size, "dimse")
    assert datetime.now(UTC) - entry.received < timedelta(seconds=30)
    stored = file_of(tmp_path, entry).read_bytes()
    assert not [clear for clear in PLANTED if clear in stored]


async def test_files_are_private(folder: QuarantineFolder, arena_of: ArenaOf, tmp_path: Path) -> None:
    path = file_of(tmp_path, await seal(folder, arena_of(b"data")))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_nothing_clear_touches_the_disk_on_the_way(
    folder: QuarantineFolder, arena_of: ArenaOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arena, seen, write = arena_of(instance(2 * FRAME)), [], os.write
    monkeypatch.setattr(os, "write", lambda fd, data: seen.append(bytes(data)) or write(fd, data))
    await seal(folder, arena)
    assert len(seen) > 3
    assert not [clear for clear in PLANTED for piece in seen if clear in piece]


async def test_the_same_bytes_of_a_project_are_one_entry(folder: QuarantineFolder, arena_of: ArenaOf) -> None:
    arena = arena_of(instance(5000))
    entry = await seal(folder, arena)
    assert await folder.seal(arena, "research", Peer("dicomweb"), Claimed(), Reason.TRUNCATED, "") == entry
    other = await seal(folder, arena, "another")
    assert other.id != entry.id
    assert other.sha256 != entry.sha256
    assert {e.id for e in await folder.list()} == {entry.id, other.id}
    assert await folder.list("another") == [other]
    twins = await asyncio.gather(*(seal(folder, arena_of(instance(6000))) for _ in range(6)))
    assert len({twin.id for twin in twins}) == 1
    assert len(await folder.list()) == 3


async def test_project_and_bytes_cannot_be_shifted_into_each_other(folder: QuarantineFolder, arena_of: ArenaOf) -> None:
    entries = [await seal(folder, arena_of(data), project) for project, data in (("ab", b"c"), ("a", b"bc"))]
    assert entries[0].sha256 != entries[1].sha256


async def test_a_repeated_seal_is_durable_even_when_the_first_is_still_on_its_way(
    folder: QuarantineFolder, arena_of: ArenaOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    arena = arena_of(b"data")
    await seal(folder, arena)
    synced, fsync = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.readlink(f"/proc/self/fd/{fd}")) or fsync(fd))
    await seal(folder, arena)
    assert [Path(path).name for path in synced] == ["quarantine"]


async def test_every_changed_byte_is_noticed(folder: QuarantineFolder, arena_of: ArenaOf, tmp_path: Path) -> None:
    entry = await seal(folder, arena_of(instance(2 * FRAME + 100)))
    path = file_of(tmp_path, entry)
    good = path.read_bytes()
    rng = random.Random(1)
    places = [*range(0, HEAD + 700, 3), *(rng.randrange(len(good)) for _ in range(120)), len(good) - 1]
    for place in places:
        bad = bytearray(good)
        bad[place] ^= 1 << rng.randrange(8)
        path.write_bytes(bad)
        out = arena_of()
        with pytest.raises(SealBroken):
            await folder.open(entry.id, out)
        assert out.size == 0
        assert os.fstat(out.fd).st_size == 0, "clear bytes of a broken entry stay in the arena"
        out.close()
    path.write_bytes(good)
    await folder.open(entry.id, arena_of())


def frames_of(good: bytes) -> tuple[bytes, list[bytes]]:
    _, _, header, private, size = struct.unpack_from(">8s32sIIQ", good)
    start = HEAD + header + private + 16
    step = FRAME + 16
    frames = [good[at : at + step] for at in range(start, len(good), step)]
    assert sum(len(frame) - 16 for frame in frames) == size
    return good[:start], frames


@pytest.mark.parametrize(
    "change",
    [
        lambda head, f: head + b"".join(f[:-1]),
        lambda head, f: head + b"".join(f)[:-1],
        lambda head, f: head + b"".join(f) + b"\0",
        lambda head, f: head + b"".join([f[1], f[0], *f[2:]]),
        lambda head, f: head + b"".join([f[0], f[0], *f[2:]]),
        lambda head, f: head[: HEAD - 8] + struct.pack(">Q", 2 * FRAME) + head[HEAD:] + b"".join(f[:2]),
        lambda head, f: head,
        lambda head, f: head[:30],
        lambda head, f: b"",
    ],
    ids=["-frame", "-byte", "+byte", "swap", "repeat", "cut+length", "head", "short", "empty"],
)
async def test_frames_cannot_be_cut_or_moved(
    folder: QuarantineFolder, arena_of: ArenaOf, tmp_path: Path, change: Callable[[bytes, list[bytes]], bytes]
) -> None:
    entry = await seal(folder, arena_of(instance(3 * FRAME)))
    path = file_of(tmp_path, entry)
    path.write_bytes(change(*frames_of(path.read_bytes())))
    with pytest.raises(SealBroken):
        await folder.open(entry.id, arena_of())


async def test_files_cannot_be_exchanged(folder: QuarantineFolder, arena_of: ArenaOf, tmp_path: Path) -> None:
    a, b = [await seal(folder, arena_of(instance(size))) for size in (FRAME + 5, FRAME + 6)]
    one, two = file_of(tmp_path, a), file_of(tmp_path, b)
    (head_a, frames_a), (_, frames_b) = frames_of(one.read_bytes()), frames_of(two.read_bytes())
    one.write_bytes(head_a + frames_b[0] + frames_a[1])  # a frame of the same number from another file
    with pytest.raises(SealBroken):
        await folder.open(a.id, arena_of())
    one.write_bytes(two.read_bytes())  # a whole good file under another name
    with pytest.raises(SealBroken, match="another entry"):
        await folder.open(a.id, arena_of())


async def test_another_key_opens_nothing(folder: QuarantineFolder, arena_of: ArenaOf, tmp_path: Path) -> None:
    entry = await seal(folder, arena_of(instance(100)))
    other = QuarantineFolder(tmp_path / "quarantine", bytes(32), 1 << 30)
    with pytest.raises(SealBroken):
        await other.open(entry.id, arena_of())
    (shown,) = await other.list()
    assert (shown.id, shown.project, shown.detail) == (entry.id, "", "the sealed file fails authentication")
    other.close()


async def test_a_broken_entry_is_shown_sealed_anew_and_can_be_purged(
    folder: QuarantineFolder, arena_of: ArenaOf, tmp_path: Path
) -> None:
    arena = arena_of(instance(100))
    entry = await seal(folder, arena)
    path = file_of(tmp_path, entry)
    path.write_bytes(path.read_bytes()[:-1])
    assert [e.project for e in await folder.list()] == [""]
    assert await folder.list("research") == []
    assert (await seal(folder, arena)).project == "research"
    assert (await folder.open(entry.id, arena_of()))[0].project == "research"
    path.write_bytes(b"")
    assert (await folder.purge(entry.id)).id == entry.id
    assert await folder.list() == []


async def test_purge_removes_and_frees(folder: QuarantineFolder, arena_of: ArenaOf, tmp_path: Path) -> None:
    entry = await seal(folder, arena_of(b"data"))
    assert await folder.purge(entry.id) == entry
    assert list((tmp_path / "quarantine").iterdir()) == []
    with pytest.raises(KeyError):
        await folder.purge(entry.id)


@pytest.mark.parametrize(
    "name",
    ["", "x", "../veil", "a" * 23, "a" * 25, "A" * 24, "../" + "a" * 21, "a" * 23 + "/", "a" * 24 + "\n", "1" * 24],
)
async def test_only_entry_ids_name_files(
    folder: QuarantineFolder, arena_of: ArenaOf, tmp_path: Path, name: str
) -> None:
    (tmp_path / "veil.sealed").write_bytes(b"outside")
    for act in (folder.open(name, arena_of()), folder.peer(name), folder.purge(name)):
        with pytest.raises(KeyError):
            await act
    assert (tmp_path / "veil.sealed").exists()


async def test_full_is_told_and_purging_makes_room(arena_of: ArenaOf, tmp_path: Path) -> None:
    folder = QuarantineFolder(tmp_path / "quarantine", KEY, 3 * FRAME)
    first = await seal(folder, arena_of(instance(FRAME)))
    await seal(folder, arena_of(instance(FRAME + 1)))
    with pytest.raises(SpoolFull):
        await seal(folder, arena_of(instance(FRAME + 2)))
    elsewhere = QuarantineFolder(tmp_path / "quarantine", KEY, 3 * FRAME)  # the command line, beside the server
    await elsewhere.purge(first.id)
    await seal(folder, arena_of(instance(FRAME + 2)))
    elsewhere.close()
    folder.close()


@pytest.mark.parametrize(("code", "expected"), [(errno.ENOSPC, SpoolFull), (errno.EIO, Unavailable)])
@pytest.mark.parametrize("call", ["write", "rename", "open"])
async def test_a_failing_disk_leaves_nothing(
    folder: QuarantineFolder,
    arena_of: ArenaOf,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    code: int,
    expected: type[Exception],
) -> None:
    def fail(*_: Any, **__: Any) -> int:
        raise OSError(code, "injected")

    arena = arena_of(instance(100))
    monkeypatch.setattr(os, call, fail)
    with pytest.raises(expected):
        await seal(folder, arena)
    monkeypatch.undo()
    assert list((tmp_path / "quarantine").iterdir()) == []
    await seal(folder, arena)


async def test_an_instance_that_shrinks_while_it_is_sealed_is_refused(
    folder: QuarantineFolder, arena_of: ArenaOf, tmp_path: Path
) -> None:
    arena = arena_of(instance(FRAME))
    os.ftruncate(arena.fd, 10)
    with pytest.raises(Unavailable):
        await seal(folder, arena)
    assert list((tmp_path / "quarantine").iterdir()) == []


async def test_an_entry_larger_than_the_arena_is_refused(folder: QuarantineFolder, arena_of: ArenaOf) -> None:
    entry = await seal(folder, arena_of(instance(100)))
    with pytest.raises(Unavailable, match="limit"):
        await folder.open(entry.id, arena_of(limit=99))
    with pytest.raises(ValueError, match="not empty"):
        await folder.open(entry.id, arena_of(b"something"))


async def test_the_janitor_removes_leftovers_only(folder: QuarantineFolder, arena_of: ArenaOf, tmp_path: Path) -> None:
    entry = await seal(folder, arena_of(b"data"))
    (tmp_path / "quarantine" / (durable.TEMP_PREFIX + "00")).write_bytes(b"sealed half")
    assert await folder.sweep() == 1
    assert await folder.list() == [entry]
