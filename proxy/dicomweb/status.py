"""The one place where outcomes become HTTP statuses (PS3.18 8.5) and STOW-RS failure reasons (PS3.18 10.5.3.1.2).

Texts name what is wrong, never a value of a dataset or of the request.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from aiohttp.web import RequestPayloadError

from proxy.archive.values import NoSuchValue, NotInThisForm
from proxy.errors import MALFORMED_REASONS, AuditUnavailable, Reason, Unavailable, WorkersUnavailable
from proxy.service.audit_question import BadQuestion
from proxy.service.audit_showing import TooMany
from proxy.service.render import CannotRender, NotAnImage
from proxy.service.upstream import UpstreamError
from proxy.service.view import TooBroad
from proxy.wire.media import MediaTypeError
from proxy.wire.multipart import MultipartError
from proxy.wire.uri import UriError

RETRY_AFTER = {"Retry-After": "5"}


class Refused(Exception):
    """The request is answered with ``status``; ``detail`` is shown to the client."""

    def __init__(self, status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, dict(headers or {})


class MemoryFull(Unavailable):
    """More instances are being received than the configured memory holds."""


#: First match wins. None as the text: the exception's own, which is free of values by its contract.
STATUS: tuple[tuple[type[Exception], HTTPStatus, str | None], ...] = (
    (AuditUnavailable, HTTPStatus.SERVICE_UNAVAILABLE, "the audit trail cannot be written"),
    (MemoryFull, HTTPStatus.SERVICE_UNAVAILABLE, "too much is being received at once"),
    (WorkersUnavailable, HTTPStatus.SERVICE_UNAVAILABLE, "no worker is free right now"),
    (TooMany, HTTPStatus.SERVICE_UNAVAILABLE, None),
    (Unavailable, HTTPStatus.SERVICE_UNAVAILABLE, "the instance cannot be kept right now"),
    (UpstreamError, HTTPStatus.BAD_GATEWAY, "the PACS behind this project did not answer as one"),
    (TooBroad, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, None),
    (BadQuestion, HTTPStatus.BAD_REQUEST, None),
    (UriError, HTTPStatus.BAD_REQUEST, None),
    (MediaTypeError, HTTPStatus.BAD_REQUEST, None),
    (MultipartError, HTTPStatus.BAD_REQUEST, None),
    (RequestPayloadError, HTTPStatus.BAD_REQUEST, "the request body ends early or is not framed as its headers say"),
    (NoSuchValue, HTTPStatus.NOT_FOUND, "the instance has no such value"),
    (NotAnImage, HTTPStatus.NOT_ACCEPTABLE, "nothing here can be rendered as what is accepted"),
    (CannotRender, HTTPStatus.INTERNAL_SERVER_ERROR, "the stored image cannot be rendered"),
    (NotInThisForm, HTTPStatus.NOT_ACCEPTABLE, "the value cannot be given without decoding it"),
)

PROCESSING_FAILURE = 0x0110
SOP_CLASS_NOT_SUPPORTED = 0x0122
OUT_OF_RESOURCES = 0xA700
DATA_SET_MISMATCH = 0xA900
CANNOT_UNDERSTAND = 0xC000
SYNTAX_NOT_SUPPORTED = 0xC122

_FAILURE_REASONS = dict.fromkeys(MALFORMED_REASONS, CANNOT_UNDERSTAND) | {
    Reason.UID_MISMATCH: DATA_SET_MISMATCH,
    Reason.UNKNOWN_SOP_CLASS: SOP_CLASS_NOT_SUPPORTED,
    Reason.UNKNOWN_TRANSFER_SYNTAX: SYNTAX_NOT_SUPPORTED,
}


def failure_reason(reason: Reason | None) -> int:
    """(0008,1197) for an instance that is held and refused."""
    return _FAILURE_REASONS.get(reason, PROCESSING_FAILURE) if reason else PROCESSING_FAILURE


def refusal(error: Exception) -> Refused | None:
    """``error`` as an answer, or None for one that nobody foresaw."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, UpstreamError) and error.late:
        return Refused(HTTPStatus.GATEWAY_TIMEOUT, "the PACS behind this project did not answer in time")
    for kind, status, text in STATUS:
        if isinstance(error, kind):
            headers = RETRY_AFTER if status is HTTPStatus.SERVICE_UNAVAILABLE else {}
            return Refused(status, text or str(error), headers)
    return None
