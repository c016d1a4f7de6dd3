"""Bulk data, pixel data and frames (PS3.18 10.4.1.1.4 to 10.4.1.1.6), streamed from de-identified files.

Pixel data leaves as it is stored; nothing is decoded here. Compressed frames go to who names their media type, or
takes octet-stream in any transfer syntax (Cornerstone does).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

from aiohttp import web

from proxy.archive.values import Bulk, NoSuchValue
from proxy.dicomweb.accepting import accepted
from proxy.dicomweb.conditions import digest, unchanged
from proxy.dicomweb.sending import stream
from proxy.dicomweb.status import Refused
from proxy.dicomweb.wado import Source, not_modified
from proxy.wire.dicom_json import first_value
from proxy.wire.media import BULK_TYPES, OCTETS, RELATED, Choice, Offer
from proxy.wire.multipart import closing, part_head, part_tail
from proxy.wire.uri import Target, parse_bulk_path, parse_frames

_PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_UIDS = ("0020000D", "0020000E", "00080018")


class BulkData:
    """The resources of values and frames."""

    def __init__(self, source: Source) -> None:
        self._source, self._retrieve = source, source.retrieve

    async def value(self, request: web.Request) -> web.StreamResponse:
        """One value, by the address that metadata gave it."""
        where = parse_bulk_path(request.match_info["where"])
        _, paths = await self._source.find(request, "bulkdata")
        return await self._send(request, paths[0], await self._retrieve.bulk(paths[0], where), single=True)

    async def frames(self, request: web.Request) -> web.StreamResponse:
        """Frames by number."""
        numbers = parse_frames(request.match_info["frames"])
        _, paths = await self._source.find(request, "frames")
        bulk = await self._retrieve.frames(paths[0], numbers)
        return await self._send(request, paths[0], bulk, single=len(numbers) == 1)

    async def all_bulk(self, request: web.Request) -> web.StreamResponse:
        """Every value that the metadata of a study, series or instance names by an address."""
        return await self._all(request, "bulkdata")

    async def all_pixels(self, request: web.Request) -> web.StreamResponse:
        """The pixel data of a study, series or instance."""
        return await self._all(request, "pixeldata")

    async def _all(self, request: web.Request, what: str) -> web.StreamResponse:
        _, paths = await self._source.find(request, what)
        root = ""
        for syntax in sorted({await self._retrieve.syntax(path) for path in paths}):
            choice = _choice(request, BULK_TYPES.get(syntax, OCTETS), syntax, single=False)
            root = root or choice.offer.root
        tag = await self._source.tag(request, paths, root)
        if unchanged(request.headers, tag):
            return not_modified(tag)
        boundary = digest("boundary", tag)[:32]
        parts = self._every_part(boundary, paths, self._source.projects.base(request), what == "pixeldata")
        return await stream(request, f'{RELATED}; type="{root}"; boundary={boundary}', parts, {"ETag": tag})

    async def _every_part(self, boundary: str, paths: list[Path], base: str, pixels: bool) -> AsyncIterator[bytes]:
        found = False
        for path in paths:
            instance = await self._retrieve.metadata(path)
            home = f"{base}/{Target(*(first_value(instance, tag) for tag in _UIDS)).path}/"
            for place in _places(instance):
                where = parse_bulk_path(place.removeprefix("bulkdata/"))
                if pixels and not (len(where) == 1 and where[0] in _PIXELS):
                    continue
                bulk = await self._retrieve.bulk(path, where)
                async for block in self._parts(boundary, _described(bulk), path, bulk, home + place):
                    yield block
                found = True
        if not found:
            raise NoSuchValue
        yield closing(boundary)

    async def _send(self, request: web.Request, path: Path, bulk: Bulk, single: bool) -> web.StreamResponse:
        media = BULK_TYPES.get(bulk.syntax, OCTETS)
        choice = _choice(request, media, bulk.syntax, single)
        tag = await self._source.tag(request, [path], choice.offer)
        if unchanged(request.headers, tag):
            return not_modified(tag)
        described = _described(bulk)
        if choice.offer.essence != RELATED:
            if media == OCTETS:  # its one part is known before it is read
                async for pieces in self._retrieve.parts(bulk):
                    return await self._source.send_file(request, described, tag, path, bulk.stamp, pieces)
            return await stream(request, described, self._parts("", described, path, bulk), {"ETag": tag})
        boundary = digest("boundary", tag)[:32]
        content_type = f'{RELATED}; type="{media}"; boundary={boundary}'
        body = self._closed(boundary, self._parts(boundary, described, path, bulk))
        return await stream(request, content_type, body, {"ETag": tag})

    async def _closed(self, boundary: str, parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for block in parts:
            yield block
        yield closing(boundary)

    async def _parts(
        self, boundary: str, described: str, path: Path, bulk: Bulk, location: str = ""
    ) -> AsyncIterator[bytes]:
        async for pieces in self._retrieve.parts(bulk):
            if boundary:
                yield part_head(boundary, described, location)
            async for block in self._retrieve.blocks(path, pieces, bulk.stamp):
                yield block
            if boundary:
                yield part_tail()


def _described(bulk: Bulk) -> str:
    media = BULK_TYPES.get(bulk.syntax, OCTETS)
    return media if media == OCTETS else f"{media}; transfer-syntax={bulk.syntax}"


def _places(instance: Any) -> Iterator[str]:
    """Every relative BulkDataURI of ``instance``, in the order of its tags."""
    for element in instance.values():
        if "BulkDataURI" in element:
            yield element["BulkDataURI"]
        elif element["vr"] == "SQ":
            for item in element.get("Value", []):
                yield from _places(item)


def _choice(request: web.Request, media: str, syntax: str, single: bool) -> Choice:
    offers = [Offer(RELATED, media), *([Offer(media)] if single else [])]
    if media != OCTETS:
        offers += [Offer(RELATED, OCTETS), *([Offer(OCTETS)] if single else [])]
    choice = accepted(request, tuple(offers))
    as_octets = OCTETS in (choice.offer.root, choice.offer.essence) and media != OCTETS
    asked = [*request.headers.getall("Accept", []), request.query.get("accept", "")]
    said_any = "transfer-syntax=*" in "".join(asked).replace(" ", "").replace('"', "")
    named = choice.syntaxes is not None and syntax in choice.syntaxes
    if (choice.syntaxes is not None and not named) or (as_octets and not (said_any or named)):
        raise Refused(HTTPStatus.NOT_ACCEPTABLE, "not stored in an accepted transfer syntax")
    return choice
