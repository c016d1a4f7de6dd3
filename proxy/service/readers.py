"""Who answers a project's readers: the embedded archive, a view, or a PACS that holds de-identified data.

One search and one retrieval for the shells; what differs by project is looked up here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from proxy.service.in_turn import Listed, Lists
from proxy.service.ports import Archive, AuditTrail, Peer
from proxy.service.retrieve import Retrieve
from proxy.service.search import Found, Search
from proxy.wire.dicom_json import Json
from proxy.wire.uri import Query, Target


class Searches(Protocol):
    """A search of one kind of project."""

    async def search(self, project: str, level: str, within: Mapping[str, str], query: Query, peer: Peer) -> Found:
        """See `proxy.service.search.Search.search`."""
        ...


class Finds(Lists, Protocol):
    """A retrieval of one kind of project."""

    async def find(self, project: str, target: Target, what: str, peer: Peer) -> list[Path]:
        """De-identified files, recorded; see `proxy.service.retrieve.Retrieve.find`.

        Each must stay readable for as long as its path object lives.
        """
        ...


class Describes(Protocol):
    """Metadata of one kind of project without files."""

    async def described(self, project: str, target: Target, peer: Peer) -> list[Json] | None:
        """DICOM JSON, recorded; None where it has to come from files. See `Retrieve.described`."""
        ...


class SearchOfProject(Search):
    """`Search` over the archive, but for projects that have a search of their own."""

    def __init__(self, archive: Archive, audit: AuditTrail, others: Mapping[str, Searches]) -> None:
        """``others``: project → its search."""
        super().__init__(archive, audit)
        self._others = dict(others)

    async def search(self, project: str, level: str, within: Mapping[str, str], query: Query, peer: Peer) -> Found:
        """See `Searches.search`."""
        if (other := self._others.get(project)) is not None:
            return await other.search(project, level, within, query, peer)
        return await super().search(project, level, within, query, peer)


class RetrieveOfProject(Retrieve):
    """`Retrieve` over the archive, but for projects whose files come from elsewhere."""

    def __init__(
        self,
        archive: Archive,
        audit: AuditTrail,
        others: Mapping[str, Finds],
        describes: Mapping[str, Describes] | None = None,
    ) -> None:
        """``others``: project → who finds its files; ``describes``: who has its metadata without them."""
        super().__init__(archive, audit)
        self._others, self._describes = dict(others), dict(describes or {})

    async def find(self, project: str, target: Target, what: str, peer: Peer) -> list[Path]:
        """See `Finds.find`."""
        if (other := self._others.get(project)) is not None:
            return await other.find(project, target, what, peer)
        return await super().find(project, target, what, peer)

    async def listed(self, project: str, targets: Sequence[Target], what: str, peer: Peer, to: str) -> list[Listed]:
        """See `Lists.listed`."""
        if (other := self._others.get(project)) is not None:
            return await other.listed(project, targets, what, peer, to)
        return await super().listed(project, targets, what, peer, to)

    async def described(self, project: str, target: Target, peer: Peer) -> list[Json] | None:
        """See `Describes.described`."""
        describes = self._describes.get(project)
        return None if describes is None else await describes.described(project, target, peer)
