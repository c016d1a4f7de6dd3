"""Re-identification for officers: requests and how they stand; signing and opening happens in their browsers.

Here a statement is only handed on. It counts with its officer's signature, and from the account of that officer's name
alone. Pages and answers hold pseudonyms, and what is sealed to officers; never the value.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Protocol

from aiohttp import web

from proxy.console.frame import Entry, Route, Visit, may
from proxy.console.pages import HEADERS
from proxy.console.refusal import Refusal
from proxy.service.callers import Verb
from proxy.service.identifying import Drawer
from proxy.service.reidentify_events import Whence
from proxy.service.reidentify_words import APPROVE, EXPORT, PURPOSES, REVEAL, STATUS, STEPS, Message, Refused, asked_in

#: rows on the page
_MOST = 100
_STANDS = {
    "asked": "waits for an approval",
    "approved": "approved, not read yet",
    "revealed": "read",
    "expired": "expired",
}
_EXPORT = "An export is approved, collected and opened with veil reidentify, on the officers' own machines; never here."


class Officers(Protocol):
    """`proxy.service.reidentify.Reidentify`."""

    @property
    def drawers(self) -> Mapping[str, Drawer]:
        """By project."""
        ...

    async def take(self, step: str, message: Message, whence: Whence) -> Any:
        """`reidentify_words.Refused`, after the record of it."""
        ...

    async def requests(self, projects: frozenset[str] | None) -> list[dict[str, Any]]:
        """How they stand, oldest first."""
        ...

    async def find(self, request: str, projects: frozenset[str] | None) -> dict[str, Any] | None:
        """One of them."""
        ...


class ReidentifyPages:
    """All requests, and one."""

    def __init__(self, officers: Officers) -> None:
        self._officers = officers
        self._may = may(Verb.REIDENTIFY, list(officers.drawers))

    @property
    def entries(self) -> Sequence[Entry]:
        """See `Part`."""
        return (Entry("/reidentify", "Re-identification", self._may),)

    @property
    def routes(self) -> Sequence[Route]:
        """See `Part`."""
        return (
            Route("GET", "/reidentify", self._listed, self._may),
            Route("GET", "/reidentify/{request:[0-9a-f]{32}}", self._shown, self._may),
            *(Route("POST", f"/reidentify/{step}", self._taking(step), self._may) for step in STEPS),
        )

    def _projects(self, visit: Visit) -> frozenset[str]:
        return frozenset(name for name in self._officers.drawers if Verb.REIDENTIFY in visit.caller.verbs(name))

    async def _listed(self, visit: Visit) -> web.StreamResponse:
        visible, name = self._projects(visit), visit.guest.account.name
        found = await self._officers.requests(visible)
        drawers = self._officers.drawers
        mine = [project for project in drawers if project in visible and name in drawers[project].officers]
        return visit.page(
            "reidentify",
            rows=[_row(told) for told in reversed(found[-_MOST:])],
            more=len(found) > _MOST,
            officer=name,
            mine=mine,
            purposes=PURPOSES,
            hours=max((drawers[project].most_hours for project in mine), default=1),
        )

    async def _shown(self, visit: Visit) -> web.StreamResponse:
        told = await self._officers.find(visit.request.match_info["request"], self._projects(visit))
        if told is None:
            raise Refusal(HTTPStatus.NOT_FOUND, "no-such-request", "There is no such request.")
        name = visit.guest.account.name
        step, why = self._next(told, name)
        asked = {key: told[key] for key in ("request", "statement", "signature", "entry") if key in told}
        values: dict[str, Any] = {
            "row": _row(told),
            "officer": name,
            "step": step,
            "why": why,
            "asked": json.dumps(asked),
        }
        return visit.page("reidentify_one", **values)

    def _next(self, told: Mapping[str, Any], name: str) -> tuple[str, str]:
        """What this account can do about a request, or else in words how things are."""
        if name not in self._officers.drawers[told["project"]].officers:
            return "", f"{name} is no officer of this project: there is nothing to sign for this account."
        if asked_in(told["statement"])["action"] == EXPORT:
            return "", _EXPORT
        where = told["state"], name == told["requester"]
        steps = {("asked", False): APPROVE, ("approved", True): REVEAL}
        whys = {
            ("asked", True): "It waits for another officer. Nobody approves a request of his own.",
            ("approved", False): f"{told['requester']} can read it now.",
        }
        return steps.get(where, ""), whys.get(where, "There is nothing left to do.")

    def _taking(self, step: str) -> Callable[[Visit], Awaitable[web.StreamResponse]]:
        async def take(visit: Visit) -> web.StreamResponse:
            message = Message(visit.form.get("statement", ""), visit.form.get("signature", ""))
            whence = Whence(visit.peer, self._projects(visit), visit.guest.account.name)
            try:
                return _json(await self._officers.take(step, message, whence))
            except Refused as refused:
                return _json({"reason": refused.reason}, STATUS.get(refused.reason, HTTPStatus.CONFLICT))

        return take


def _json(told: Any, status: HTTPStatus = HTTPStatus.OK) -> web.Response:
    return web.json_response(told, status=status, headers=HEADERS)


def _row(told: Mapping[str, Any]) -> dict[str, str]:
    said = asked_in(told["statement"])
    words = {name: str(told[name]) for name in ("request", "project", "requester", "approver")}
    words |= {"purpose": said["purpose"], "ticket": said["ticket"], "list": said.get("list", "")}
    words["patient"] = f"{said['patients']} patients" if words["list"] else said["pseudonyms"][0]
    words["stands"] = _STANDS[told["state"]]
    for name, member in (("asked", "asked_at"), ("until", "expires_at")):
        at = datetime.fromtimestamp(told[member], UTC)
        words |= {name: at.isoformat(), f"{name}_words": at.strftime("%Y-%m-%d %H:%M UTC")}
    return words
