"""The use case *replay*: a held instance goes through ingest again, or an operator lets it go for good.

After a rule, a limit or a bug changed, what was held may pass. The clear bytes exist in memory only. An entry is
removed after the record that says so, never before.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from proxy.service import events
from proxy.service.destination_words import must_say
from proxy.service.held_words import PURGE_WHYS
from proxy.service.ingest import Ingest, Outcome
from proxy.service.ports import AuditTrail, HeldInstance, Peer, Quarantine
from proxy.workers.arena import Arena

_OPERATOR = Peer("cli")


async def _uncounted(entry_id: str, passed: bool) -> None:
    """Nobody counts what is held."""


class Replay:
    """Works on the entries of ``quarantine``."""

    def __init__(
        self,
        ingest: Ingest,
        quarantine: Quarantine,
        audit: AuditTrail,
        limit: int,
        count: Callable[[str, bool], Awaitable[None]] = _uncounted,
    ) -> None:
        """``limit``: bytes of one instance; ``count`` is told of an entry that is about to go: did it pass?"""
        self._ingest, self._quarantine, self._audit, self._limit = ingest, quarantine, audit, limit
        self._count = count

    async def replay(self, entry_id: str, peer: Peer = _OPERATOR) -> Outcome:
        """Judge the entry again. Released: it is on its way and the entry is gone. Held: the entry is the one it was.

        KeyError for an unknown id; `Unavailable` leaves everything as it was.
        """
        with Arena(self._limit) as arena:
            entry, claimed = await self._quarantine.open(entry_id, arena)
            outcome = await self._ingest.receive(entry.project, arena, claimed, peer)
        if outcome.stored:
            await self._audit.record(events.replayed(entry, peer))
            await self._count(entry_id, True)
            await self._quarantine.purge(entry_id)
        return outcome

    async def purge_because(self, entry_id: str, peer: Peer, why: str, ticket: str) -> HeldInstance:
        """As `purge`, for one of `PURGE_WHYS` and with a ticket or "", which are recorded. `NotSaid`."""
        must_say(why, ticket, PURGE_WHYS)
        return await self.purge(entry_id, peer, why, ticket)

    async def purge(self, entry_id: str, peer: Peer = _OPERATOR, why: str = "", ticket: str = "") -> HeldInstance:
        """Destroy a held original. KeyError for an unknown id."""
        entry = next((e for e in await self._quarantine.list() if e.id == entry_id), None)
        if entry is None:
            raise KeyError(entry_id)
        await self._audit.record(events.purged(entry, peer, why, ticket))
        await self._count(entry_id, False)
        return await self._quarantine.purge(entry_id)
