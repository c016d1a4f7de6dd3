"""``GET /audit/stream``: records as they are written, as Server-Sent Events whose ids are the records' numbers.

`Last-Event-ID` (or `after`) goes on behind a record. Who does not read is told `dropped` and hung up on: nobody waits
for a reader. Whoever loses the grant meanwhile is told `ended`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import web

from proxy.audit.live import SlowReader, Subscription
from proxy.dicomweb.accepting import accepted
from proxy.dicomweb.auth import Access
from proxy.dicomweb.projects import peer
from proxy.dicomweb.sse import MEDIA, Events, TooSlow
from proxy.dicomweb.status import RETRY_AFTER, Refused
from proxy.errors import Unavailable
from proxy.service.audit_question import number, number_in, selection_of
from proxy.service.audit_reading import AuditReading, Visible
from proxy.service.callers import Verb
from proxy.wire.media import Offer

#: streams at the same time; each reads the log for itself
MOST = 32


class _Ended(Exception):
    """The stream is over; its text says why."""


class AuditStream:
    """The live log. `close` ends every stream, so that a stop need not wait for them."""

    def __init__(
        self, reading: AuditReading, access: Access, heartbeat: float = 15.0, patience: float = 10.0, most: int = MOST
    ) -> None:
        """Seconds: between two signs of life, and that a reader gets to take what it was sent."""
        self._reading, self._access = reading, access
        self._heartbeat, self._patience, self._most = heartbeat, patience, most
        self._open: set[Subscription] = set()
        self._under_way, self._closed = 0, False

    def add_to(self, app: web.Application) -> None:
        """Add the route. There is no HEAD: it would last as long as the answer."""
        app.router.add_get("/audit/stream", self.stream, allow_head=False)

    def close(self) -> None:
        """For good."""
        self._closed = True
        for each in self._open:
            each.close()

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Until the client goes, or is dropped."""
        visible = await self._access.where(request, Verb.AUDIT)
        selection = selection_of(request.query).may_see(visible)
        accepted(request, (Offer(MEDIA),))
        said = request.headers.get("Last-Event-ID", "")
        after = number_in(said, "Last-Event-ID") if said else number(request.query, "after")
        if self._under_way >= self._most:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "too many read the stream already", RETRY_AFTER)
        self._under_way += 1
        try:
            subscription, after = await self._reading.follow(selection, after, peer(request))
            self._open.add(subscription)
            if self._closed:
                subscription.close()
            events, meant = Events(request, self._patience), selection.test()
            shown = _Shown(events, subscription, after, meant, lambda: self._still(request, visible))
            return await shown.run(self._heartbeat)
        finally:
            self._under_way -= 1
            self._open = {each for each in self._open if not each.closed}

    async def _still(self, request: web.Request, visible: Visible) -> None:
        """A token can be revoked, or expire, while its stream goes on."""
        try:
            now = await self._access.again(request, Verb.AUDIT)
        except (Refused, Unavailable):
            raise _Ended("not allowed any more") from None
        if now != visible:
            raise _Ended("other grants now")


class _Shown:
    """One subscription on its way to one reader."""

    def __init__(
        self,
        events: Events,
        subscription: Subscription,
        after: int,
        meant: Callable[[bytes], bool],
        still: Callable[[], Awaitable[None]],
    ) -> None:
        """``after``: the last record that was looked at; ``still`` raises `_Ended`."""
        self._events, self._subscription, self._at = events, subscription, after
        self._meant, self._still = meant, still

    async def run(self, heartbeat: float) -> web.StreamResponse:
        """To the end, whatever that is."""
        name, why = "ended", "stopping"
        try:
            await self._events.begin(self._at)
            await self._send(heartbeat)
        except (SlowReader, TooSlow):
            name, why = "dropped", "the reader does not keep up"
        except _Ended as ended:
            why = str(ended)
        finally:
            self._subscription.close()
        return await self._events.end(name, json.dumps({"reason": why, "after": self._at}).encode("ascii"))

    async def _send(self, heartbeat: float) -> None:
        now = asyncio.get_running_loop().time
        beat = now() + heartbeat
        while True:
            try:
                async with asyncio.timeout_at(beat):
                    line = await anext(self._subscription, None)
            except TimeoutError:
                pass
            else:
                if line is None:
                    return
                if self._meant(line.data):
                    await self._events.send(line.seq, line.data)
                self._at = line.seq
            if now() >= beat:
                await self._still()
                await self._events.beat(self._at)
                beat = now() + heartbeat
