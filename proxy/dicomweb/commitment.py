"""Storage commitment over the web (PS3.18 13): POST a request, GET its result; both by the sender's own UIDs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from aiohttp import web

from proxy.dicomweb.projects import Projects, peer
from proxy.dicomweb.status import RETRY_AFTER, Refused
from proxy.service.commitment import LONGEST, MOST, Commitment, Committed, Named
from proxy.wire.dicom_json import first_value
from proxy.wire.media import DICOM_JSON, JSON, MediaTypeError, parse_media_type
from proxy.wire.uri import is_uid

_REFERENCED, _FAILED = "00081199", "00081198"
_CLASS, _INSTANCE, _REASON = "00081150", "00081155", "00081197"


class StorageCommitment:
    """The commitment resources."""

    def __init__(self, projects: Projects, commitment: Mapping[str, Commitment]) -> None:
        """``commitment``: project → who answers for it."""
        self._projects, self._commitment = projects, dict(commitment)

    async def ask(self, request: web.Request) -> web.Response:
        """POST: 200 with the result, 202 while instances are under way, 409 when the transaction UID is in use."""
        project, transaction, commitment = self._named(request)
        instances = await _instances(request)
        found = await commitment.ask(project, transaction, instances, peer(request))
        if found is None:
            raise Refused(HTTPStatus.CONFLICT, "the transaction UID is in use")
        return _answer(found)

    async def result(self, request: web.Request) -> web.Response:
        """GET: as the answer to `ask`, as things are now; 404 for an unknown transaction."""
        project, transaction, commitment = self._named(request)
        found = await commitment.result(project, transaction, peer(request))
        if found is None:
            raise Refused(HTTPStatus.NOT_FOUND, "no such request")
        return _answer(found)

    def _named(self, request: web.Request) -> tuple[str, str, Commitment]:
        project, transaction = self._projects.name(request), request.match_info["transaction"]
        commitment = self._commitment.get(project)
        if commitment is None:
            raise Refused(HTTPStatus.NOT_FOUND, "this project answers no requests for storage commitment")
        if not is_uid(transaction):
            raise Refused(HTTPStatus.BAD_REQUEST, "the transaction in the path is not a UID")
        return project, transaction, commitment


async def _instances(request: web.Request) -> list[Named]:
    try:
        media = parse_media_type(request.headers.get("Content-Type", "")).essence
    except MediaTypeError:
        media = ""
    if media not in (DICOM_JSON, JSON):
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"a request for storage commitment is {DICOM_JSON}")
    body = bytearray()
    async for block in request.content.iter_any():
        body += block
        if len(body) > LONGEST:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the request is too long")
    try:
        return list(dict.fromkeys(_read(json.loads(bytes(body)))))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise Refused(HTTPStatus.BAD_REQUEST, "not a list of referenced SOP class and instance UIDs") from None


def _read(document: Any) -> list[Named]:
    (data_set,) = document if isinstance(document, list) else [document]
    items = data_set[_REFERENCED]["Value"]
    if not 1 <= len(items) <= MOST:
        raise ValueError
    found = [(first_value(item, _CLASS), first_value(item, _INSTANCE)) for item in items]
    if not all(is_uid(part) for named in found for part in named):
        raise ValueError
    return found


def _answer(found: Committed) -> web.Response:
    if found.pending:
        return web.Response(status=HTTPStatus.ACCEPTED, headers=RETRY_AFTER)
    body: dict[str, Any] = {}
    for tag, items in (
        (_FAILED, [_item(kind, uid) | {_REASON: {"vr": "US", "Value": [why]}} for kind, uid, why in found.failed]),
        (_REFERENCED, [_item(kind, uid) for kind, uid in found.safe]),
    ):
        if items:
            body[tag] = {"vr": "SQ", "Value": items}
    return web.json_response(body, content_type=DICOM_JSON)


def _item(kind: str, uid: str) -> dict[str, Any]:
    return {_CLASS: {"vr": "UI", "Value": [kind]}, _INSTANCE: {"vr": "UI", "Value": [uid]}}
