"""QIDO-RS (PS3.18 10.6): reads a search request, asks `proxy.service.search`, writes the answer."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from aiohttp import web

from proxy.dicomweb.projects import PREFIX, Projects, peer
from proxy.dicomweb.status import Refused
from proxy.service.search import Found, Search
from proxy.wire.dicom_json import first_value
from proxy.wire.media import DICOM_JSON, JSON, Choice, Offer, negotiate
from proxy.wire.uri import Target, parse_query, parse_target

#: resource → level of its matches (PS3.18 table 10.6.1-1)
ROUTES = (
    ("/studies", "study"),
    ("/series", "series"),
    ("/instances", "instance"),
    ("/studies/{study}/series", "series"),
    ("/studies/{study}/instances", "instance"),
    ("/studies/{study}/series/{series}/instances", "instance"),
)
OFFERS = (Offer(DICOM_JSON), Offer(JSON))
_UIDS = {"study": "0020000D", "series": "0020000E", "instance": "00080018"}


def accepted(request: web.Request, offers: tuple[Offer, ...]) -> Choice:
    """What the client takes of ``offers``, or 406."""
    choice = negotiate(request.headers.getall("Accept", []), request.query.get("accept"), offers)
    if choice is None:
        raise Refused(HTTPStatus.NOT_ACCEPTABLE, "none of the accepted media types can be given")
    return choice


class Qido:
    """The search resources."""

    def __init__(self, projects: Projects, search: Search) -> None:
        self._projects, self._search = projects, search

    def add_to(self, app: web.Application) -> None:
        """Add the routes."""
        for path, level in ROUTES:
            app.router.add_get(PREFIX + path, self._handler(level))

    def _handler(self, level: str) -> Any:
        async def handle(request: web.Request) -> web.Response:
            project = self._projects.name(request)
            media = accepted(request, OFFERS).offer.essence
            within = {name: uid for name, uid in request.match_info.items() if name in ("study", "series")}
            parse_target(within)
            found = await self._search.search(project, level, within, parse_query(request.query.items()), peer(request))
            base = self._projects.base(request)
            for match in found.matches:
                match["00081190"] = {"vr": "UR", "Value": [f"{base}/{_target(match, level).path}"]}
            return _response(found, media)

        return handle


def _target(match: dict[str, Any], level: str) -> Target:
    study, series, instance = (first_value(match, _UIDS[name]) for name in ("study", "series", "instance"))
    return Target(study, "" if level == "study" else series, instance if level == "instance" else "")


def _response(found: Found, media: str) -> web.Response:
    headers = [("Warning", f'299 Veil: "{text}"') for text in _warnings(found)]
    if not found.matches:
        return web.Response(status=204, headers=headers)
    body = json.dumps([dict(sorted(match.items())) for match in found.matches], ensure_ascii=False, allow_nan=False)
    return web.Response(body=body.encode(), content_type=media, headers=headers)


def _warnings(found: Found) -> list[str]:
    texts = [f"The {name} parameter is not supported" for name in found.ignored]
    return texts + (["There are additional results that can be requested"] if found.more else [])
