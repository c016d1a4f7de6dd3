"""A gate that tests can open, instances in arenas, reports. Every test of the store works on a real file system."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from proxy.deid.seal import NONCE_BYTES, Seal
from proxy.deid.types import Report
from proxy.deid.verify import Gate, Release
from proxy.store.database import Database
from proxy.store.spool import DiskSpool
from proxy.workers.arena import Arena

GATE_KEY = bytes(range(32))


@pytest.fixture
def release_of() -> Callable[[bytes], Release]:
    """As the gate of `GATE_KEY` would give it."""

    def make(data: bytes) -> Release:
        seal = Seal(GATE_KEY, os.urandom(NONCE_BYTES))
        seal.add(data)
        return Release(seal.size, seal.nonce, seal.tag())

    return make


@pytest.fixture
def arena_of() -> Iterator[Callable[[bytes], Arena]]:
    made: list[Arena] = []

    def make(data: bytes = b"", limit: int = 1 << 28) -> Arena:
        made.append(Arena(limit))
        made[-1].write(data)
        return made[-1]

    yield make
    for arena in made:
        arena.close()


@pytest.fixture
def report_of() -> Callable[[str], Report]:
    ct, explicit = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1"
    return lambda uid: Report(ct, explicit, "CT", "P1", "2.25.1", "2.25.2", uid, "20200101", "d", 1)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(tmp_path / "veil.db")
    yield opened
    await opened.close()


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[DiskSpool]:
    made = DiskSpool(tmp_path / "spool", Gate(GATE_KEY), 1 << 30)
    yield made
    made.close()
