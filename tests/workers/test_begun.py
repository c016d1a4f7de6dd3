"""Worker processes that are begun before there is anything to tell them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from proxy.deid.types import Claimed
from proxy.service.ports import Released
from proxy.workers.arena import Arena
from proxy.workers.begun import ahead, begin
from proxy.workers.pool import WorkerPool


def test_those_that_nobody_took_end_with_the_block() -> None:
    with ahead(2) as begun:
        taken = begun.pop()
        left = begun[0].process
    try:
        assert left.returncode is not None
        assert taken.process.poll() is None
    finally:
        taken.end()
    assert taken.process.returncode is not None


def test_one_whose_parent_has_nothing_to_tell_ends_by_itself() -> None:
    begun = begin()
    begun.socket.close()
    assert begun.process.wait(60) == 0


async def test_a_pool_begins_with_them_and_goes_on_without(monkeypatch: pytest.MonkeyPatch, policies: Any) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    with ahead(2) as begun:
        known = {each.process.pid for each in begun}
        pool = WorkerPool(policies, b"k" * 32, 1, 256, 30.0, engine="fake_engine", gate="fake_engine", begun=begun)
        try:
            await pool.start()
            first = pool.pids
            assert len(begun) == 1
            assert set(first) == known - {begun[0].process.pid}
            for order in (b"kill-me", b"fine"):
                with Arena(1 << 20) as arena:
                    arena.write(order)
                    verdict = await pool.run("research", arena, Claimed())
            assert isinstance(verdict, Released)
            assert pool.pids
            assert not set(pool.pids) & known
        finally:
            await pool.close()


async def test_a_pool_that_never_starts_ends_those_it_took(policies: Any) -> None:
    begun = [begin()]
    process = begun[0].process
    pool = WorkerPool(policies, b"k" * 32, 1, 256, 30.0, begun=begun)
    assert not begun
    await pool.close()
    assert process.returncode is not None
