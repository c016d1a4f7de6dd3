"""The embedded archive: implements `proxy.service.ports.Archive`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


class EmbeddedArchive:
    """A tree of Part 10 files below ``root`` and its index."""

    def __init__(self, root: Path) -> None:
        self.root = root

    async def start(self) -> None:
        """Make the folders, open the index; rebuild it where it is missing or of another version."""
        raise NotImplementedError

    async def close(self) -> None:
        """Close the index."""
        raise NotImplementedError

    async def rebuild(self) -> int:
        """Make the index anew from the tree; returns the number of instances."""
        raise NotImplementedError

    async def store(self, project: str, path: Path) -> bool:
        """See `proxy.service.ports.Archive.store`."""
        raise NotImplementedError

    async def search(
        self, project: str, level: str, matches: Mapping[str, str], fields: Sequence[str], limit: int, offset: int
    ) -> list[dict[str, Any]]:
        """See `proxy.service.ports.Archive.search`."""
        raise NotImplementedError

    async def instances(self, project: str, study: str, series: str = "", instance: str = "") -> list[Path]:
        """See `proxy.service.ports.Archive.instances`."""
        raise NotImplementedError

    async def metadata(self, path: Path) -> dict[str, Any]:
        """See `proxy.service.ports.Archive.metadata`."""
        raise NotImplementedError
