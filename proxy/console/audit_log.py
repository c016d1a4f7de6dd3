"""The audit log of the projects in which somebody may audit: newest first, by what was asked for, a page at a time.

Each page is a record of the log itself, written before it is shown. Questions are those of ``GET /audit/events``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import urlencode

from aiohttp import web
from multidict import MultiDict

from proxy.console.audit_words import WORDS, told
from proxy.console.frame import Entry, Route, Visit, may
from proxy.service.audit_question import BadQuestion, question_of
from proxy.service.audit_reading import Page, Question, Visible
from proxy.service.callers import EVERY, Verb
from proxy.service.ports import Peer

#: records on a page
MOST = 100
#: what moves through the log rather than choosing from it
_MOVES = ("after", "before", "order", "limit")
#: fields of the form
FIELDS = ("type", "outcome", "project", "reason", "peer", "object", "since", "until")


class Reading(Protocol):
    """`AuditReading`."""

    @property
    def last(self) -> int:
        """The number of the last record."""
        ...

    async def page(self, question: Question, visible: Visible, peer: Peer) -> Page:
        """A page, recorded first. Raises `AuditUnavailable`."""
        ...


@dataclass(frozen=True, slots=True)
class Links:
    """Query strings that lead on; "" where there is nothing."""

    newest: str
    newer: str
    older: str


class AuditPages:
    """`Part`: the log in pages."""

    def __init__(self, reading: Reading, projects: Sequence[str]) -> None:
        self._reading, self._projects = reading, projects
        self._may = may(Verb.AUDIT, [*projects, EVERY])

    @property
    def entries(self) -> Sequence[Entry]:
        """See `Part`."""
        return (Entry("/audit", "Audit log", self._may),)

    @property
    def routes(self) -> Sequence[Route]:
        """See `Part`."""
        return (Route("GET", "/audit", self._shown, self._may),)

    async def _shown(self, visit: Visit) -> web.StreamResponse:
        asked, visible = asked_of(visit.request), visit.caller.where(Verb.AUDIT)
        try:
            question = replace(question_of(asked), limit=MOST)
        except BadQuestion as bad:
            return self._page(visit, asked, Question(), Page((), None), None, HTTPStatus.BAD_REQUEST, str(bad))
        last = self._reading.last  # what comes while the page is made comes twice rather than never
        page = await self._reading.page(question, visible, visit.peer)
        if question.oldest and page.next is None:  # the end of the log: a whole page of it
            return visit.go(f"/audit?{urlencode(_filters(asked))}")
        return self._page(visit, asked, question, page, _live(asked, question, last))

    def _page(
        self,
        visit: Visit,
        asked: MultiDict[str],
        question: Question,
        page: Page,
        live: str | None = None,
        status: HTTPStatus = HTTPStatus.OK,
        problem: str = "",
    ) -> web.Response:
        visible = visit.caller.where(Verb.AUDIT)
        rows = [told(line) for line in (reversed(page.lines) if question.oldest else page.lines)]
        chosen = {name: asked.get(name, "") for name in FIELDS}
        chosen |= {"since": question.selection.since[:19], "until": question.selection.until[:19]}
        values: dict[str, Any] = {
            "rows": rows,
            "chosen": chosen,
            "types": sorted(WORDS.items(), key=lambda pair: pair[1].casefold()),
            "projects": sorted(self._projects if visible is None else visible),
            "links": _links(asked, question, page, [row.seq for row in rows]),
            "live": live,
            "partial": page.next is not None and len(rows) < MOST,
            "problem": problem,
        }
        return visit.page("audit", status, **values)


def asked_of(request: web.Request) -> MultiDict[str]:
    """The question in a URL, without the fields of the form that were left empty."""
    return MultiDict((name, value.strip()) for name, value in request.query.items() if value.strip())


def _filters(asked: MultiDict[str]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in asked.items() if name not in _MOVES]


def _live(asked: MultiDict[str], question: Question, last: int) -> str | None:
    """What the stream is asked for that goes on where the newest page ends; None for a page of the past."""
    if question.oldest or question.before is not None or question.after or question.selection.until:
        return None
    times = ("since", "until")
    return urlencode([(name, value) for name, value in _filters(asked) if name not in times] + [("after", str(last))])


def _links(asked: MultiDict[str], question: Question, page: Page, numbers: Sequence[int]) -> Links:
    """``numbers``: of the records on the page, newest first."""
    filters = _filters(asked)

    def moved(**moves: int | str) -> str:
        return urlencode(filters + [(name, str(value)) for name, value in moves.items()])

    newest, newer, older = numbers[:1], "", ""
    if question.oldest:
        newest = [page.next.after] if page.next is not None else newest
        older = moved(before=numbers[-1] if numbers else question.after + 1)
    elif page.next is not None and page.next.before is not None:
        older = moved(before=page.next.before)
    if question.oldest or question.before is not None:
        at = newest[0] if newest else (question.before or 1) - 1
        newer = moved(after=at, order="oldest")
    return Links(moved() if newer else "", newer, older)
