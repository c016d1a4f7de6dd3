"""The cache of a view: bounded, least recently read first, never a file away from under its readers."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from proxy.deid.verify import Gate, Release
from proxy.errors import InstanceHeld, SpoolFull
from proxy.store.view_cache import ViewCache
from proxy.workers.arena import Arena

ArenaOf = Callable[[bytes], Arena]
Keep = Callable[[str, bytes], Awaitable[Path]]


@pytest.fixture
async def cache(tmp_path: Path) -> AsyncIterator[ViewCache]:
    made = ViewCache(tmp_path / "cache", Gate(bytes(range(32))), 100)
    await made.open()
    yield made
    made.close()


@pytest.fixture
def keep(cache: ViewCache, arena_of: ArenaOf, release_of: Callable[[bytes], Release]) -> Keep:
    return lambda key, data: cache.put(key, release_of(data), (data,), arena_of(b""))


async def settled() -> None:
    gc.collect()
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_what_is_put_is_found_and_read(cache: ViewCache, keep: Keep) -> None:
    path = await keep("a", b"x" * 40)
    assert path.read_bytes() == b"x" * 40
    assert cache.get("a") == path
    assert cache.get("b") is None
    assert path.stat().st_mode & 0o777 == 0o600


async def test_the_least_recently_read_goes_first(cache: ViewCache, keep: Keep) -> None:
    for key in "ab":
        await keep(key, key.encode() * 40)
    await settled()
    cache.get("a")
    await settled()
    await keep("c", b"c" * 40)
    assert [key for key in "abc" if cache.get(key)] == ["a", "c"]
    assert cache.used == 80


async def test_what_is_being_read_stays(cache: ViewCache, keep: Keep, tmp_path: Path) -> None:
    first = await keep("a", b"a" * 60)
    with pytest.raises(SpoolFull):
        await keep("b", b"b" * 60)
    assert first.read_bytes() == b"a" * 60
    del first
    await settled()
    await keep("b", b"b" * 60)
    assert cache.get("a") is None
    assert len(list((tmp_path / "cache").iterdir())) == 1


async def test_the_bound_holds_for_one_file_too(cache: ViewCache, keep: Keep) -> None:
    with pytest.raises(SpoolFull):
        await keep("a", b"a" * 101)
    assert cache.used == 0


async def test_bytes_that_no_gate_released_do_not_get_in(cache: ViewCache, arena_of: ArenaOf) -> None:
    with pytest.raises(InstanceHeld):
        await cache.put("a", Release(1, bytes(12), b"forged"), (b"x",), arena_of(b""))
    assert cache.get("a") is None


async def test_a_start_begins_with_nothing(tmp_path: Path, cache: ViewCache, keep: Keep) -> None:
    await keep("a", b"a" * 10)
    (tmp_path / "cache" / ".tmp-left").write_bytes(b"half")
    again = ViewCache(tmp_path / "cache", Gate(bytes(range(32))), 100)
    await again.open()
    assert list((tmp_path / "cache").iterdir()) == []
    assert again.get("a") is None
    again.close()
