"""One study: its sum, and its instances at their destinations, those with trouble first. Pseudonyms and codes only."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Any, Protocol

from aiohttp import web

from proxy.console.answers import in_words
from proxy.console.frame import Entry, Route, Visit, anybody
from proxy.console.refusal import Refusal
from proxy.console.studies import Books, moment, row
from proxy.service.callers import Verb

#: instances on the page
MOST = 200
_UID = re.compile(r"[0-9.]{1,64}")


class Queued(Protocol):
    """One instance at one destination, as `proxy.store.study_look` has it."""

    @property
    def sop_instance_uid(self) -> str:
        """Pseudonymous."""
        ...

    @property
    def destination(self) -> str:
        """Its name."""
        ...

    @property
    def state(self) -> str:
        """waiting, delivered, failed."""
        ...

    @property
    def attempts(self) -> int:
        """That failed."""
        ...

    @property
    def queued_at(self) -> float:
        """Seconds since the epoch."""
        ...

    @property
    def last_code(self) -> str:
        """Its last answer."""
        ...


#: project, Study Instance UID, how many
Look = Callable[[str, str, int], Awaitable[Sequence[Queued]]]


class StudyPage:
    """`Part`: one page, which the table of studies leads to."""

    entries: Sequence[Entry] = ()

    def __init__(self, books: Books, look: Look) -> None:
        self._books, self._look = books, look

    @property
    def routes(self) -> Sequence[Route]:
        """See `Part`."""
        return (Route("GET", "/studies/{project}/{uid}", self._shown, anybody),)

    async def _shown(self, visit: Visit) -> web.StreamResponse:
        project, uid = visit.request.match_info["project"], visit.request.match_info["uid"]
        seen = project in self._books.projects and visit.caller.sees(project)
        page = await self._books.reconcile.page((project,), uid) if seen and _UID.fullmatch(uid) else None
        if page is None or not page.balances:
            raise Refusal(HTTPStatus.NOT_FOUND, "no-such-study", "There is no such study.")
        found = await self._look(project, uid, MOST + 1)
        return visit.page(
            "study",
            row=row(page.balances[0]),
            instances=[_instance(each) for each in found[:MOST]],
            more=len(found) > MOST,
            most=MOST,
            audits=Verb.AUDIT in visit.caller.verbs(project),
        )


def _instance(queued: Queued) -> dict[str, Any]:
    said = in_words(queued.last_code)
    return {"of": queued, "queued": moment(queued.queued_at), "last": said if queued.state != "delivered" else ""}
