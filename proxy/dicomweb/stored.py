"""The answer to STOW-RS (PS3.18 10.5.3): what became of the parts, as a status and a response module."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from aiohttp import web

from proxy.dicomweb import status
from proxy.wire.media import DICOM_JSON
from proxy.wire.multipart import MultipartError


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one part; ``failure`` is None or a (0008,1197) failure reason."""

    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    failure: int | None = None
    too_large: bool = False


@dataclass(slots=True)
class Results:
    """What became of all parts, in their order."""

    stored: list[Result] = field(default_factory=list)
    failed: list[Result] = field(default_factory=list)
    unnamed: list[int] = field(default_factory=list)
    too_large: bool = False

    def add(self, result: Result) -> None:
        """One part; without a SOP Instance UID it can only be an other failure."""
        self.too_large |= result.too_large
        if not result.sop_instance_uid:
            self.unnamed.append(status.CANNOT_UNDERSTAND if result.failure is None else result.failure)
        else:
            (self.stored if result.failure is None else self.failed).append(result)


def answer(results: Results) -> web.Response:
    """200 all, 202 some, 409 or 413 none (PS3.18 table 10.5.3-2)."""
    failures = len(results.failed) + len(results.unnamed)
    if not results.stored and not failures:
        raise MultipartError("the body has no parts")
    if not failures:
        code = HTTPStatus.OK
    elif results.stored:
        code = HTTPStatus.ACCEPTED
    else:
        code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE if results.too_large else HTTPStatus.CONFLICT
    body = json.dumps(store_response(results)).encode()
    return web.Response(status=int(code), body=body, content_type=DICOM_JSON)


def store_response(results: Results) -> dict[str, Any]:
    """The store instances response module (PS3.18 table 10.5.3-1) in the DICOM JSON Model."""
    module: dict[str, Any] = {"00081190": {"vr": "UR"}}
    if results.failed:
        items = [_reference(result) | _failure(result.failure or 0) for result in results.failed]
        module["00081198"] = {"vr": "SQ", "Value": items}
    if results.stored:
        items = [_reference(result) | {"00081190": {"vr": "UR"}} for result in results.stored]
        module["00081199"] = {"vr": "SQ", "Value": items}
    if results.unnamed:
        module["0008119A"] = {"vr": "SQ", "Value": [_failure(reason) for reason in results.unnamed]}
    return module


def _reference(result: Result) -> dict[str, Any]:
    pairs = (("00081150", result.sop_class_uid), ("00081155", result.sop_instance_uid))
    return {tag: {"vr": "UI", "Value": [uid]} if uid else {"vr": "UI"} for tag, uid in pairs}


def _failure(reason: int) -> dict[str, Any]:
    return {"00081197": {"vr": "US", "Value": [reason]}}
