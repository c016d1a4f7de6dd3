"""The OpenAPI 3.1 document of a project, from the table of resources: for tools, and for the tests that fuzz by it.

Says what the table says and nothing else; the standard's own description of capabilities is in `capabilities`.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from aiohttp import web

from proxy import __version__
from proxy.archive.attributes import MATCHABLE, matchable
from proxy.dicomweb.conditions import entity_tag, unchanged
from proxy.dicomweb.projects import Projects
from proxy.dicomweb.resources import JSON as DICOM_JSON
from proxy.dicomweb.resources import RESOURCES, SEGMENTS, Resource

Schema = dict[str, Any]

_NUMBER: Schema = {"type": "integer", "minimum": 0, "maximum": 999_999_999}
_PERCENT: Schema = {"type": "integer", "minimum": 1, "maximum": 100}
_SIDE: Schema = {"type": "integer", "minimum": 1, "maximum": 1024}
_FLAG: Schema = {"type": "string", "enum": ["true", "false"]}
#: query parameter → what may stand there; a text where nothing is said
PARAMETERS: dict[str, Schema] = {
    "limit": _NUMBER,
    "offset": _NUMBER,
    "fuzzymatching": _FLAG,
    "emptyvaluematching": _FLAG,
    "multiplevaluematching": _FLAG,
    "charset": {"type": "string", "enum": ["utf-8"]},
    "requestType": {"type": "string", "enum": ["WADO"]},
    "studyUID": {"type": "string", "pattern": SEGMENTS["study"], "maxLength": 64},
    "seriesUID": {"type": "string", "pattern": SEGMENTS["series"], "maxLength": 64},
    "objectUID": {"type": "string", "pattern": SEGMENTS["instance"], "maxLength": 64},
    "anonymize": {"type": "string", "enum": ["yes"]},
    "annotation": {"type": "string", "enum": ["patient", "technique", "patient,technique"]},
    "quality": _PERCENT,
    "imageQuality": _PERCENT,
    "viewport": {"type": "string", "pattern": r"^[1-9][0-9]{0,2},[1-9][0-9]{0,2}$"},
    "window": {"type": "string", "pattern": r"^-?[0-9]{1,4},[1-9][0-9]{0,3},(linear|linear-exact|sigmoid)$"},
    "iccprofile": {"type": "string", "enum": ["no", "yes", "srgb", "adobergb", "rommrgb"]},
    "rows": _SIDE,
    "columns": _SIDE,
    "frameNumber": {"type": "integer", "minimum": 1, "maximum": 999_999_999},
    "region": {"type": "string", "pattern": r"^0\.[0-4],0\.[0-4],0\.[5-9],0\.[5-9]$"},
    "windowCenter": {"type": "integer", "minimum": -4096, "maximum": 4096},
    "windowWidth": {"type": "integer", "minimum": 1, "maximum": 4096},
}
#: without which a request by URI is none (PS3.18 9.4.1.1)
REQUIRED = frozenset({"requestType", "studyUID", "seriesUID", "objectUID"})
_RANGE = r"^[0-9]{0,8}(-[0-9]{0,8})?$"
#: value representation → what a key of it may ask for; a text where nothing is said
KEYS: dict[str, Schema] = {
    "UI": {"type": "string", "pattern": r"^([0-9]+(\.[0-9]+)*)?(,[0-9]+(\.[0-9]+)*)*$", "maxLength": 64},
    "DA": {"type": "string", "pattern": _RANGE},
    "TM": {"type": "string", "pattern": r"^[0-9]{0,6}(-[0-9]{0,6})?$"},
}
_ERROR: Schema = {
    "type": "object",
    "required": ["status", "error"],
    "properties": {"status": {"type": "integer"}, "error": {"type": "string"}},
}
#: the names in a `security` are verbs: each needs the scope veil:<project>:<verb>
_BEARER: Schema = {"type": "http", "scheme": "bearer"}


class OpenApi:
    """Serves the document."""

    def __init__(self, projects: Projects, asks: bool = False) -> None:
        """``asks``: whether callers have to show a token."""
        self._projects, self._asks = projects, asks

    async def serve(self, request: web.Request) -> web.Response:
        """GET, with an entity tag."""
        self._projects.name(request)
        body = document(self._projects.base(request), self._asks)
        tag = entity_tag(body)
        if unchanged(request.headers, tag):
            return web.Response(status=304, headers={"ETag": tag})
        return web.json_response(body, headers={"ETag": tag})


def document(base: str, asks: bool = False) -> Schema:
    """The whole document for the project at ``base``; ``asks``: callers have to show a token."""
    paths: dict[str, Schema] = {}
    for row in RESOURCES:
        secured: Schema = {"security": [{"bearer": [row.verb] if row.verb else []}]} if asks else {}
        paths.setdefault(row.path, {})[row.method.lower()] = _operation(row) | secured
    return {
        "openapi": "3.1.0",
        "info": {"title": "Veil DICOMweb", "version": __version__},
        "servers": [{"url": base}],
        "paths": paths,
        "components": {"schemas": {"Error": _ERROR}} | ({"securitySchemes": {"bearer": _BEARER}} if asks else {}),
    }


def _operation(row: Resource) -> Schema:
    parameters = [{"name": name, "in": "path", "required": True, "schema": _segment(name)} for name in row.segments] + [
        _query(name, PARAMETERS.get(name, {"type": "string"})) for name in row.parameters
    ]
    if row.operation.startswith("search-"):
        level = row.operation.removeprefix("search-")
        parameters += [
            _query(name, KEYS.get(MATCHABLE[name][1], {"type": "string"})) for name in sorted(matchable(level))
        ]
    said: Schema = {
        "operationId": row.name,
        "summary": f"PS3.18 {row.section}" if row.section else row.name,
        "parameters": parameters,
        "responses": {str(status): _response(row, status) for status in row.statuses},
    }
    if row.takes:
        binary = {"schema": {"type": "string", "format": "binary"}}
        said["requestBody"] = {"required": True, "content": dict.fromkeys(row.takes, binary)}
    return said


def _segment(name: str) -> Schema:
    longest = {"maxLength": 64} if name in ("study", "series", "instance", "transaction") else {}
    return {"type": "string", "pattern": SEGMENTS[name], "minLength": 1, **longest}


def _query(name: str, schema: Schema) -> Schema:
    return {"name": name, "in": "query", "required": name in REQUIRED, "schema": schema}


def _response(row: Resource, status: int) -> Schema:
    described: Schema = {"description": HTTPStatus(status).phrase}
    if status in (200, 202, 206):
        described["content"] = {media: _body(media) for media in row.gives}
    elif status == HTTPStatus.CONFLICT and row.operation == "store":
        described["content"] = {DICOM_JSON: {"schema": {"type": "object"}}}
    elif status >= HTTPStatus.BAD_REQUEST:
        described["content"] = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return described


def _body(media: str) -> Schema:
    return {} if "json" in media else {"schema": {"type": "string", "format": "binary"}}
