"""The use case *preview*: what would become of an instance, told without any value of it, by a worker.

The clear bytes lie in memory only and nothing of them leaves. Who looks at a held instance is on record before.
One preview at a time: it is for people, and must not take the workers or the memory from what comes in.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from proxy.deid.previewed import Previewed, Wish
from proxy.deid.profile import Policy
from proxy.deid.types import Claimed
from proxy.errors import Unavailable, WorkersUnavailable
from proxy.service import events
from proxy.service.ports import AuditTrail, Held, HeldInstance, Peer, Quarantine
from proxy.workers.arena import Arena, ArenaFull

#: what is larger has no preview, whatever limits.instance_bytes allows
MOST_BYTES = 1 << 30


class Previews(Protocol):
    """Engine, gate and eyes, in a worker."""

    async def preview(
        self, project: str, arena: Arena, claimed: Claimed, wish: Wish, policy: Policy | None = None
    ) -> Previewed | Held:
        """What becomes of the Part 10 instance in ``arena`` under the rules of ``project``, or under ``policy``.

        Never raises for what the instance does (`Held` where it ended the worker); `WorkersUnavailable`.
        """
        ...


class Preview:
    """Previews of what somebody sends along, and of what is held."""

    def __init__(
        self, workers: Previews, quarantine: Quarantine, audit: AuditTrail, limit: int, wait_seconds: float = 30.0
    ) -> None:
        """``limit``: bytes of one instance in memory."""
        self._workers, self._quarantine, self._audit = workers, quarantine, audit
        self._limit, self._wait = min(limit, MOST_BYTES), wait_seconds
        self._turn = asyncio.Lock()

    async def of(self, project: str, data: bytes, wish: Wish, candidate: Policy | None = None) -> Previewed:
        """Of the Part 10 instance in ``data``; ``candidate`` goes before the project's rules. `Unavailable`."""
        async with self._arena() as arena:
            try:
                await asyncio.to_thread(arena.write, data)
            except ArenaFull:
                raise Unavailable("the instance is larger than the limit of a preview") from None
            return await self._seen(project, arena, Claimed(), wish, candidate)

    async def held(self, entry: HeldInstance, peer: Peer, wish: Wish, candidate: Policy | None = None) -> Previewed:
        """Of a quarantine entry, for ``peer``; recorded first. KeyError where it is gone, `SealBroken`, `Unavailable`.

        The rules are those in force now, not those under which it was held.
        """
        await self._audit.record(events.viewed(entry, peer))
        async with self._arena() as arena:
            _, claimed = await self._quarantine.open(entry.id, arena)
            return await self._seen(entry.project, arena, claimed, wish, candidate)

    async def _seen(
        self, project: str, arena: Arena, claimed: Claimed, wish: Wish, candidate: Policy | None
    ) -> Previewed:
        found = await self._workers.preview(project, arena, claimed, wish, candidate)
        return Previewed(str(found.reason), found.detail) if isinstance(found, Held) else found

    @asynccontextmanager
    async def _arena(self) -> AsyncIterator[Arena]:
        try:
            async with asyncio.timeout(self._wait):
                await self._turn.acquire()
        except TimeoutError:
            raise WorkersUnavailable("too many previews are asked for") from None
        try:
            with Arena(self._limit) as arena:
                yield arena
        finally:
            self._turn.release()
