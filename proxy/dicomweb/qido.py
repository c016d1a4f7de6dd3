"""QIDO-RS (PS3.18 10.6): reads a search request, asks `proxy.service.search`, writes the answer."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web
from multidict import CIMultiDict

from proxy.dicomweb.accepting import MODELS, accepted
from proxy.dicomweb.middleware import Handler
from proxy.dicomweb.models import described, written
from proxy.dicomweb.projects import Projects, peer
from proxy.dicomweb.sending import stream, zip_text
from proxy.service.search import Found, Search
from proxy.wire.dicom_json import first_value
from proxy.wire.media import Offer
from proxy.wire.uri import Target, parse_query, parse_target

_UIDS = {"study": "0020000D", "series": "0020000E", "instance": "00080018"}


class Qido:
    """The search resources."""

    def __init__(self, projects: Projects, search: Search) -> None:
        self._projects, self._search = projects, search

    def at(self, level: str) -> Handler:
        """The handler of a search whose matches are of ``level``."""

        async def handle(request: web.Request) -> web.StreamResponse:
            project = self._projects.name(request)
            offer = accepted(request, MODELS).offer
            within = {name: uid for name, uid in request.match_info.items() if name in ("study", "series")}
            parse_target(within)
            found = await self._search.search(project, level, within, parse_query(request.query.items()), peer(request))
            base = self._projects.base(request)
            for match in found.matches:
                match["00081190"] = {"vr": "UR", "Value": [f"{base}/{_target(match, level).path}"]}
            return await _send(request, found, offer)

        return handle


def _target(match: dict[str, Any], level: str) -> Target:
    study, series, instance = (first_value(match, _UIDS[name]) for name in ("study", "series", "instance"))
    return Target(study, "" if level == "study" else series, instance if level == "instance" else "")


async def _send(request: web.Request, found: Found, offer: Offer) -> web.StreamResponse:
    headers = CIMultiDict(("Warning", f'299 Veil: "{text}"') for text in _warnings(found))
    if not found.matches:
        return web.Response(status=204, headers=headers)
    boundary = secrets.token_hex(16)
    body = written(_sorted(found.matches), offer, boundary)
    return await stream(request, described(offer, boundary), body, headers, zipped=zip_text(request))


async def _sorted(matches: list[dict[str, Any]]) -> AsyncIterator[dict[str, Any]]:
    for match in matches:
        yield dict(sorted(match.items()))


def _warnings(found: Found) -> list[str]:
    texts = [f"The {name} parameter is not supported" for name in found.ignored]
    texts += [f"The {name} parameter is refused: it would match what identifies a patient" for name in found.refused]
    return texts + (["There are additional results that can be requested"] if found.more else [])
