"""Which held instances somebody may see, and which of them were asked for. Header data only: no values, no PHI.

Entries of a project are for who may operate there; those without one (broken: altered, or sealed with another key)
for who may operate everywhere.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlencode

from proxy.console.frame import Visit
from proxy.console.refusal import Refusal
from proxy.errors import Reason
from proxy.service.callers import Caller, Verb
from proxy.service.ports import HeldInstance

#: Listing takes as long as there are entries, so who reloads is shown what was there so many seconds ago.
_SECONDS = 2.0
#: entries on a page
PAGE = 100


class Entries:
    """What is held, newest first."""

    def __init__(
        self, listing: Callable[[], Awaitable[Sequence[HeldInstance]]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._listing, self._clock = listing, clock
        self._reading = asyncio.Lock()
        self._found: tuple[float, Sequence[HeldInstance]] = (-_SECONDS, ())

    async def seen_by(self, caller: Caller) -> list[HeldInstance]:
        """Those that exist for ``caller``."""
        return [entry for entry in await self._all() if Verb.OPERATE in caller.verbs(entry.project)]

    async def of(self, visit: Visit) -> HeldInstance:
        """The one in the path; `Refusal` (404) where it does not exist for who asks."""
        wanted = visit.request.match_info["entry"]
        for entry in await self.seen_by(visit.caller):
            if entry.id == wanted:
                return entry
        raise gone()

    def forget(self) -> None:
        """Something was changed: list them anew."""
        self._found = (-_SECONDS, ())

    async def _all(self) -> Sequence[HeldInstance]:
        async with self._reading:
            now = self._clock()
            if not 0 <= now - self._found[0] < _SECONDS:
                listed = await self._listing()
                self._found = (now, sorted(listed, key=lambda entry: (entry.received, entry.id), reverse=True))
            return self._found[1]


def gone() -> Refusal:
    """There is no such entry, or not any more."""
    return Refusal(HTTPStatus.NOT_FOUND, "no-such-entry", "There is no such held instance. It may have left already.")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for; "" is everything. ``page``: from 1."""

    reason: str = ""
    project: str = ""
    transport: str = ""
    page: int = 1

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Wanted:
        """Out of a URL; what makes no sense asks for nothing that there is."""
        page = query.get("page", "")
        number = int(page) if page.isascii() and page.isdigit() and len(page) < 7 else 1
        return cls(query.get("reason", ""), query.get("project", ""), query.get("transport", ""), max(number, 1))

    def url(self, *, reason: str | None = None, page: int = 1) -> str:
        """The query for this, but for another ``reason``; of the first page, if no other is asked for."""
        said = {"reason": self.reason if reason is None else reason, "project": self.project}
        said |= {"transport": self.transport, "page": str(page) if page > 1 else ""}
        return "?" + urlencode({name: value for name, value in said.items() if value})

    def of(self, entries: Sequence[HeldInstance], *, any_reason: bool = False) -> list[HeldInstance]:
        """Those that are meant; ``any_reason``: whatever they are held for."""
        return [
            entry
            for entry in entries
            if (any_reason or self.reason in ("", entry.reason))
            and self.project in ("", entry.project)
            and self.transport in ("", entry.transport)
        ]


def by_reason(entries: Sequence[HeldInstance]) -> list[tuple[Reason, int]]:
    """How many for each reason, the most frequent first."""
    counts = Counter(entry.reason for entry in entries)
    return sorted(counts.items(), key=lambda each: (-each[1], each[0]))
