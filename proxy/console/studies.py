"""Studies: whether everything that came is accounted for, and where it is; as a page, and as a table to take along.

Pseudonymous Study Instance UIDs and counts, of the projects that somebody sees. Whoever takes the table is on record.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from proxy.console.frame import Entry, Route, Visit, anybody
from proxy.console.pages import HEADERS
from proxy.console.refusal import Refusal
from proxy.console.studies_table import table
from proxy.service.callers import EVERY, Caller, Verb
from proxy.service.events import who
from proxy.service.flow import REFUSED, Window
from proxy.service.ports import AuditEvent, AuditTrail
from proxy.service.reconcile import FAILED, OPEN, SHOWN, WAITING, Balance, Page, Place, Reconcile

#: studies on a page, and in a table that is taken along
MOST, MOST_TAKEN = 50, 5000
SHOWN_WORDS = {"": "all", OPEN: "does not add up", WAITING: "something waits", FAILED: "something failed"}
_UID = re.compile(r"[0-9.]{0,64}")
_PLACE = re.compile(r"(\d{1,12}\.\d{1,9}) ([a-z][a-z0-9-]{0,31}) ([0-9.]{0,64})")
_DAY = (60, 24)


@dataclass(frozen=True, slots=True)
class Books:
    """What is known. ``flow``: what went in and out, in so many last steps of so many minutes."""

    reconcile: Reconcile
    audit: AuditTrail
    flow: Callable[[int, int], Window]
    projects: Sequence[str]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, as it stands in the URL."""

    projects: tuple[str, ...]
    project: str
    shown: str
    uid: str
    after: Place | None

    def query(self, after: Place | None = None) -> str:
        """The same, from another place on."""
        place = f"{after.last_at!r} {after.project} {after.uid}" if after else ""
        said = {"project": self.project, "show": self.shown, "uid": self.uid, "after": place}
        return urlencode({name: value for name, value in said.items() if value})


class StudiesPage:
    """One page, and the table."""

    entries = (Entry("/studies", "Studies", anybody),)

    def __init__(self, books: Books) -> None:
        self._books = books

    @property
    def routes(self) -> Sequence[Route]:
        """See `Part`."""
        return (Route("GET", "/studies", self._shown, anybody), Route("GET", "/studies.csv", self._taken, anybody))

    async def _shown(self, visit: Visit) -> web.StreamResponse:
        asked = self._asked(visit)
        page = await self._page(asked, asked.after, MOST)
        return visit.page(
            "studies",
            rows=[row(balance) for balance in page.balances],
            asked=asked,
            next=asked.query(page.next) if page.next else "",
            table=asked.query(),
            projects=[name for name in self._books.projects if visit.caller.sees(name)],
            shown=SHOWN_WORDS,
            refused=self._refused(visit.caller),
            audits=any(Verb.AUDIT in visit.caller.verbs(name) for name in (*asked.projects, EVERY)),
            most=MOST_TAKEN,
        )

    async def _taken(self, visit: Visit) -> web.StreamResponse:
        asked = self._asked(visit)
        found, after = list[Balance](), None
        while len(found) < MOST_TAKEN:
            page = await self._page(asked, after, MOST_TAKEN - len(found))
            found, after = [*found, *page.balances], page.next
            if after is None:
                break
        await self._books.audit.record(_exported(visit, asked, len(found)))
        named = {"Content-Disposition": 'attachment; filename="studies.csv"', "Cache-Control": "no-store"}
        return web.Response(text=table(found), headers=HEADERS | named, content_type="text/csv", charset="utf-8")

    async def _page(self, asked: Asked, after: Place | None, limit: int) -> Page:
        return await self._books.reconcile.page(asked.projects, asked.uid, asked.shown, after, limit)

    def _asked(self, visit: Visit) -> Asked:
        """`Refusal` (404) for a project that does not exist for the caller, (400) for what is no question."""
        query = visit.request.query
        project, shown, uid = (query.get(name, "").strip() for name in ("project", "show", "uid"))
        place = _PLACE.fullmatch(query.get("after", ""))
        if shown not in SHOWN or not _UID.fullmatch(uid) or ("after" in query and place is None):
            raise Refusal(HTTPStatus.BAD_REQUEST, "", "That cannot be asked. A Study Instance UID has digits and dots.")
        seen = tuple(name for name in self._books.projects if visit.caller.sees(name))
        if project and project not in seen:
            raise Refusal(HTTPStatus.NOT_FOUND, "no-such-project", "There is no such project.")
        after = Place(float(place[1]), place[2], place[3]) if place else None
        return Asked((project,) if project else seen, project, shown, uid, after)

    def _refused(self, caller: Caller) -> int:
        """Instances that were refused in the last day."""
        counts = self._books.flow(*_DAY).counts
        return sum(sum(steps) for key, steps in counts.items() if key.kind == REFUSED and caller.sees(key.project))


def row(balance: Balance) -> dict[str, Any]:
    """The values of the template."""
    return {"of": balance, "first": moment(balance.first_at), "last": moment(balance.last_at), "why": why(balance)}


def why(balance: Balance) -> list[str]:
    """What does not add up, in words."""
    if balance.adds_up:
        return []
    found = [f"{balance.off} not accounted for"] if balance.off > 0 else []
    found += [f"{-balance.off} more than came"] if balance.off < 0 else []
    found += [f"{balance.missing} held, but not in quarantine"] if balance.missing else []
    return found + [
        f"{each.lacking} never queued for {each.destination}" for each in balance.deliveries if each.lacking
    ]


def moment(seconds: float) -> Mapping[str, str]:
    """For the template."""
    at = datetime.fromtimestamp(seconds, UTC)
    return {"stamp": at.isoformat(timespec="seconds"), "words": f"{at:%Y-%m-%d %H:%M}"}


def _exported(visit: Visit, asked: Asked, count: int) -> AuditEvent:
    about = {"kind": "studies", "what": "csv", "projects": list(asked.projects), "keys": sorted(visit.request.query)}
    return AuditEvent("exported", project=asked.project, peer=who(visit.peer), object=about, counts={"studies": count})
