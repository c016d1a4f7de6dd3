"""Who was let in, on record: the first time in an hour that somebody comes from an address. Every time would be noise.

What they then do has records of its own. Cheap where it is not the first time; no record, nobody is let in.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable

from proxy.service.events import for_whom, who
from proxy.service.ports import AuditEvent, AuditTrail, Peer

_SECONDS = 3600.0
_MOST = 10_000


class LetIn:
    """Remembers whom it has recorded, in bounded memory."""

    def __init__(
        self,
        audit: AuditTrail,
        seconds: float = _SECONDS,
        clock: Callable[[], float] = time.monotonic,
        most: int = _MOST,
    ) -> None:
        """``most``: who was recorded longest ago is forgotten first, and recorded again."""
        self._audit, self._seconds, self._clock, self._most = audit, seconds, clock, most
        self._recorded: OrderedDict[tuple[str, str, str, str], float] = OrderedDict()
        self._recording = asyncio.Lock()

    async def note(self, peer: Peer, project: str = "") -> None:
        """``peer`` is let in. `Unavailable` where that would have to be recorded and cannot be."""
        key = (peer.transport, peer.address, peer.name, project)
        if self._known(key):
            return
        async with self._recording:  # of many that come at once
            if not self._known(key):
                await self._audit.record(admitted(peer, project))
                self._recorded[key] = self._clock()
                self._recorded.move_to_end(key)
                if len(self._recorded) > self._most:
                    self._recorded.popitem(last=False)

    def _known(self, key: tuple[str, str, str, str]) -> bool:
        then = self._recorded.get(key)
        return then is not None and self._clock() - then < self._seconds


def admitted(peer: Peer, project: str = "") -> AuditEvent:
    """Somebody proved who he is, or, over DIMSE without known peers, came with an AE title that nobody asks for."""
    kind = "association" if peer.transport == "dimse" else "request"
    return AuditEvent("admitted", project=project, peer=who(peer), object={"kind": kind}, behalf=for_whom(peer))
