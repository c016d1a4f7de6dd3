"""``/console/audit/stream``: the records that come, in words, for the script of the audit log's page.

Server-Sent Events under the session of who looks: a page that is left open does not keep him signed in, and its stream
ends when he is not any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from aiohttp import web

from proxy.console.audit_log import asked_of
from proxy.console.audit_words import told
from proxy.console.frame import Entry, Route, Visit, may
from proxy.console.refusal import Refusal
from proxy.errors import Unavailable
from proxy.service.audit_question import BadQuestion, number, number_in, selection_of
from proxy.service.audit_reading import Visible
from proxy.service.audit_showing import PATIENCE, Ended, Showing
from proxy.service.callers import EVERY, Verb
from proxy.sse import Events


class AuditLive:
    """`Part`: no page, but a stream. `stop` ends every one."""

    def __init__(self, showing: Showing, projects: Sequence[str], patience: float = PATIENCE) -> None:
        """``patience``: seconds that a browser gets to take what it was sent."""
        self._showing, self._patience = showing, patience
        self._may = may(Verb.AUDIT, [*projects, EVERY])

    @property
    def entries(self) -> Sequence[Entry]:
        """See `Part`."""
        return ()

    @property
    def routes(self) -> Sequence[Route]:
        """See `Part`."""
        return (Route("GET", "/audit/stream", self._stream, self._may),)

    async def stop(self, _: web.Application) -> None:
        """For `web.Application.on_shutdown`."""
        self._showing.close()

    async def _stream(self, visit: Visit) -> web.StreamResponse:
        visible, asked = visit.caller.where(Verb.AUDIT), asked_of(visit.request)
        said = visit.request.headers.get("Last-Event-ID", "")
        try:
            selection = selection_of(asked).may_see(visible)
            after = number_in(said, "Last-Event-ID") if said else number(asked, "after")
        except BadQuestion as bad:
            raise Refusal(HTTPStatus.BAD_REQUEST, "", f"That cannot be asked: {bad}.") from None
        events = Events(visit.request, self._patience)
        await self._showing.show(
            selection, after, visit.peer, events, lambda: self._still(visit, visible), lambda line: told(line).json()
        )
        return events.response

    async def _still(self, visit: Visit, visible: Visible) -> None:
        try:
            guest = await visit.again()
        except Unavailable:
            raise Ended("nobody can be let in right now") from None
        if guest is None:
            raise Ended("you are not signed in any more")
        if guest.caller.where(Verb.AUDIT) != visible:
            raise Ended("your role is another one now")
