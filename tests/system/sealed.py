"""What lies sealed in a site's quarantine, opened with its node key by the product's own code."""

from __future__ import annotations

import asyncio
from pathlib import Path

from proxy.service.ports import HeldInstance
from proxy.store.keys import load_key
from proxy.store.quarantine import QuarantineFolder
from proxy.workers.arena import Arena
from tests.system.harness import Site


def sealed_instances(site: Site) -> list[tuple[HeldInstance, bytes]]:
    """Every entry and its clear bytes."""
    return asyncio.run(_opened(site.data / "quarantine", load_key(site.folder / "keys" / "node.key")))


async def _opened(folder: Path, key: bytes) -> list[tuple[HeldInstance, bytes]]:
    quarantine = QuarantineFolder(folder, key, 1 << 40)
    try:
        found = []
        for entry in await quarantine.list():
            with Arena(1 << 32) as arena:
                await quarantine.open(entry.id, arena)
                found.append((entry, bytes(arena.view())))
        return found
    finally:
        quarantine.close()
