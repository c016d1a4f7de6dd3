"""The use case *search* (PS3.18 10.6): QIDO-RS over the embedded archive.

Everything in the archive is de-identified, so matching on its own values tells nothing about originals. The record of
a search names the matching keys and never their values: a viewer may type a patient's real name. No record, no answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from proxy.archive.attributes import ATTRIBUTES, LEVELS, UID_OF, matchable
from proxy.service.events import who
from proxy.service.ports import Archive, AuditEvent, AuditTrail, Peer
from proxy.wire.uri import Query

#: The most matches in one answer; the rest is asked for with `offset`.
MOST = 1000


@dataclass(frozen=True, slots=True)
class Found:
    """The matches as DICOM JSON objects; whether there are more; which asked-for parameters were not obeyed."""

    matches: list[dict[str, Any]]
    more: bool
    ignored: tuple[str, ...]


class Search:
    """Answers searches from ``archive``, each recorded in ``audit`` first."""

    def __init__(self, archive: Archive, audit: AuditTrail) -> None:
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
            fields = [*query.fields, *_above(level, within)]
            rows = await self._archive.search(project, level, wanted | inside, fields, limit + 1, query.offset)
        found = Found(rows[:limit], len(rows) > limit, query.ignored + unknown)
        await self._audit.record(_event(project, level, query, found, peer))
        return found


def _above(level: str, within: Mapping[str, str]) -> list[str]:
    """A relational search also answers with the attributes of the levels that the path does not name (10.6.3.3)."""
    names = [name for name in LEVELS[: LEVELS.index(level)] if name not in within]
    return [a.keyword for name in names for a in ATTRIBUTES[name] if a.default]


def _event(project: str, level: str, query: Query, found: Found, peer: Peer) -> AuditEvent:
    keys = sorted(keyword for keyword, value in query.matches.items() if value)
    what = {"kind": "search", "level": level, "keys": keys, "matches": len(found.matches)}
    return AuditEvent("query", project=project, peer=who(peer), object=what)
