"""Pictures from worker processes: the same as without one, a share of the workers only, and nothing that ends them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydicom.data import get_testdata_file

from proxy.deid.pixels.rendering import Rendered, Rendering, Viewport
from proxy.deid.pixels.rendering_file import render
from proxy.deid.profile import Policy, PolicySpec, compile_policy
from proxy.deid.types import Claimed
from proxy.errors import Reason, WorkersUnavailable
from proxy.service.ports import Held, Released
from proxy.store.rulebook import load_profile, load_tables
from proxy.workers.arena import Arena
from proxy.workers.inline import InlineDeidentifier
from proxy.workers.pool import WorkerPool
from proxy.workers.rotation import Rotation

CT, SLOW, LARGE = "693_UNCI.dcm", "MR2_J2KI.dcm", "US1_UNCI.dcm"


HUGE = Rendering("image/png", viewport=Viewport(3000, 3000))


@pytest.fixture(scope="module")
def policies(policy: Policy) -> dict[str, Policy]:
    """What the pools of this file know."""
    return {"research": policy}


@pytest.fixture(scope="module")
def policy() -> Policy:
    return compile_policy(load_tables(), PolicySpec("research", load_profile("basic"), bytes(32)))


def path_of(name: str) -> str:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    return path


@contextmanager
def opened(name: str) -> Iterator[int]:
    fd = os.open(path_of(name), os.O_RDONLY)
    try:
        yield fd
    finally:
        os.close(fd)


async def ask(pool: Any, name: str, wanted: Rendering | None = None, project: str = "research") -> Rendered | Held:
    with opened(name) as fd:
        answer: Rendered | Held = await pool.render(project, fd, wanted or Rendering())
        return answer


async def judged(pool: WorkerPool, order: bytes) -> Any:
    with Arena(1 << 20) as arena:
        arena.write(order + b"\n" + bytes(100))
        return await pool.run("research", arena, Claimed())


async def test_a_worker_and_the_inline_twin_agree(pool: Callable[..., Any], policy: Policy) -> None:
    made = Rotation(await pool())
    for wanted in (Rendering(), Rendering("image/png", 1, viewport=Viewport(64, 64)), Rendering(frame=2)):
        expected = render(memoryview(Path(path_of(CT)).read_bytes()), policy, wanted)
        assert await ask(made, CT, wanted) == expected
        assert await ask(InlineDeidentifier({"research": policy}, b"k" * 32), CT, wanted) == expected


async def test_a_large_picture_comes_by_descriptor(pool: Callable[..., Any]) -> None:
    found = await ask(await pool(), LARGE, Rendering("image/png", viewport=Viewport(2000, 2000)))
    assert isinstance(found, Rendered)
    assert len(found.data) > 1 << 20
    assert found.data[:4] == b"\x89PNG"


async def test_what_is_no_image_is_held_and_so_is_what_no_policy_is_for(pool: Callable[..., Any]) -> None:
    made = await pool()
    found = await ask(made, "reportsi.dcm")
    assert isinstance(found, Held)
    assert found.reason is Reason.UNSUPPORTED_CONTENT
    with pytest.raises(WorkersUnavailable):
        await ask(made, CT, project="other")
    assert isinstance(await ask(made, CT), Rendered)


async def test_what_takes_too_long_costs_itself_only(pool: Callable[..., Any]) -> None:
    made = await pool(seconds=0.001)
    found = await ask(made, SLOW)
    assert isinstance(found, Held)
    assert found.reason is Reason.WORKER_TIMEOUT
    made._seconds = 30.0
    assert isinstance(await ask(made, SLOW), Rendered)


async def test_half_of_the_workers_are_left_to_what_comes_in(pool: Callable[..., Any]) -> None:
    made = await pool(count=2)
    pictures = [asyncio.create_task(ask(made, SLOW, HUGE)) for _ in range(3)]
    await asyncio.sleep(0.01)
    assert isinstance(await judged(made, b"fine"), Released)
    assert not any(task.done() for task in pictures)
    assert all(isinstance(found, Rendered) for found in await asyncio.gather(*pictures))


async def test_who_leaves_gives_the_turn_back(pool: Callable[..., Any]) -> None:
    made = await pool()
    for _ in range(3):
        gone = asyncio.create_task(ask(made, SLOW))
        await asyncio.sleep(0.01)
        gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert isinstance(await ask(made, CT), Rendered)


async def test_waiting_is_bounded(pool: Callable[..., Any]) -> None:
    made = await pool(wait_seconds=0.05)
    first = asyncio.create_task(judged(made, b"sleep"))
    await asyncio.sleep(0.01)
    with pytest.raises(WorkersUnavailable, match="free"):
        await ask(made, CT)
    await first
    assert isinstance(await ask(made, CT), Rendered)
