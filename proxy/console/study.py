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
from proxy.service.callers import Caller, Verb
from proxy.service.compare import Compare, Compared
from proxy.service.reconcile import Balance

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

    def __init__(self, books: Books, look: Look, compare: Compare) -> None:
        self._books, self._look, self._compare = books, look, compare

    @property
    def routes(self) -> Sequence[Route]:
        """See `Part`."""
        path = "/studies/{project}/{uid}"
        ask = Route("POST", f"{path}/compare", self._compared, self._asks)
        return (Route("GET", path, self._shown, anybody), ask)

    def _asks(self, caller: Caller) -> bool:
        return any(asks(caller, project) for project in self._books.projects)

    async def _shown(self, visit: Visit) -> web.StreamResponse:
        return await self._page(visit, await self._study(visit))

    async def _compared(self, visit: Visit) -> web.StreamResponse:
        study = await self._study(visit)
        if not asks(visit.caller, study.project):
            visit.must(Verb.OPERATE, study.project)
        return await self._page(visit, study, await self._compare.study(study.project, study.uid, visit.peer))

    async def _study(self, visit: Visit) -> Balance:
        """That of the path; `Refusal` (404) for one that does not exist for the caller."""
        project, uid = visit.request.match_info["project"], visit.request.match_info["uid"]
        seen = project in self._books.projects and visit.caller.sees(project)
        page = await self._books.reconcile.page((project,), uid) if seen and _UID.fullmatch(uid) else None
        if page is None or not page.balances:
            raise Refusal(HTTPStatus.NOT_FOUND, "no-such-study", "There is no such study.")
        return page.balances[0]

    async def _page(self, visit: Visit, study: Balance, compared: Sequence[Compared] | None = None) -> web.Response:
        found = await self._look(study.project, study.uid, MOST + 1)
        return visit.page(
            "study",
            row=row(study),
            asks=asks(visit.caller, study.project),
            compared=compared and [(each, in_words(each.problem)) for each in compared],
            instances=[_instance(each) for each in found[:MOST]],
            more=len(found) > MOST,
            most=MOST,
            audits=Verb.AUDIT in visit.caller.verbs(study.project),
        )


def asks(caller: Caller, project: str) -> bool:
    """Whether ``caller`` may have the destinations of ``project`` asked."""
    return bool({Verb.OPERATE, Verb.AUDIT} & caller.verbs(project))


def _instance(queued: Queued) -> dict[str, Any]:
    said = in_words(queued.last_code)
    return {"of": queued, "queued": moment(queued.queued_at), "last": said if queued.state != "delivered" else ""}
