"""Where released instances go: how each destination stands, and buttons to pause it, resume it, send again.

Whoever sees a project sees its destinations; who may operate in all projects of one may push its buttons.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from aiohttp import web

from proxy.console.answers import in_words
from proxy.console.frame import Entry, Route, Visit, anybody, may
from proxy.console.refusal import Refusal
from proxy.service.callers import Caller, Verb
from proxy.service.destination_words import WHYS, NotSaid
from proxy.service.destinations import Destinations, Pause
from proxy.service.flow import DELIVERED, Window

#: state of a lane → words, and the class that colours them
STATES = {
    "up": ("sends", "good"),
    "down": ("not reached", "bad"),
    "refusing": ("refuses everything", "bad"),
    "paused": ("paused", "bad"),
}
WHY_WORDS = dict(
    zip(
        WHYS,
        ("Maintenance", "Trouble at the destination", "Wrong data", "No room there", "Test", "Finished, mended"),
        strict=True,
    )
)
#: minutes whose deliveries are counted
RECENT = 10
#: Counting takes as long as there are entries, so who reloads is shown what was counted so many seconds ago.
_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Traffic:
    """The running proxy. ``status`` as `App.status`; ``oldest``: destination → age in seconds of what waits there.

    ``flow``: what went in and out, in so many last steps of so many minutes.
    """

    status: Callable[[], Awaitable[Mapping[str, Any]]]
    oldest: Callable[[float], Awaitable[Mapping[str, float]]]
    flow: Callable[[int, int], Window]
    operate: Destinations
    projects: Mapping[str, Sequence[str]]  # project → destinations


class DestinationsPage:
    """One page, and what its buttons do."""

    entries = (Entry("/destinations", "Destinations", anybody),)

    def __init__(self, traffic: Traffic, clock: Callable[[], float] = time.time) -> None:
        self._traffic, self._clock = traffic, clock
        self._counting = asyncio.Lock()
        self._found: tuple[float, Mapping[str, Any], Mapping[str, float]] = (-_SECONDS, {}, {})

    @property
    def routes(self) -> Sequence[Route]:
        """See `Part`."""
        operators = may(Verb.OPERATE, tuple(self._traffic.projects))
        steps = (("pause", self._pause), ("resume", self._resume), ("again", self._again))
        posts = (Route("POST", f"/destinations/{{name}}/{step}", take, operators) for step, take in steps)
        return (Route("GET", "/destinations", self._shown, anybody), *posts)

    async def _shown(self, visit: Visit) -> web.StreamResponse:
        return await self._page(visit)

    async def _pause(self, visit: Visit) -> web.StreamResponse:
        return await self._said(visit, self._traffic.operate.pause)

    async def _resume(self, visit: Visit) -> web.StreamResponse:
        return await self._said(visit, self._traffic.operate.resume)

    async def _said(self, visit: Visit, act: Callable[..., Awaitable[bool]]) -> web.StreamResponse:
        name = self._name(visit)
        try:
            await act(name, visit.form.get("why", ""), visit.form.get("ticket", "").strip(), visit.peer)
        except NotSaid as wrong:
            return await self._page(visit, f"Nothing was changed: {wrong}.")
        return self._done(visit)

    async def _again(self, visit: Visit) -> web.StreamResponse:
        await self._traffic.operate.send_again(self._name(visit), visit.peer)
        return self._done(visit)

    def _done(self, visit: Visit) -> web.StreamResponse:
        self._found = (-_SECONDS, {}, {})  # what was counted is not so any more
        return visit.go("/destinations")

    def _name(self, visit: Visit) -> str:
        """That of the path; `Refusal` for one that is not the caller's to see, or to operate."""
        name = visit.request.match_info["name"]
        projects = self._serves(name)
        if not any(visit.caller.sees(project) for project in projects):
            raise Refusal(HTTPStatus.NOT_FOUND, "no-such-destination", "There is no such destination.")
        for project in projects:
            visit.must(Verb.OPERATE, project)
        return name

    def _serves(self, name: str) -> list[str]:
        return [project for project, names in self._traffic.projects.items() if name in names]

    async def _page(self, visit: Visit, problem: str = "") -> web.Response:
        _, status, oldest = await self._counted()
        seen = {
            name for project, names in self._traffic.projects.items() if visit.caller.sees(project) for name in names
        }
        recent = self._recent(visit.caller)
        rows = [
            self._row(name, visit.caller, status, oldest) | {"recent": recent.get(name, 0)} for name in sorted(seen)
        ]
        answer = HTTPStatus.BAD_REQUEST if problem else HTTPStatus.OK
        return visit.page("destinations", answer, {}, rows=rows, whys=WHY_WORDS, minutes=RECENT, problem=problem)

    def _row(self, name: str, caller: Caller, status: Mapping[str, Any], oldest: Mapping[str, float]) -> dict[str, Any]:
        lane, counts = status["destinations"].get(name, {}), status["queue"].get(name, {})
        pause = self._traffic.operate.paused.get(name)
        words, colour = STATES.get("paused" if pause else str(lane.get("state", "")), ("", ""))
        projects = self._serves(name)
        wait = lane.get("probe_at", 0.0) - self._clock()
        return {
            "name": name,
            "projects": [project for project in projects if caller.sees(project)],
            "others": any(not caller.sees(project) for project in projects),
            "operates": all(Verb.OPERATE in caller.verbs(project) for project in projects),
            "tries": any(Verb.OPERATE in caller.verbs(project) for project in projects),
            "state": words,
            "colour": colour,
            "next": "" if pause or not lane.get("probe_at") else age(max(wait, 0.0)),
            "pause": paused(pause) if pause else None,
            "counts": [counts.get(state, 0) for state in ("waiting", "in_flight", "delivered", "failed")],
            "oldest": age(oldest[name]) if name in oldest else "",
            "last": in_words(str(lane.get("last_code") or "")),
        }

    def _recent(self, caller: Caller) -> dict[str, int]:
        """Destination → instances of the caller's projects that it took lately."""
        found: dict[str, int] = {}
        for key, counts in self._traffic.flow(1, RECENT).counts.items():
            if key.kind == DELIVERED and caller.sees(key.project):
                found[key.destination] = found.get(key.destination, 0) + sum(counts)
        return found

    async def _counted(self) -> tuple[float, Mapping[str, Any], Mapping[str, float]]:
        async with self._counting:
            now = self._clock()
            if not 0 <= now - self._found[0] < _SECONDS:
                self._found = (now, await self._traffic.status(), await self._traffic.oldest(now))
            return self._found


def paused(pause: Pause) -> dict[str, str]:
    """For the template."""
    moment = datetime.fromtimestamp(pause.at, UTC)
    return {
        "stamp": moment.isoformat(timespec="seconds"),
        "moment": f"{moment:%Y-%m-%d %H:%M} UTC",
        "why": WHY_WORDS.get(pause.why, pause.why),
        "ticket": pause.ticket,
        "by": pause.by,
    }


def age(seconds: float) -> str:
    """So long, in one or two words."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{int(seconds // length)} {unit}"
    return f"{int(seconds)} s"
