"""The use case *search* (PS3.18 10.6): QIDO-RS over the embedded archive.

Everything in the archive is de-identified, so matching on its own values tells nothing about originals. The record of
a search names the matching keys and conceals their values: a viewer may type a real name. No record, no answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from proxy.archive.attributes import UID_OF, above, matchable
from proxy.service.events import for_whom, who
from proxy.service.ports import AuditEvent, AuditTrail, Concealed, Peer
from proxy.wire.uri import Query

#: The most matches in one answer; the rest is asked for with `offset`.
MOST = 1000


@dataclass(frozen=True, slots=True)
class Found:
    """The matches as DICOM JSON objects; whether there are more; which asked-for parameters were not obeyed.

    ``refused``: keys on what identifies somebody; there are no matches then, whatever is stored.
    """

    matches: list[dict[str, Any]]
    more: bool
    ignored: tuple[str, ...]
    refused: tuple[str, ...] = ()


class Searchable(Protocol):
    """What is searched: the embedded archive, or what answers as it does."""

    async def search(
        self, project: str, level: str, matches: Mapping[str, str], fields: Sequence[str], limit: int, offset: int
    ) -> list[dict[str, Any]]:
        """See `proxy.service.ports.Archive.search`."""
        ...


class Search:
    """Answers searches from ``archive``, each recorded in ``audit`` first."""

    def __init__(self, archive: Searchable, audit: AuditTrail) -> None:
        self._archive, self._audit = archive, audit

    async def search(self, project: str, level: str, within: Mapping[str, str], query: Query, peer: Peer) -> Found:
        """Match at ``level`` inside ``within`` (level → UID, from the path). Raises `AuditUnavailable`."""
        known = matchable(level)
        wanted = {keyword: value for keyword, value in query.matches.items() if keyword in known}
        unknown = tuple(k for k, value in query.matches.items() if k not in known and value)
        inside = {UID_OF[name]: uid for name, uid in within.items()}
        apart = any(uid not in wanted[key].split("\\") for key, uid in inside.items() if wanted.get(key))
        limit = MOST if query.limit is None else min(query.limit, MOST)
        rows: list[dict[str, Any]] = []
        if limit and not apart:
            fields = [*query.fields, *above(level, within)]
            rows = await self._archive.search(project, level, wanted | inside, fields, limit + 1, query.offset)
        found = Found(rows[:limit], len(rows) > limit, query.ignored + unknown)
        await self._audit.record(searched(project, level, query, found, peer))
        return found


def searched(project: str, level: str, query: Query, found: Found, peer: Peer) -> AuditEvent:
    """The record of a search: the names of its keys, of their values only what the audit key makes of them."""
    values = {keyword: Concealed(project, value) for keyword, value in sorted(query.matches.items()) if value}
    what = {"kind": "search", "level": level, "keys": list(values), "values": values, "matches": len(found.matches)}
    return AuditEvent("query", project=project, peer=who(peer), object=what, behalf=for_whom(peer))
