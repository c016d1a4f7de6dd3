"""The embedded archive as an upstream: what it keeps of one project, for another project's readers.

Asks the archive and reads its files in threads; changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from proxy.archive.archive import EmbeddedArchive
from proxy.archive.attributes import matchable
from proxy.service.ports import Arena
from proxy.service.upstream import Question, Reference, UpstreamError, find_references, pour

_BLOCK = 1 << 20
_ALL = -1  # SQLite's LIMIT without one


class ArchiveUpstream:
    """A `proxy.service.upstream.Upstream` over what ``archive`` keeps of ``project``."""

    def __init__(self, name: str, archive: EmbeddedArchive, project: str) -> None:
        self.name = name
        self._archive, self._project = archive, project

    async def search(self, question: Question) -> list[dict[str, Any]]:
        """See `Upstream.search`. Keys that the index does not keep are not matched."""
        known = matchable(question.level)
        matches = {keyword: value for keyword, value in question.matches.items() if keyword in known}
        limit = question.limit or _ALL
        return await self._archive.search(
            self._project, question.level, matches, question.fields, limit, question.offset
        )

    async def instances(self, study: str, series: str = "", instance: str = "") -> list[Reference]:
        """See `Upstream.instances`."""
        return await find_references(self, study, series, instance)

    async def metadata(self, study: str, series: str = "", instance: str = "") -> AsyncGenerator[dict[str, Any], None]:
        """See `Upstream.metadata`. Bulk data is named relative to the instance."""
        for path in await self._archive.instances(self._project, study, series, instance):
            try:
                yield await self._archive.metadata(path)
            except OSError as error:
                raise UpstreamError(self.name, type(error).__name__) from None

    async def fetch(self, reference: Reference, arena: Arena) -> bool:
        """See `Upstream.fetch`."""
        wanted = (self._project, reference.study, reference.series, reference.instance)
        paths = await self._archive.instances(*wanted)
        if not paths:
            return False
        await self._read(paths[0], arena)
        return True

    async def close(self) -> None:
        """Nothing is held."""

    async def _read(self, path: Path, arena: Arena) -> None:
        try:
            with path.open("rb") as file:  # not in a thread: who is cancelled meanwhile would leave it open
                while block := await asyncio.to_thread(file.read, _BLOCK):
                    pour(self.name, block, arena)
        except OSError as error:  # replaced or removed meanwhile
            raise UpstreamError(self.name, type(error).__name__) from None
