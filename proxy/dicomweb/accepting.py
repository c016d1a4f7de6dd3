"""What a client takes: media types, charset and content coding, read from its request (PS3.18 8.3.3, 8.7, 8.8)."""

from __future__ import annotations

from http import HTTPStatus

from aiohttp import web

from proxy.dicomweb.status import Refused
from proxy.wire.media import DICOM_JSON, DICOM_XML, JSON, RELATED, Choice, Offer, negotiate

#: The DICOM JSON Model first: it is the default of search and metadata (PS3.18 tables 10.4.4-1 and 10.6.4-1).
MODELS = (Offer(DICOM_JSON), Offer(JSON), Offer(RELATED, DICOM_XML))
#: One instance may also come as one bare document.
MODEL_OF_ONE = (*MODELS, Offer(DICOM_XML))


def accepted(request: web.Request, offers: tuple[Offer, ...]) -> Choice:
    """What the client takes of ``offers``, or 406."""
    if request.query.get("charset", "utf-8").strip().lower() not in ("utf-8", "utf8", "*"):
        raise Refused(HTTPStatus.NOT_ACCEPTABLE, "answers are in UTF-8 only")
    choice = taken(request, offers)
    if choice is None:
        raise Refused(HTTPStatus.NOT_ACCEPTABLE, "none of the accepted media types can be given")
    return choice


def taken(request: web.Request, offers: tuple[Offer, ...]) -> Choice | None:
    """The same, None where the client takes none of ``offers``."""
    return negotiate(request.headers.getall("Accept", []), request.query.get("accept"), offers)


def takes_gzip(request: web.Request) -> bool:
    """Whether the client's Accept-Encoding (RFC 9110 12.5.3) has gzip."""
    qualities: dict[str, str] = {}
    for member in ",".join(request.headers.getall("Accept-Encoding", [])).split(","):
        name, _, rest = member.partition(";")
        qualities[name.strip().lower()] = rest.replace(" ", "").lower()
    said = next((qualities[name] for name in ("gzip", "x-gzip", "*") if name in qualities), "q=0")
    return said.rstrip("0") not in ("q=", "q=0.")
