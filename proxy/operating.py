"""What an operator can do, in one piece: behind the socket of a running proxy, or on a site at rest.

Quarantine entries without PHI, never the instances.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from proxy.service.destinations import Destinations
from proxy.service.ports import HeldInstance, Peer, Quarantine
from proxy.service.reidentify import Reidentify
from proxy.service.reidentify_words import Message
from proxy.service.replay import Replay

#: who may open the socket
OPERATOR = Peer("cli")


def plain(entry: HeldInstance) -> dict[str, Any]:
    """A quarantine entry as JSON."""
    return {
        "id": entry.id,
        "project": entry.project,
        "reason": str(entry.reason),
        "detail": entry.detail,
        "received": entry.received.isoformat(),
        "size": entry.size,
        "transport": entry.transport,
    }


Status = Callable[[], Awaitable[dict[str, Any]]]


class Operator:
    """What an operator can do with what is held; the same in a running proxy and without one."""

    def __init__(
        self,
        replay: Replay,
        quarantine: Quarantine,
        status: Status,
        destinations: Destinations,
        reload: Callable[[], Awaitable[dict[str, str]]],
        reidentify: Reidentify,
    ) -> None:
        self._replay, self._quarantine, self._status = replay, quarantine, status
        self._destinations, self._reload, self._reidentify = destinations, reload, reidentify

    async def reload(self) -> dict[str, str]:
        """Take the rules and profiles as they are on disk now; project → policy digest."""
        return await self._reload()

    async def reidentifications(self) -> list[dict[str, Any]]:
        """Requests of officers, and how they stand."""
        return await self._reidentify.requests()

    async def reidentification(self, request: str) -> dict[str, Any]:
        """One of them, with all that an approver needs; KeyError for one that there is not."""
        found = await self._reidentify.find(request)
        if found is None:
            raise KeyError(request)
        return found

    async def reidentify(self, step: str, message: Message) -> Any:
        """A signed request, approval or call for the value; KeyError for another step."""
        return await self._reidentify.take(step, message)

    async def status(self) -> dict[str, Any]:
        """Queue and destinations."""
        return await self._status()

    async def retry(self, destination: str) -> dict[str, Any]:
        """Send again what a destination rejected for good."""
        return {"destination": destination, "again": await self._destinations.send_again(destination, OPERATOR)}

    async def pause(self, destination: str, why: str, ticket: str) -> dict[str, Any]:
        """Send nothing more there; ``changed``: it was not paused before. `NotSaid`."""
        changed = await self._destinations.pause(destination, why, ticket, OPERATOR)
        return {"destination": destination, "changed": changed}

    async def resume(self, destination: str, why: str, ticket: str) -> dict[str, Any]:
        """Go on; ``changed``: it was paused. `NotSaid`."""
        changed = await self._destinations.resume(destination, why, ticket, OPERATOR)
        return {"destination": destination, "changed": changed}

    async def entries(self) -> list[dict[str, Any]]:
        """All entries, oldest first."""
        found = await self._quarantine.list()
        return [plain(e) for e in sorted(found, key=lambda e: (e.received, e.id))]

    async def replay(self, entry_id: str) -> dict[str, Any]:
        """Judge an entry again: released and on its way, or still held."""
        outcome = await self._replay.replay(entry_id)
        return {"id": entry_id, "released": outcome.stored, "reason": str(outcome.reason or "")}

    async def purge(self, entry_id: str) -> dict[str, Any]:
        """Destroy a held original for good."""
        return plain(await self._replay.purge(entry_id))
