"""``GET /audit/events`` and ``GET /audit/stream``: the audit log for those who were granted `audit`.

Reads the request, writes the answer; what is shown is decided in `proxy.service.audit_reading`. Records leave as the
bytes that stand in the log, so that each can still be verified.
"""

from __future__ import annotations

from urllib.parse import urlencode

from aiohttp import web

from proxy.audit.lookup import Page
from proxy.dicomweb.accepting import accepted
from proxy.dicomweb.auth import Access
from proxy.dicomweb.projects import Projects, peer
from proxy.service.audit_question import going_on, question_of
from proxy.service.audit_reading import AuditReading
from proxy.service.callers import Verb
from proxy.wire.media import JSON, Offer

LINES = "application/jsonl"
_OFFERS = (Offer(JSON), Offer(LINES), Offer("application/x-ndjson"))


class AuditEvents:
    """Pages of the log."""

    def __init__(self, reading: AuditReading, access: Access, projects: Projects) -> None:
        self._reading, self._access, self._projects = reading, access, projects

    def add_to(self, app: web.Application) -> None:
        """Add the route."""
        app.router.add_get("/audit/events", self.events)

    async def events(self, request: web.Request) -> web.Response:
        """One page, and where the next one is."""
        visible = await self._access.where(request, Verb.AUDIT)
        question, media = question_of(request.query), accepted(request, _OFFERS).offer.essence
        page = await self._reading.page(question, visible, peer(request))
        following = self._following(request, page)
        headers = {"Link": f'<{following}>; rel="next"'} if following else {}
        if media == JSON:
            return web.Response(body=_json(page, following), content_type=JSON, headers=headers)
        return web.Response(body=b"".join(line + b"\n" for line in page.lines), content_type=media, headers=headers)

    def _following(self, request: web.Request, page: Page) -> str:
        if page.next is None:
            return ""
        return f"{self._projects.prefix(request)}/audit/events?{urlencode(going_on(request.query, page.next))}"


def _json(page: Page, following: str) -> bytes:
    """``next`` is made of percent-encoded text: nothing in it has to be escaped."""
    end = f'],"next":"{following}"}}' if following else '],"next":null}'
    return b'{"records":[' + b",".join(page.lines) + end.encode("ascii")
