"""What is held and why: a list that can be narrowed, and another try for those that are chosen.

Whoever may operate in a project sees what it holds. Nothing of an instance is shown here, only what its entry says.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from proxy.console.frame import Entry, Route, Visit, may
from proxy.console.held_entries import PAGE, Entries, Wanted, by_reason
from proxy.errors import SealBroken
from proxy.service.callers import Verb
from proxy.service.held_words import advice_on
from proxy.service.ports import HeldInstance
from proxy.service.replay import Replay

#: seconds after which a form has had its share: what was not tried by then is told, and can be sent again
_ENOUGH = 20.0
#: in a form, before the id of an entry that is chosen
CHOSEN = "entry-"


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of another try; ``good``: it has left quarantine."""

    entry: HeldInstance
    words: str
    good: bool = False


class HeldPages:
    """The list, and replay."""

    def __init__(
        self, entries: Entries, replay: Replay, projects: Sequence[str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._entries, self._replay, self._projects, self._clock = entries, replay, projects, clock
        self._may = may(Verb.OPERATE, tuple(projects))

    @property
    def entries(self) -> Sequence[Entry]:
        """See `Part`."""
        return (Entry("/quarantine", "Held", self._may),)

    @property
    def routes(self) -> Sequence[Route]:
        """See `Part`."""
        return (
            Route("GET", "/quarantine", self._listed, self._may),
            Route("POST", "/quarantine/replay", self._replayed, self._may),
        )

    async def _listed(self, visit: Visit) -> web.StreamResponse:
        wanted = Wanted.read(visit.request.query)
        seen = await self._entries.seen_by(visit.caller)
        done = "One held instance was purged." if "purged" in visit.request.query else ""
        return visit.page("held", **listed(seen, wanted), done=done)

    async def _replayed(self, visit: Visit) -> web.StreamResponse:
        chosen = [name.removeprefix(CHOSEN) for name in visit.form if name.startswith(CHOSEN)]
        known = {entry.id: entry for entry in await self._entries.seen_by(visit.caller)}
        tried, until = [], self._clock() + _ENOUGH
        left = []
        try:
            for entry in (known[each] for each in chosen if each in known):
                if self._clock() < until:
                    tried.append(await self._try(visit, entry))
                else:
                    left.append(entry)
        finally:
            self._entries.forget()
        gone_already = sum(each not in known for each in chosen)
        return visit.page("held_replayed", tried=tried, left=left, gone=gone_already, chosen=CHOSEN)

    async def _try(self, visit: Visit, entry: HeldInstance) -> Tried:
        visit.must(Verb.OPERATE, entry.project)
        if not entry.project:
            return Tried(entry, "broken: it cannot be opened")
        if entry.project not in self._projects:
            return Tried(entry, "its project is not in veil.yaml any more")
        # whoever leaves the page does not break off what has begun
        trying = asyncio.ensure_future(self._replay.replay(entry.id, visit.peer))
        try:
            outcome = await asyncio.shield(trying)
        except KeyError:
            return Tried(entry, "gone meanwhile")
        except SealBroken:
            return Tried(entry, "broken: it cannot be opened")
        if outcome.stored:
            return Tried(entry, "released, on its way", good=True)
        return Tried(entry, f"still held: {outcome.reason}")


def listed(seen: Sequence[HeldInstance], wanted: Wanted) -> dict[str, Any]:
    """The values of the list for who sees ``seen``."""
    found = wanted.of(seen)
    pages = max(-(-len(found) // PAGE), 1)
    page = min(wanted.page, pages)
    counts = by_reason(wanted.of(seen, any_reason=True))
    most = max((count for _, count in counts), default=1)
    return {
        "wanted": wanted,
        "total": len(found),
        "all": len(seen),
        "rows": found[(page - 1) * PAGE : page * PAGE],
        "page": page,
        "pages": pages,
        "counts": [
            (str(reason), count, plain(advice_on(reason).means), 100 * count / most) for reason, count in counts
        ],
        "reasons": sorted({str(entry.reason) for entry in seen}),
        "projects": sorted({entry.project for entry in seen if entry.project}),
        "transports": sorted({entry.transport for entry in seen if entry.transport}),
        "chosen": CHOSEN,
    }


def plain(words: str) -> str:
    """As it is written in the documents, without its marks."""
    return words.replace("`", "")
