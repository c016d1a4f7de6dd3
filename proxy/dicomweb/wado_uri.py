"""WADO-URI (PS3.18 9): one instance by query parameters, as application/dicom or rendered."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus

from aiohttp import web

from proxy.archive.values import NoSuchValue
from proxy.deid.pixels.rendering import MEDIA
from proxy.deid.pixels.rendering_report import TEXTS
from proxy.dicomweb.accepting import accepted
from proxy.dicomweb.conditions import unchanged
from proxy.dicomweb.rendered import Pictures
from proxy.dicomweb.rendering_parameters import by_uri
from proxy.dicomweb.status import Refused
from proxy.dicomweb.wado import Source, Wado, not_modified
from proxy.wire.media import DICOM, Offer, negotiate
from proxy.wire.uri import Target, UriError, parse_target

#: parameter → name in a path, all mandatory (PS3.18 9.4.1.1)
_NAMES = {"studyUID": "study", "seriesUID": "series", "objectUID": "instance"}
_OFFERS = (Offer(DICOM), *map(Offer, MEDIA), *map(Offer, TEXTS))


class WadoUri:
    """The one resource ``/wado``."""

    def __init__(self, source: Source, wado: Wado, pictures: Pictures) -> None:
        self._source, self._wado, self._pictures = source, wado, pictures

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
        choice = negotiate([query.get("contentType") or "*/*"], None, _OFFERS)
        if choice is None:
            raise Refused(HTTPStatus.NOT_ACCEPTABLE, f"only {DICOM}, images and texts are given")
        accepted(request, (choice.offer,))
        if choice.offer is not _OFFERS[0]:
            return await self._picture(request, target, choice.offer.essence)
        _, paths = await self._source.find_target(request, target, "instances")
        syntax = query.get("transferSyntax", "*")
        if syntax not in ("", "*", await self._source.retrieve.syntax(paths[0])):
            raise Refused(HTTPStatus.NOT_ACCEPTABLE, "not stored in the transfer syntax that is asked for")
        tag = await self._source.tag(request, paths, "uri")
        return not_modified(tag) if unchanged(request.headers, tag) else await self._wado.single(request, tag, paths[0])

    async def _picture(self, request: web.Request, target: Target, media: str) -> web.StreamResponse:
        """As an image (PS3.18 9.4.1.2), a loop only where no frame is named; a report as a text."""
        if {"presentationUID", "presentationSeriesUID"} & set(request.query):
            raise Refused(HTTPStatus.NOT_ACCEPTABLE, "presentation states are not applied")
        asked = by_uri(request.query)
        _, paths = await self._source.find_target(request, target, "rendered")
        text = media if media in TEXTS else ""
        wanted = replace(asked.rendering, media="" if text else media, whole=not asked.rendering.frame, text=text)
        try:
            return await self._pictures.one(request, paths, replace(asked, rendering=wanted))
        except NoSuchValue:
            raise UriError("the instance has no frame of this number") from None  # 9.5.2
