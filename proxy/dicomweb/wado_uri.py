"""WADO-URI (PS3.18 9): one instance by query parameters, as application/dicom. Rendered forms are not given here."""

from __future__ import annotations

from http import HTTPStatus

from aiohttp import web

from proxy.dicomweb.accepting import accepted
from proxy.dicomweb.conditions import unchanged
from proxy.dicomweb.status import Refused
from proxy.dicomweb.wado import Source, Wado, not_modified
from proxy.wire.media import DICOM, Offer, negotiate
from proxy.wire.uri import UriError, parse_target

#: parameter → name in a path, all mandatory (PS3.18 9.4.1.1)
_NAMES = {"studyUID": "study", "seriesUID": "series", "objectUID": "instance"}
_OFFER = (Offer(DICOM),)


class WadoUri:
    """The one resource ``/wado``."""

    def __init__(self, source: Source, wado: Wado) -> None:
        self._source, self._wado = source, wado

    async def instance(self, request: web.Request) -> web.StreamResponse:
        """What is stored is de-identified already, so ``anonymize=yes`` asks for nothing more (9.4.1.2.1)."""
        query = request.query
        if any(len(query.getall(name)) > 1 for name in set(query)):
            raise UriError("a query parameter is given twice")
        if query.get("requestType") != "WADO":
            raise UriError("requestType is not WADO")
        if query.get("anonymize", "yes") != "yes":
            raise UriError("anonymize is not yes")
        target = parse_target({name: query.get(parameter, "") for parameter, name in _NAMES.items()})
        if negotiate([query.get("contentType") or "*/*"], None, _OFFER) is None:
            raise Refused(HTTPStatus.NOT_ACCEPTABLE, f"only {DICOM} is given")
        accepted(request, _OFFER)
        _, paths = await self._source.find_target(request, target, "instances")
        syntax = query.get("transferSyntax", "*")
        if syntax not in ("", "*", await self._source.retrieve.syntax(paths[0])):
            raise Refused(HTTPStatus.NOT_ACCEPTABLE, "not stored in the transfer syntax that is asked for")
        tag = await self._source.tag(request, paths, "uri")
        return not_modified(tag) if unchanged(request.headers, tag) else await self._wado.single(request, tag, paths[0])
