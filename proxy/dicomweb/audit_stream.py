"""``GET /audit/stream``: records as they are written, as Server-Sent Events whose ids are the records' numbers.

`Last-Event-ID` (or `after`) goes on behind a record. Who does not read is told `dropped` and hung up on: nobody waits
for a reader. Whoever loses the grant meanwhile is told `ended`.
"""

from __future__ import annotations

from aiohttp import web

from proxy.dicomweb.accepting import accepted
from proxy.dicomweb.auth import Access
from proxy.dicomweb.projects import peer
from proxy.dicomweb.status import Refused
from proxy.errors import Unavailable
from proxy.service.audit_question import number, number_in, selection_of
from proxy.service.audit_reading import AuditReading, Visible
from proxy.service.audit_showing import HEARTBEAT, MOST, PATIENCE, Ended, Showing
from proxy.service.callers import Verb
from proxy.sse import MEDIA, Events
from proxy.wire.media import Offer


class AuditStream:
    """The live log."""

    def __init__(
        self,
        reading: AuditReading,
        access: Access,
        heartbeat: float = HEARTBEAT,
        patience: float = PATIENCE,
        most: int = MOST,
    ) -> None:
        """Seconds: between two signs of life, and that a reader gets to take what it was sent."""
        self._access, self._patience = access, patience
        self._showing = Showing(reading, heartbeat, most)

    def add_to(self, app: web.Application) -> None:
        """Add the route. There is no HEAD: it would last as long as the answer."""
        app.router.add_get("/audit/stream", self.stream, allow_head=False)
        app.on_shutdown.append(self._stop)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Until the client goes, or is dropped."""
        visible = await self._access.where(request, Verb.AUDIT)
        selection = selection_of(request.query).may_see(visible)
        accepted(request, (Offer(MEDIA),))
        said = request.headers.get("Last-Event-ID", "")
        after = number_in(said, "Last-Event-ID") if said else number(request.query, "after")
        events = Events(request, self._patience)
        await self._showing.show(selection, after, peer(request), events, lambda: self._still(request, visible))
        return events.response

    async def _still(self, request: web.Request, visible: Visible) -> None:
        """A token can be revoked, or expire, while its stream goes on."""
        try:
            now = await self._access.again(request, Verb.AUDIT)
        except (Refused, Unavailable):
            raise Ended("not allowed any more") from None
        if now != visible:
            raise Ended("other grants now")

    async def _stop(self, _: web.Application) -> None:
        self._showing.close()
