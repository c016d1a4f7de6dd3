"""Rendered resources and thumbnails (PS3.18 10.4.1.1.3, 10.4.1.1.4; by URI 9.4): pictures of de-identified instances.

Several pictures come in a multipart/related, one as itself. Of an instance with many frames, asked for without a
multipart, image/gif moves and the others show the frame in the middle; a report comes as text. Nothing is decoded in
this process.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path

from aiohttp import web
from multidict import CIMultiDict

from proxy.archive.encoded import Stamp
from proxy.archive.values import NoSuchValue
from proxy.deid.pixels.rendering import MEDIA, Rendered, Rendering
from proxy.deid.pixels.rendering_report import TEXTS
from proxy.dicomweb.accepting import accepted, taken
from proxy.dicomweb.conditions import digest, unchanged
from proxy.dicomweb.projects import peer
from proxy.dicomweb.rendering_parameters import Asked, rendered, thumbnail
from proxy.dicomweb.sending import stream
from proxy.dicomweb.status import Refused
from proxy.dicomweb.wado import Source
from proxy.service.render import NotAnImage, Render
from proxy.wire.media import RELATED, Offer, negotiate
from proxy.wire.multipart import closing, part_head, part_tail
from proxy.wire.uri import Target, parse_frames

_ONE, _MANY = tuple(Offer(media) for media in MEDIA), tuple(Offer(RELATED, media) for media in MEDIA)
_REPORT, _NO_IMAGE = tuple(map(Offer, TEXTS)), Offer("")
_File = tuple[Path, Stamp]


class Pictures:
    """The resources that show something."""

    def __init__(self, source: Source, render: Render) -> None:
        self._source, self._render = source, render

    async def rendered(self, request: web.Request) -> web.StreamResponse:
        """All pictures of a study, series or instance, or those of some frames."""
        asked, numbers = rendered(request.query), _numbers(request)
        of_one = "instance" in request.match_info and len(numbers) <= 1
        offers, text = (*_ONE, *_MANY) if of_one else (*_MANY, *_ONE), ""
        if of_one and not numbers:
            text = _text(request)
        offer = _NO_IMAGE if text and taken(request, offers) is None else accepted(request, offers).offer
        _, paths = await self._source.find(request, "rendered")
        if offer.essence != RELATED:
            if len(paths) > 1 or len(numbers) > 1:
                raise Refused(HTTPStatus.NOT_ACCEPTABLE, "several images are given in a multipart/related only")
            frame = max(numbers, default=0)
            wanted = replace(asked.rendering, media=offer.essence, frame=frame, whole=not numbers, text=text)
            return await self.one(request, paths, replace(asked, rendering=wanted))
        wanted = replace(asked.rendering, media=offer.root)
        files, tag = await self._files(request, paths, wanted)
        headers = _headers(asked, tag)
        if unchanged(request.headers, tag):
            return web.Response(status=304, headers=headers)
        boundary = digest("boundary", tag)[:32]
        parts = self._parts(request, boundary, files, wanted, numbers)
        return await stream(request, f'{RELATED}; type="{wanted.media}"; boundary={boundary}', parts, headers)

    async def thumbnail(self, request: web.Request) -> web.StreamResponse:
        """One small picture: of the first image, of the frame in the middle where none is named."""
        asked, numbers = thumbnail(request.query), _numbers(request)
        media = accepted(request, _ONE).offer.essence
        _, paths = await self._source.find(request, "thumbnail")
        wanted = replace(asked.rendering, media=media, frame=numbers[0] if numbers else 0)
        return await self.one(request, paths, replace(asked, rendering=wanted))

    async def one(self, request: web.Request, paths: list[Path], asked: Asked) -> web.Response:
        """The one picture that stands for ``paths``."""
        files, tag = await self._files(request, paths, asked.rendering)
        headers = _headers(asked, tag)
        if unchanged(request.headers, tag):
            return web.Response(status=304, headers=headers)
        project = self._source.projects.name(request)
        found = await self._render.representative(project, files, asked.rendering, peer(request))
        if not found.frames:
            headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
            return web.Response(body=found.data, content_type=asked.rendering.text, charset="utf-8", headers=headers)
        return web.Response(body=found.data, content_type=asked.rendering.media, headers=headers)

    async def _files(self, request: web.Request, paths: list[Path], wanted: Rendering) -> tuple[list[_File], str]:
        stamps = await self._source.retrieve.stamps(paths)  # before the tag, which must not be of an older file
        return list(zip(paths, stamps, strict=True)), await self._source.tag(request, paths, wanted)

    async def _parts(
        self, request: web.Request, boundary: str, files: list[_File], wanted: Rendering, numbers: tuple[int, ...]
    ) -> AsyncIterator[bytes]:
        found, base = False, self._source.projects.base(request)
        for file in files:
            begun = False
            try:
                async for number, picture in self._frames(request, file, wanted, numbers):
                    found = begun = True
                    location = f"{base}/{Target(*picture.uids).path}/frames/{number}/rendered"
                    yield part_head(boundary, wanted.media, location) + picture.data + part_tail()
            except NotAnImage:  # a document among the images; but not a frame among frames
                if begun:
                    raise
        if not found:
            raise NotAnImage
        yield closing(boundary)

    async def _frames(
        self, request: web.Request, file: _File, wanted: Rendering, numbers: tuple[int, ...]
    ) -> AsyncIterator[tuple[int, Rendered]]:
        """The frames ``numbers`` of a file, all of them where none is named; one at a time."""
        project, caller = self._source.projects.name(request), peer(request)
        first = numbers[0] if numbers else 1
        picture = await self._render.picture(project, *file, replace(wanted, frame=first), caller)
        if max(numbers, default=0) > picture.frames:  # said now: once a part is sent there is no status any more
            raise NoSuchValue
        yield first, picture
        for number in numbers[1:] if numbers else range(2, picture.frames + 1):
            yield number, await self._render.picture(project, *file, replace(wanted, frame=number), caller)


def _text(request: web.Request) -> str:
    """What a report may come as, "" where no text is taken. The accept parameter alone says so where it is there."""
    parameter = request.query.get("accept")
    choice = negotiate([parameter] if parameter else request.headers.getall("Accept", []), None, _REPORT)
    return "" if choice is None else choice.offer.essence


def _numbers(request: web.Request) -> tuple[int, ...]:
    return parse_frames(request.match_info["frames"]) if "frames" in request.match_info else ()


def _headers(asked: Asked, tag: str) -> CIMultiDict[str]:
    warnings = (("Warning", f'299 Veil: "The {name} parameter is not supported as given"') for name in asked.ignored)
    return CIMultiDict((("ETag", tag), *warnings))
