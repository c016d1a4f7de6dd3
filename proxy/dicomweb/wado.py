"""WADO-RS (PS3.18 10.4): instances, metadata, bulk data and frames, streamed from the archive's files.

A part that cannot be read to its end breaks the connection: an answer is never short and 200. Pixel data leaves as it
is stored; nothing is decoded here.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

from aiohttp import web

from proxy.archive.values import Bulk
from proxy.dicomweb.projects import PREFIX, Projects, peer
from proxy.dicomweb.qido import OFFERS as JSON_OFFERS
from proxy.dicomweb.qido import accepted
from proxy.dicomweb.status import Refused
from proxy.service.retrieve import Retrieve
from proxy.wire.dicom_json import first_value
from proxy.wire.media import BULK_TYPES, DICOM, OCTETS, RELATED, Choice, Offer
from proxy.wire.multipart import closing, part_head, part_tail
from proxy.wire.uri import Target, parse_bulk_path, parse_frames, parse_target

#: A client that takes nothing for so long has gone.
STALL_SECONDS = 60.0
_SERIES = "/studies/{study}/series/{series}"
LEVELS = ("/studies/{study}", _SERIES, _SERIES + "/instances/{instance}")
_MULTI, _SINGLE = Offer(RELATED, DICOM), Offer(DICOM)


class Wado:
    """The retrieve resources."""

    def __init__(self, projects: Projects, retrieve: Retrieve) -> None:
        self._projects, self._retrieve = projects, retrieve

    def add_to(self, app: web.Application) -> None:
        """Add the routes."""
        for path in LEVELS:
            app.router.add_get(PREFIX + path, self._instances)
            app.router.add_get(PREFIX + path + "/metadata", self._metadata)
        app.router.add_get(PREFIX + LEVELS[2] + "/bulkdata/{where:.+}", self._bulk)
        app.router.add_get(PREFIX + LEVELS[2] + "/frames/{frames}", self._frames)

    async def _find(self, request: web.Request, what: str) -> tuple[Target, list[Path]]:
        uids = {name: uid for name, uid in request.match_info.items() if name in ("study", "series", "instance")}
        target, project = parse_target(uids), self._projects.name(request)
        paths = await self._retrieve.find(project, target, what, peer(request))
        if not paths:
            raise Refused(HTTPStatus.NOT_FOUND, f"no such {target.level}")
        return target, paths

    async def _instances(self, request: web.Request) -> web.StreamResponse:
        offers = (_MULTI, _SINGLE) if "instance" in request.match_info else (_MULTI,)
        choice = accepted(request, offers)
        _, paths = await self._find(request, "instances")
        for path in paths if choice.syntaxes is not None else ():
            if await self._retrieve.syntax(path) not in (choice.syntaxes or ()):
                raise Refused(HTTPStatus.NOT_ACCEPTABLE, "not stored in an accepted transfer syntax")
        if choice.offer is _SINGLE:
            first = await self._retrieve.syntax(paths[0])
            return await _stream(request, f"{DICOM}; transfer-syntax={first}", self._retrieve.instance(paths[0]))
        boundary = secrets.token_hex(16)
        content_type = f'{RELATED}; type="{DICOM}"; boundary={boundary}'
        return await _stream(request, content_type, self._parts(boundary, paths))

    async def _parts(self, boundary: str, paths: list[Path]) -> AsyncIterator[bytes]:
        for path in paths:
            yield part_head(boundary, f"{DICOM}; transfer-syntax={await self._retrieve.syntax(path)}")
            async for block in self._retrieve.instance(path):
                yield block
            yield part_tail()
        yield closing(boundary)

    async def _metadata(self, request: web.Request) -> web.StreamResponse:
        media = accepted(request, JSON_OFFERS).offer.essence
        _, paths = await self._find(request, "metadata")
        return await _stream(request, media, self._objects(paths, self._projects.base(request)))

    async def _objects(self, paths: list[Path], base: str) -> AsyncIterator[bytes]:
        separator = b"["
        for path in paths:
            instance = await self._retrieve.metadata(path)
            study, series, own = (first_value(instance, tag) for tag in ("0020000D", "0020000E", "00080018"))
            _name_bulk_data(instance, f"{base}/{Target(study, series, own).path}/")
            yield separator + json.dumps(instance, ensure_ascii=False, allow_nan=False).encode()
            separator = b","
        yield b"]"

    async def _bulk(self, request: web.Request) -> web.StreamResponse:
        where = parse_bulk_path(request.match_info["where"])
        _, paths = await self._find(request, "bulkdata")
        return await self._send_bulk(request, paths[0], await self._retrieve.bulk(paths[0], where), single=True)

    async def _frames(self, request: web.Request) -> web.StreamResponse:
        numbers = parse_frames(request.match_info["frames"])
        _, paths = await self._find(request, "frames")
        bulk = await self._retrieve.frames(paths[0], numbers)
        return await self._send_bulk(request, paths[0], bulk, single=len(numbers) == 1)

    async def _send_bulk(self, request: web.Request, path: Path, bulk: Bulk, single: bool) -> web.StreamResponse:
        media = BULK_TYPES.get(bulk.syntax, OCTETS)
        choice = _bulk_choice(request, media, bulk.syntax, single)
        described = media if media == OCTETS else f"{media}; transfer-syntax={bulk.syntax}"
        if choice.offer.essence != RELATED:
            return await _stream(request, described, self._bulk_parts("", described, path, bulk))
        boundary = secrets.token_hex(16)
        content_type = f'{RELATED}; type="{media}"; boundary={boundary}'
        return await _stream(request, content_type, self._bulk_parts(boundary, described, path, bulk))

    async def _bulk_parts(self, boundary: str, described: str, path: Path, bulk: Bulk) -> AsyncIterator[bytes]:
        async for pieces in self._retrieve.parts(bulk):
            if boundary:
                yield part_head(boundary, described)
            async for block in self._retrieve.blocks(path, pieces, bulk.stamp):
                yield block
            if boundary:
                yield part_tail()
        if boundary:
            yield closing(boundary)


def _bulk_choice(request: web.Request, media: str, syntax: str, single: bool) -> Choice:
    """Compressed frames go to who names their type, or takes octet-stream in any transfer syntax (Cornerstone does)."""
    offers = [Offer(RELATED, media), *([Offer(media)] if single else [])]
    if media != OCTETS:
        offers += [Offer(RELATED, OCTETS), *([Offer(OCTETS)] if single else [])]
    choice = accepted(request, tuple(offers))
    as_octets = OCTETS in (choice.offer.root, choice.offer.essence) and media != OCTETS
    asked = [*request.headers.getall("Accept", []), request.query.get("accept", "")]
    stored_is_fine = "transfer-syntax=*" in "".join(asked).replace(" ", "").replace('"', "")
    if (choice.syntaxes is not None and syntax not in choice.syntaxes) or (as_octets and not stored_is_fine):
        raise Refused(HTTPStatus.NOT_ACCEPTABLE, "not stored in an accepted transfer syntax")
    return choice


def _name_bulk_data(instance: Any, base: str) -> None:
    """Make every BulkDataURI absolute: viewers resolve relative ones against different levels."""
    for element in instance.values():
        if "BulkDataURI" in element:
            element["BulkDataURI"] = base + element["BulkDataURI"]
        elif element["vr"] == "SQ":
            for item in element.get("Value", []):
                _name_bulk_data(item, base)


async def _stream(request: web.Request, content_type: str, blocks: AsyncIterator[bytes]) -> web.StreamResponse:
    """Send ``blocks``; the first is read before the status, so that what fails at once still gets its own answer."""
    first = b"" if request.method == "HEAD" else await anext(blocks, b"")
    response = web.StreamResponse(headers={"Content-Type": content_type})
    await response.prepare(request)
    if request.method == "HEAD":
        return response
    complete = False
    try:
        await _write(response, first)
        async for block in blocks:
            await _write(response, block)
        await response.write_eof()
        complete = True
    finally:
        if not complete and request.transport is not None:
            request.transport.abort()  # an answer that stops early must not look whole
    return response


async def _write(response: web.StreamResponse, block: bytes) -> None:
    try:
        async with asyncio.timeout(STALL_SECONDS):
            await response.write(block)
    except TimeoutError:
        raise ConnectionAbortedError("the client stopped reading") from None
