"""What operators do to a destination: pause it, resume it, send again what it rejected for good.

Recorded before it takes effect; a pause is durable before it counts, and outlives a restart. Intake goes on: instances
wait. What is claimed at a pause is finished. Why is a word out of a few, and a ticket: free text would hold names.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Protocol

from proxy.service.destination_words import must_say
from proxy.service.events import who
from proxy.service.ports import AuditEvent, AuditTrail, Peer
from proxy.store.pauses import Pause as Pause  # the console may not import the store


class Pauses(Protocol):
    """Pauses that outlive the process; every method may raise `Unavailable`."""

    async def all(self) -> list[Pause]:
        """Those in force."""
        ...

    async def keep(self, pause: Pause) -> None:
        """Durable when it returns."""
        ...

    async def forget(self, destination: str) -> None:
        """As if it had not been; durable when it returns."""
        ...


class Lanes(Protocol):
    """The ways to the destinations; nothing here blocks."""

    def pause(self, destination: str) -> None:
        """Claim nothing more for it."""
        ...

    def resume(self, destination: str) -> None:
        """Go on at once."""
        ...

    def notify(self, destinations: Iterable[str]) -> None:
        """Rows wait for them."""
        ...


class Destinations:
    """Operates ``names``. ``requeue`` lets the failed rows of one wait again, and says how many."""

    def __init__(
        self,
        names: Collection[str],
        lanes: Lanes,
        pauses: Pauses,
        audit: AuditTrail,
        requeue: Callable[[str], Awaitable[int]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._names, self._lanes, self._pauses, self._audit = frozenset(names), lanes, pauses, audit
        self._requeue, self._clock = requeue, clock
        self._paused: dict[str, Pause] = {}
        self._one_at_a_time = asyncio.Lock()

    async def load(self) -> None:
        """Take up the pauses that are in force; before anything is delivered."""
        for pause in await self._pauses.all():
            if pause.destination in self._names:  # others wait for veil.yaml to name them again
                self._paused[pause.destination] = pause
                self._lanes.pause(pause.destination)

    @property
    def paused(self) -> Mapping[str, Pause]:
        """Those that are paused, by name."""
        return self._paused

    async def pause(self, destination: str, why: str, ticket: str, peer: Peer) -> bool:
        """False: it was paused already, and that one stays as it is. KeyError for an unknown one; `NotSaid`."""
        self._known(destination, why, ticket)
        async with self._one_at_a_time:
            if destination in self._paused:
                return False
            await self._audit.record(_event("destination-paused", destination, why, ticket, peer))
            pause = Pause(destination, self._clock(), why, ticket, who(peer).get("caller", peer.transport))
            await self._pauses.keep(pause)
            self._paused[destination] = pause
            self._lanes.pause(destination)
            return True

    async def resume(self, destination: str, why: str, ticket: str, peer: Peer) -> bool:
        """False: it was not paused. KeyError for an unknown one; `NotSaid`."""
        self._known(destination, why, ticket)
        async with self._one_at_a_time:
            if destination not in self._paused:
                return False
            await self._audit.record(_event("destination-resumed", destination, why, ticket, peer))
            await self._pauses.forget(destination)
            del self._paused[destination]
            self._lanes.resume(destination)
            return True

    async def send_again(self, destination: str, peer: Peer) -> int:
        """Let what it rejected for good wait again; how many. KeyError for an unknown one."""
        if destination not in self._names:
            raise KeyError(destination)
        await self._audit.record(_event("requeued", destination, "", "", peer))
        count = await self._requeue(destination)
        self._lanes.notify((destination,))
        return count

    def _known(self, destination: str, why: str, ticket: str) -> None:
        if destination not in self._names:
            raise KeyError(destination)
        must_say(why, ticket)


def _event(kind: str, destination: str, why: str, ticket: str, peer: Peer) -> AuditEvent:
    about = {"kind": "destination", "destination": destination} | ({"ticket": ticket} if ticket else {})
    return AuditEvent(kind, peer=who(peer), object=about, reason=why)
