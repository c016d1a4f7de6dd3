"""OPTIONS (PS3.18 8.9 and Annex H): what a project serves, as WADL or JSON, from the table of resources.

On the project's base the whole tree; on any other resource an empty answer whose Allow says what can be done there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from xml.sax.saxutils import quoteattr

from aiohttp import web

from proxy.dicomweb.accepting import accepted
from proxy.dicomweb.conditions import entity_tag, unchanged
from proxy.dicomweb.projects import Projects
from proxy.dicomweb.resources import RESOURCES, Resource, allowed
from proxy.wire.media import JSON, Offer

WADL = "application/vnd.sun.wadl+xml"
_OFFERS = (Offer(WADL), Offer(JSON))
_NAMESPACE = "http://wadl.dev.java.net/2009/02"


class Capabilities:
    """Answers OPTIONS that is no preflight of CORS."""

    def __init__(self, projects: Projects) -> None:
        self._projects = projects

    async def whole(self, request: web.Request) -> web.Response:
        """The capabilities description of the project."""
        self._projects.name(request)
        media = accepted(request, _OFFERS).offer.essence
        base = self._projects.base(request)
        body = (as_wadl if media == WADL else as_json)(base)
        tag = entity_tag(body)
        headers = {"ETag": tag, "Allow": "OPTIONS"}
        if unchanged(request.headers, tag):
            return web.Response(status=304, headers=headers)
        if media == JSON:
            return web.json_response(body, headers=headers)
        return web.Response(text=str(body), content_type=WADL, headers=headers)

    def of(self, path: str) -> Callable[[web.Request], Awaitable[web.Response]]:
        """A handler for one path of the table."""

        async def handle(request: web.Request) -> web.Response:
            self._projects.name(request)
            return web.Response(status=204, headers={"Allow": ", ".join(allowed(path))})

        return handle


def _tree() -> dict[str, Any]:
    """Path segment → what is below it; "" holds the rows that end there."""
    root: dict[str, Any] = {}
    for row in RESOURCES:
        place = root
        for segment in row.path.strip("/").split("/"):
            place = place.setdefault(segment, {})
        place.setdefault("", []).append(row)
    return root


def as_json(base: str) -> dict[str, Any]:
    """The description with WADL's names as keys."""
    return {"application": {"resources": [{"base": f"{base}/", "resource": _json_below(_tree())}]}}


def _json_below(tree: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"path": segment}
        | ({"method": [_json_method(row) for row in inner[""]]} if "" in inner else {})
        | ({"resource": deeper} if (deeper := _json_below(inner)) else {})
        for segment, inner in tree.items()
        if segment
    ]


def _json_method(row: Resource) -> dict[str, Any]:
    request = {
        "param": [{"name": name, "style": "query"} for name in row.parameters],
        "representation": [{"mediaType": media} for media in row.takes],
    }
    answers = [
        {"status": status, "representation": [{"mediaType": media} for media in row.gives] if status == 200 else []}
        for status in row.statuses
    ]
    return {"name": row.method, "id": row.name, "request": request, "response": answers}


def as_wadl(base: str) -> str:
    """The description as a WADL document."""
    inner = "".join(_wadl(resource) for resource in _json_below(_tree()))
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<application xmlns="{_NAMESPACE}">'
        f"<resources base={quoteattr(base + '/')}>{inner}</resources></application>"
    )


def _wadl(resource: dict[str, Any]) -> str:
    names = [part[1:-1] for part in resource["path"].split("/") if part.startswith("{")]
    params = "".join(f'<param name="{name}" style="template" required="true"/>' for name in names)
    methods = "".join(_wadl_method(method) for method in resource.get("method", ()))
    inner = "".join(_wadl(deeper) for deeper in resource.get("resource", ()))
    return f"<resource path={quoteattr(resource['path'])}>{params}{methods}{inner}</resource>"


def _wadl_method(method: dict[str, Any]) -> str:
    query = "".join(f'<param name="{p["name"]}" style="query"/>' for p in method["request"]["param"])
    answers = "".join(
        f'<response status="{answer["status"]}">{_representations(answer["representation"])}</response>'
        for answer in method["response"]
    )
    asked = f"<request>{query}{_representations(method['request']['representation'])}</request>"
    return f'<method name="{method["name"]}" id="{method["id"]}">{asked}{answers}</method>'


def _representations(kinds: list[dict[str, str]]) -> str:
    return "".join(f"<representation mediaType={quoteattr(kind['mediaType'])}/>" for kind in kinds)
