"""The use case *read the audit log*: pages of the past, and what comes from now on. Each read is a record itself.

The log is read from its files and never waits for a reader. Who has the grant for some projects sees their records
only; records of the site itself, and of projects that are no more, need the grant for every project.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

# shells take these from here: the console may not import the room of the audit log
from proxy.audit.follow import seq_of
from proxy.audit.formats.entry import Entry as Entry
from proxy.audit.formats.entry import entry_of as entry_of
from proxy.audit.live import LiveStream, Subscription
from proxy.audit.lookup import Lookup
from proxy.audit.lookup import Page as Page
from proxy.audit.lookup import Question as Question
from proxy.audit.selection import Selection
from proxy.service.events import for_whom, who
from proxy.service.instance_life import Life as Life
from proxy.service.instance_life import life_of
from proxy.service.ports import AuditEvent, AuditTrail, Peer

T = TypeVar("T")
#: projects whose records somebody may see; None: the whole log
Visible = frozenset[str] | None


class AuditReading:
    """Reads the log for those who may: whether they may is decided before."""

    def __init__(self, lookup: Lookup, live: LiveStream, audit: AuditTrail) -> None:
        self._lookup, self._live, self._audit = lookup, live, audit
        self._turn = asyncio.Lock()  # one page at a time: many would take the processor from those who send

    @property
    def last(self) -> int:
        """The number of the last record."""
        return self._lookup.last

    async def page(self, question: Question, visible: Visible, peer: Peer) -> Page:
        """What was asked for. `AuditUnavailable` where that cannot be recorded: then nothing is shown."""
        question = replace(question, selection=question.selection.may_see(visible))
        page = await self._in_turn(lambda: self._lookup.page(question))
        await self._shown("page", question.selection, peer, page.lines)
        return page

    async def life(self, of: str, visible: Visible, peer: Peer) -> Life:
        """What the log says of one instance (`life_of`). Raises as `page`."""
        life = await self._in_turn(lambda: life_of(self._lookup.page, of, visible))
        await self._shown("instance", Selection(objects=frozenset({of}), visible=visible), peer, life.lines)
        return life

    async def follow(self, selection: Selection, after: int | None, peer: Peer) -> tuple[Subscription, int]:
        """Every record after number ``after``, or from now on, and that number; the reader picks.

        A number that the log has not reached means now: the log was put back to an older state. Raises as `page`.
        """
        last = self.last
        start = last if after is None else min(after, last)
        await self._audit.record(read("stream", selection, peer, {"after": start}, {}))
        return await self._live.subscribe(start), start

    async def _in_turn(self, search: Callable[[], T]) -> T:
        """One at a time, in a thread: it cannot be stopped, so who does not wait for it still keeps his turn."""
        async with self._turn:
            work = asyncio.ensure_future(asyncio.to_thread(search))
            try:
                return await asyncio.shield(work)
            finally:
                await asyncio.wait([work])

    async def _shown(self, how: str, selection: Selection, peer: Peer, lines: tuple[bytes, ...]) -> None:
        ends = {"first": seq_of(lines[0]), "last": seq_of(lines[-1])} if lines else {}
        await self._audit.record(read(how, selection, peer, ends, {"records": len(lines)}))


def read(how: str, selection: Selection, peer: Peer, ends: dict[str, int], counts: dict[str, int]) -> AuditEvent:
    """The record of a read: by what was asked, never for which values; anything can stand there."""
    about = {"kind": "audit", "how": how, "keys": selection.asked(), **ends}
    seen = selection.visible or selection.projects
    project = next(iter(seen)) if len(seen) == 1 and selection.visible is not None else ""
    return AuditEvent("audit-read", project=project, peer=who(peer), object=about, counts=counts, behalf=for_whom(peer))
