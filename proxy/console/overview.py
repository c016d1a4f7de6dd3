"""What is running: health, what went in and out, queue by destination and state, what is held, where the audit stands.

Everybody sees what belongs to their projects. Where the audit log stands is for who may audit. Counts and codes only.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from proxy.console.frame import Entry, Route, Visit, anybody
from proxy.console.overview_flow import SPANS, flow_seen
from proxy.service.callers import EVERY, Caller, Verb
from proxy.service.flow import Window
from proxy.service.ports import HeldInstance
from proxy.service.verification import Verified

STATES = ("waiting", "in_flight", "delivered", "failed")
#: Counting takes as long as there are entries, so who reloads is shown what was counted so many seconds ago.
_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Running:
    """The running proxy. ``status`` as `App.status`; ``position``: number and hash of the last audit record.

    ``flow``: what went in and out, in so many last steps of so many minutes.
    """

    status: Callable[[], Awaitable[Mapping[str, Any]]]
    held: Callable[[], Awaitable[Sequence[HeldInstance]]]
    position: Callable[[], tuple[int, str]]
    projects: Mapping[str, Sequence[str]]  # project → destinations
    flow: Callable[[int, int], Window]
    verified: Callable[[], Verified | None] = lambda: None


@dataclass(frozen=True, slots=True)
class Counted:
    """What was found at one moment."""

    status: Mapping[str, Any]
    held: Mapping[tuple[str, str], int]  # project and reason


class Overview:
    """The first page: rows as far as somebody may see them."""

    entries = (Entry("", "Overview", anybody),)

    def __init__(self, running: Running, clock: Callable[[], float] = time.monotonic) -> None:
        self._running, self._clock = running, clock
        self._counting = asyncio.Lock()
        self._found: tuple[float, Counted] | None = None

    @property
    def routes(self) -> Sequence[Route]:
        """See `Part`."""
        return (Route("GET", "", self._shown, anybody),)

    async def _shown(self, visit: Visit) -> web.StreamResponse:
        asked = visit.request.query.get("span", "")
        span = asked if asked in SPANS else "day"
        return visit.page("overview", anew={"span": span}, **await self.seen_by(visit.caller, span))

    async def seen_by(self, caller: Caller, span: str) -> dict[str, Any]:
        """The values of the template; ``span``: one of `SPANS`."""
        found = await self._counted()
        projects = [name for name in self._running.projects if caller.sees(name)]
        status, everything = found.status, caller.sees(EVERY)
        destinations = self._destinations(projects)
        minutes, steps, words = SPANS[span]
        held = sorted((p, r, n) for (p, r), n in found.held.items() if p in projects or (everything and not p))
        rows = [_destination(name, status) for name in destinations]
        return {
            "flow": flow_seen(self._running.flow(minutes, steps), caller, projects, destinations),
            "span": span,
            "spans": [(name, said) for name, (_, _, said) in SPANS.items()],
            "within": words,
            "now": [(words, sum(counts)) for words, counts in _now(rows, held).items()],
            "ready": status["ready"],
            "checks": sorted(status["checks"].items()),
            "projects": projects,
            "states": STATES,
            "destinations": rows,
            "held": held,
            "audit": self._audit(caller, status) if self._audits(caller) else None,
        }

    def _destinations(self, projects: Sequence[str]) -> list[str]:
        return sorted({name for project in projects for name in self._running.projects[project]})

    def _audits(self, caller: Caller) -> bool:
        return any(Verb.AUDIT in caller.verbs(name) for name in self._running.projects)

    def _audit(self, caller: Caller, status: Mapping[str, Any]) -> dict[str, Any]:
        seq, digest = self._running.position()
        sinks = sorted(status.get("audit_sinks", {}).items())
        return {
            "seq": seq,
            "hash": digest,
            "writing": status["checks"]["audit"],
            "sinks": sinks,
            "last": self._running.verified(),
        }

    async def _counted(self) -> Counted:
        async with self._counting:
            now = self._clock()
            if self._found is None or now - self._found[0] >= _SECONDS:
                held = Counter((entry.project, str(entry.reason)) for entry in await self._running.held())
                self._found = (now, Counted(await self._running.status(), held))
            return self._found[1]


def _now(rows: Sequence[Mapping[str, Any]], held: Sequence[tuple[str, str, int]]) -> dict[str, list[int]]:
    """What is there at the moment: words → counts to be added."""
    waiting, sending, _, failed = ([row["counts"][n] for row in rows] for n in range(len(STATES)))
    return {"Wait to be sent": waiting + sending, "Rejected by a destination": failed, "Held": [n for _, _, n in held]}


def _destination(name: str, status: Mapping[str, Any]) -> dict[str, Any]:
    rows, lane = status["queue"].get(name, {}), status["destinations"].get(name, {})
    return {
        "name": name,
        "counts": [rows.get(state, 0) for state in STATES],
        "state": str(lane.get("state", "")),
        "last": lane.get("last_code") or "",
    }
