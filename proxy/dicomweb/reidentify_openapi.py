"""The OpenAPI 3.1 document of `reidentify`: what is sent and answered there. No behaviour."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from proxy import __version__
from proxy.service.callers import Verb
from proxy.service.reidentify_subjects import FORM
from proxy.service.reidentify_words import APPROVE, APPROVE_EXPORT, COLLECT, EXPORT, EXPORTS, REQUEST, REVEAL, STATUS

Schema = dict[str, Any]

_ID: Schema = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
_HEX: Schema = {"type": "string", "pattern": "^([0-9a-f]{2})+$"}
_TEXT: Schema = {"type": "string"}
_SHARE: Schema = {"type": "array", "prefixItems": [{"type": "integer"}, _HEX], "minItems": 2, "maxItems": 2}


def _object(required: bool = True, **properties: Schema) -> Schema:
    made: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return made | ({"required": list(properties)} if required else {})


_STATEMENT: Schema = {
    "type": "string",
    "maxLength": 4096,
    "description": "canonical JSON, as docs/reidentification.md has it",
}
_SIGNED = _object(
    statement=_STATEMENT,
    signature=_HEX
    | {"description": "ECDSA on P-256 with SHA-256 over 'veil/v1/reidentify', a line feed and statement"},
)
_ATTACHED: Schema = {
    "type": "string",
    "description": "what the statement has the SHA-256 of: pseudonymous Patient IDs, sorted, a line each; "
    "the approver's shares, sealed to the requester, in hexadecimal; or nothing",
}
_ENTRY = _object(key_epoch={"type": "integer"}, sealed=_HEX, shares={"type": "object", "additionalProperties": _SHARE})
_ASKED = _object(
    required=False,
    request=_ID,
    project=_TEXT,
    requester=_TEXT,
    approver=_TEXT,
    state={"enum": ["asked", "approved", "revealed", "expired"]},
    statement=_STATEMENT,
    signature=_HEX,
    asked_at={"type": "integer", "description": "seconds since 1970"},
    expires_at={"type": "integer", "description": "seconds since 1970"},
    entry=_ENTRY,
    entries={
        "type": "array",
        "items": _ENTRY,
        "description": "of an export, where it is asked for alone",
    },
    list=_ATTACHED,
)
_ROW = _object(pseudonym=_TEXT, key_epoch={"type": "integer"}, sealed=_HEX, share=_SHARE)
_FILE = _object(
    form={"const": FORM},
    project=_TEXT,
    requester=_TEXT,
    approver=_TEXT,
    request=_object(statement=_STATEMENT, signature=_HEX, list=_TEXT),
    approval=_object(statement=_STATEMENT, signature=_HEX, shares=_HEX),
    entries={"type": "array", "items": _ROW},
)
_STEPS: dict[str, tuple[str, Schema]] = {
    REQUEST: ("Ask for one patient; answers what the request is called", _ID),
    APPROVE: ("Approve another officer's request; answers what it is called", _ID),
    REVEAL: ("The sealed entry and the approver's share, once", _object(entry=_ENTRY, share=_SHARE)),
    EXPORT: ("Ask for a list of patients; answers what the request is called", _ID),
    APPROVE_EXPORT: ("Approve another officer's list; answers what it is called", _ID),
    COLLECT: ("The export as a file that only its requester can open, once", _FILE),
}
#: What letting callers in may answer, and what a body can do wrong.
_ADMISSION = (401, 403, 429, 503)


def _responses(good: Schema, *others: int) -> Schema:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    refused = {
        str(s): {"description": HTTPStatus(s).phrase, "content": content} for s in sorted({*others, *_ADMISSION})
    }
    return {"200": {"description": "OK", "content": {"application/json": {"schema": good}}}} | refused


def _step(name: str) -> Schema:
    summary, good = _STEPS[name]
    members = _SIGNED["properties"] | ({"attached": _ATTACHED} if name in EXPORTS else {})
    body = {"required": True, "content": {"application/json": {"schema": _object(**members)}}}
    responses = _responses(good, *STATUS.values(), 409, 413, 415)
    return {"post": {"operationId": name, "summary": summary, "requestBody": body, "responses": responses}}


_REQUEST: Schema = {"name": "request", "in": "path", "required": True, "schema": _ID}
DOCUMENT: Schema = {
    "openapi": "3.1.0",
    "info": {"title": "Veil re-identification", "version": __version__},
    "servers": [{"url": "/"}],
    "security": [{"bearer": [Verb.REIDENTIFY]}],
    "paths": {
        "/reidentify": {
            "get": {
                "operationId": "list",
                "summary": "The newest requests of the caller's projects, and how they stand",
                "responses": _responses({"type": "array", "items": _ASKED}),
            }
        },
        "/reidentify/{request}": {
            "get": {
                "operationId": "show",
                "summary": "One request",
                "parameters": [_REQUEST],
                "responses": _responses(_ASKED, 404),
            }
        },
        **{f"/reidentify/{name}": _step(name) for name in _STEPS},
    },
    "components": {
        "schemas": {"Error": _object(status={"type": "integer"}, error=_TEXT)},
        "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
    },
}
