"""Pools whose engine does as the instance says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from proxy.workers.pool import WorkerPool


@pytest.fixture
def policies() -> Any:
    """What the pools know; the engine that they have does not look at it."""
    return {"research": "a policy"}


@pytest.fixture
async def pool(monkeypatch: pytest.MonkeyPatch, policies: Any) -> AsyncIterator[Callable[..., Any]]:
    """``await pool(...)`` is one more, started."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    pools: list[WorkerPool] = []

    async def make(count: int = 1, memory_mib: int = 256, seconds: float = 30.0, **more: Any) -> WorkerPool:
        defaults = {"engine": "fake_engine", "gate": "fake_engine"}
        made = WorkerPool(policies, b"k" * 32, count, memory_mib, seconds, **(defaults | more))
        pools.append(made)
        await made.start()
        return made

    yield make
    for made in pools:
        await made.close()
