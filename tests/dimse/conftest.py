"""A Storage SCP around a fake ingest that remembers what it was given."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from proxy.deid.types import Claimed
from proxy.dimse import silence
from proxy.dimse.server import DimseServer
from proxy.errors import Reason
from proxy.service.ports import Peer
from proxy.workers.arena import Arena
from tests.dimse.arenas import remember
from tests.dimse.servers import RUNNING, Serve, make


@pytest.fixture(autouse=True)
def _earlier() -> None:
    remember()


@dataclass
class Told:
    stored: bool = True
    reason: Reason | None = None
    answer: str = "accept"


@dataclass
class FakeIngest:
    told: Told = field(default_factory=Told)
    error: Exception | None = None
    gate: asyncio.Event | None = None
    received: list[tuple[str, bytes, Claimed, Peer]] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    async def receive(self, project: str, arena: Arena, claimed: Claimed, peer: Peer) -> Told:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            self.received.append((project, bytes(arena.view()), claimed, peer))
            if self.gate is not None:
                await self.gate.wait()
            await asyncio.sleep(0)
            if self.error is not None:
                raise self.error
            return self.told
        finally:
            self.at_once -= 1


@pytest.fixture(autouse=True)
def _silent() -> None:
    silence()


@pytest.fixture
def ingest() -> FakeIngest:
    return FakeIngest()


@pytest.fixture
async def serve(ingest: FakeIngest) -> AsyncIterator[Serve]:
    """``await serve(idle_seconds=1)`` starts an SCP with these bounds; it is stopped after the test."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(16))  # ten SCUs at once, on few cores too

    async def start(**bounds: Any) -> DimseServer:
        server = make(ingest, **bounds)
        await server.start()
        RUNNING.append(server)
        return server

    yield start
    while RUNNING:
        await RUNNING.pop().stop(0)
