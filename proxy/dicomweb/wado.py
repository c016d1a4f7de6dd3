"""WADO-RS (PS3.18 10.4): instances and metadata, streamed from de-identified files; bulk data is in `bulk`.

A part that cannot be read to its end breaks the connection: an answer is never short and 200. Each representation has
an entity tag that changes with the stored file and with the rules of the project.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

from aiohttp import web

from proxy.archive.encoded import Piece, Stamp, cut, size_of
from proxy.dicomweb.accepting import MODEL_OF_ONE, MODELS, accepted
from proxy.dicomweb.conditions import byte_range, digest, entity_tag, unchanged
from proxy.dicomweb.models import described, written
from proxy.dicomweb.projects import Projects, peer
from proxy.dicomweb.sending import stream, zip_text
from proxy.dicomweb.status import Refused
from proxy.service.retrieve import Retrieve
from proxy.wire.dicom_json import first_value
from proxy.wire.media import DICOM, RELATED, Offer
from proxy.wire.multipart import closing, part_head, part_tail
from proxy.wire.uri import Target, parse_target

_MULTI, _SINGLE = Offer(RELATED, DICOM), Offer(DICOM)
#: project → what identifies the rules in force there
Revision = Callable[[str], str]


class Source:
    """The files that a path names, looked up and recorded, and how answers made of them are tagged and sent."""

    def __init__(self, projects: Projects, retrieve: Retrieve, revision: Revision) -> None:
        self.projects, self.retrieve, self._revision = projects, retrieve, revision

    async def find(self, request: web.Request, what: str) -> tuple[Target, list[Path]]:
        """The target of the path and its files; 404 when there are none."""
        uids = {name: uid for name, uid in request.match_info.items() if name in ("study", "series", "instance")}
        return await self.find_target(request, parse_target(uids), what)

    async def find_target(self, request: web.Request, target: Target, what: str) -> tuple[Target, list[Path]]:
        """The same for a target that does not come from the path."""
        paths = await self.retrieve.find(self.projects.name(request), target, what, peer(request))
        if not paths:
            raise Refused(HTTPStatus.NOT_FOUND, f"no such {target.level}")
        return target, paths

    async def described(self, request: web.Request) -> list[Any] | None:
        """The metadata of what the path names where no file is needed for it, recorded; None where there is."""
        uids = {name: uid for name, uid in request.match_info.items() if name in ("study", "series", "instance")}
        target = parse_target(uids)
        ready = await self.retrieve.described(self.projects.name(request), target, peer(request))
        if ready is not None and not ready:
            raise Refused(HTTPStatus.NOT_FOUND, f"no such {target.level}")
        return ready

    async def tag(self, request: web.Request, paths: list[Path], *chosen: object) -> str:
        """The entity tag of what ``chosen`` makes of these files at this address."""
        stamps = await self.retrieve.stamps(paths)
        revision = self._revision(self.projects.name(request))
        return entity_tag(revision, self.projects.base(request), request.path, stamps, *chosen)

    async def send_file(
        self, request: web.Request, content_type: str, tag: str, path: Path, stamp: Stamp, pieces: list[Piece]
    ) -> web.StreamResponse:
        """One body whose length is known: whole, or the range that was asked for (PS3.18 8.6.1)."""
        size = sum(map(size_of, pieces))
        headers = {"ETag": tag, "Accept-Ranges": "bytes" if cut(pieces, 0, 0) is not None else "none"}
        wanted = byte_range(request.headers, tag, size) if headers["Accept-Ranges"] == "bytes" else None
        status = 200
        if wanted is not None:
            start, stop = wanted
            pieces, status = cut(pieces, start, stop) or [], 206
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
            size = stop - start
        blocks = self.retrieve.blocks(path, pieces, stamp)
        return await stream(request, content_type, blocks, headers, status=status, length=size)


def not_modified(tag: str) -> web.Response:
    """304: the client has it."""
    return web.Response(status=304, headers={"ETag": tag})


class Wado:
    """The resources of whole instances and of their metadata."""

    def __init__(self, source: Source) -> None:
        self._source, self._retrieve = source, source.retrieve

    async def instances(self, request: web.Request) -> web.StreamResponse:
        """A study, series or instance as Part 10 files."""
        offers = (_MULTI, _SINGLE) if "instance" in request.match_info else (_MULTI,)
        choice = accepted(request, offers)
        _, paths = await self._source.find(request, "instances")
        for path in paths if choice.syntaxes is not None else ():
            if await self._retrieve.syntax(path) not in (choice.syntaxes or ()):
                raise Refused(HTTPStatus.NOT_ACCEPTABLE, "not stored in an accepted transfer syntax")
        tag = await self._source.tag(request, paths, choice.offer.essence)
        if unchanged(request.headers, tag):
            return not_modified(tag)
        if choice.offer is _SINGLE:
            return await self.single(request, tag, paths[0])
        boundary = digest("boundary", tag)[:32]
        content_type = f'{RELATED}; type="{DICOM}"; boundary={boundary}'
        return await stream(request, content_type, self._parts(boundary, paths), {"ETag": tag})

    async def single(self, request: web.Request, tag: str, path: Path) -> web.StreamResponse:
        """One Part 10 file, not in a multipart."""
        syntax = await self._retrieve.syntax(path)
        stamp, pieces = await self._retrieve.pieces(path)
        return await self._source.send_file(request, f"{DICOM}; transfer-syntax={syntax}", tag, path, stamp, pieces)

    async def _parts(self, boundary: str, paths: list[Path]) -> AsyncIterator[bytes]:
        for path in paths:
            yield part_head(boundary, f"{DICOM}; transfer-syntax={await self._retrieve.syntax(path)}")
            async for block in self._retrieve.instance(path):
                yield block
            yield part_tail()
        yield closing(boundary)

    async def metadata(self, request: web.Request) -> web.StreamResponse:
        """The data sets without their bulk data, in the DICOM JSON Model or the Native DICOM Model."""
        offer = accepted(request, MODEL_OF_ONE if "instance" in request.match_info else MODELS).offer
        zipped = zip_text(request)
        if (ready := await self._source.described(request)) is not None:
            return await self._send(request, offer, _each(ready), secrets.token_hex(16), {}, zipped)
        _, paths = await self._source.find(request, "metadata")
        tag = await self._source.tag(request, paths, offer.essence, zipped)
        if unchanged(request.headers, tag):
            return not_modified(tag)
        return await self._send(
            request, offer, self._objects(paths), digest("boundary", tag)[:32], {"ETag": tag}, zipped
        )

    async def _send(
        self,
        request: web.Request,
        offer: Offer,
        objects: AsyncIterator[Any],
        boundary: str,
        headers: dict[str, str],
        zipped: bool,
    ) -> web.StreamResponse:
        base = self._source.projects.base(request)
        body = written(_named(objects, base), offer, boundary, lambda instance: f"{base}/{_place(instance)}")
        return await stream(request, described(offer, boundary), body, headers, zipped=zipped)

    async def _objects(self, paths: list[Path]) -> AsyncIterator[Any]:
        for path in paths:
            yield await self._retrieve.metadata(path)


async def _each(instances: list[Any]) -> AsyncIterator[Any]:
    for instance in instances:
        yield instance


async def _named(instances: AsyncIterator[Any], base: str) -> AsyncIterator[Any]:
    async for instance in instances:
        _name_bulk_data(instance, f"{base}/{_place(instance)}/")
        yield instance


def _place(instance: Any) -> str:
    study, series, own = (first_value(instance, tag) for tag in ("0020000D", "0020000E", "00080018"))
    return Target(study, series, own).path


def _name_bulk_data(instance: Any, base: str) -> None:
    """Make every BulkDataURI absolute: viewers resolve relative ones against different levels."""
    for element in instance.values():
        if "BulkDataURI" in element:
            element["BulkDataURI"] = base + element["BulkDataURI"]
        elif element["vr"] == "SQ":
            for item in element.get("Value", []):
                _name_bulk_data(item, base)
