"""Dry run: one DICOM file, and perhaps a changed profile, tried under the rules of a project. Nothing of it is kept.

File and profile are in memory for the length of the request, a masked picture for two minutes. No value is shown.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Any, Protocol

from aiohttp import web

from proxy.console.frame import Entry, Route, Visit, may
from proxy.console.held_one import keyword
from proxy.console.pages import HEADERS
from proxy.console.pictures import Pictures
from proxy.console.refusal import Refusal
from proxy.console.rules import project_of
from proxy.deid.previewed import Previewed
from proxy.errors import ConfigError
from proxy.service.callers import Verb
from proxy.service.effective_rules import EffectiveRules
from proxy.service.ports import Peer
from proxy.service.trying import MOST_RULES, Tried

#: differences and elements on a page
_ROWS = 200
#: bytes of a form around its files
_AROUND = 16 << 10


class Tries(Protocol):
    """`proxy.service.trying.Trying`."""

    async def run(self, project: str, data: bytes, rules: bytes, frame: int, peer: Peer) -> Tried:
        """What would become of ``data``; recorded. `ConfigError` for rules that are not in order; `Unavailable`."""
        ...


class TryingPages:
    """A form, its answer, and the pictures of the answer. ``most``: bytes of a DICOM file."""

    entries: Sequence[Entry] = ()

    def __init__(
        self, rules: EffectiveRules, tries: Tries, most: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rules, self._tries, self._most, self._pictures = rules, tries, most, Pictures(clock)

    @property
    def routes(self) -> Sequence[Route]:
        """See `Part`."""
        operators = may(Verb.OPERATE, self._rules.projects())
        form = self._most + MOST_RULES + _AROUND
        return (
            Route("GET", "/rules/{project}/try", self._asked, operators),
            Route("POST", "/rules/{project}/try", self._tried, operators, form, files=True),
            Route("GET", "/rules/{project}/try/{picture}.png", self._picture, operators),
        )

    async def _asked(self, visit: Visit) -> web.StreamResponse:
        return self._page(visit, self._project(visit))

    async def _tried(self, visit: Visit) -> web.StreamResponse:
        project = self._project(visit)
        data, rules = (visit.files.get(name, b"") for name in ("file", "rules"))
        said = visit.form.get("frame", "")
        frame = max(int(said), 1) if said.isascii() and said.isdigit() and len(said) < 10 else 1
        if not data:
            return self._page(visit, project, HTTPStatus.BAD_REQUEST, problem="Choose a DICOM file.")
        if len(data) > self._most or len(rules) > MOST_RULES:
            raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "", "The file is too large.")
        try:
            tried = await self._tries.run(project, data, rules, frame, visit.peer)
        except ConfigError as error:
            problem = f"The changed profile was refused: {error}"
            return self._page(visit, project, HTTPStatus.UNPROCESSABLE_ENTITY, problem=problem)
        return self._page(visit, project, frame=frame, tried=tried)

    def _page(
        self,
        visit: Visit,
        project: str,
        status: HTTPStatus = HTTPStatus.OK,
        problem: str = "",
        frame: int = 1,
        tried: Tried | None = None,
    ) -> web.Response:
        sides: list[dict[str, Any]] = []
        if tried is not None:
            named = [("Under the rules in force", tried.now), ("Under the changed profile", tried.then)]
            sides = [
                {
                    "name": name,
                    "preview": _cut(each),
                    "keyword": keyword(each.tag),
                    "picture": self._keep(visit, project, each),
                }
                for name, each in named
                if each is not None
            ]
        values: dict[str, Any] = {"project": project, "problem": problem, "frame": frame, "tried": tried}
        return visit.page("rules_try", status, **values, sides=sides, most=self._most >> 20, rows=_ROWS)

    def _project(self, visit: Visit) -> str:
        project = project_of(visit, self._rules).project
        visit.must(Verb.OPERATE, project)
        return project

    def _keep(self, visit: Visit, project: str, preview: Previewed) -> str:
        name = secrets.token_hex(16)
        self._pictures.keep((visit.caller.name, project, name), preview.picture.png)
        return name

    async def _picture(self, visit: Visit) -> web.StreamResponse:
        project, name = self._project(visit), visit.request.match_info["picture"]
        png = self._pictures.take((visit.caller.name, project, name))
        if not png:
            raise Refusal(HTTPStatus.NOT_FOUND, "no-picture", "The picture is gone. Try once more.")
        return web.Response(body=png, content_type="image/png", headers=HEADERS | {"Cache-Control": "no-store"})


def _cut(preview: Previewed) -> Previewed:
    """As many elements as a page has."""
    return replace(preview, table=replace(preview.table, rows=preview.table.rows[:_ROWS]))
