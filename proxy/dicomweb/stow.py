"""STOW-RS (PS3.18 10.5): parts in, one `ingest.receive` each, one answer with the *sender's* UIDs.

Streams: a few parts at a time are in memory. An instance counts as stored when ingest says "accept", which includes
what was sealed into quarantine. Pseudonyms never appear here, so RetrieveURL stays empty (it is type 2).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AsyncExitStack, aclosing
from http import HTTPStatus
from typing import Protocol

from aiohttp import web

from proxy.deid.part10 import read_part10
from proxy.deid.types import Claimed, Original
from proxy.dicomweb import status
from proxy.dicomweb.assembly import Assembly, limit_of
from proxy.dicomweb.intake import Budget, Part, is_dicom
from proxy.dicomweb.projects import Projects, peer
from proxy.dicomweb.status import Refused, failure_reason
from proxy.dicomweb.stored import Result, Results, answer
from proxy.dicomweb.window import Window
from proxy.errors import InstanceHeld, Reason
from proxy.service.events import refused
from proxy.service.ports import AuditTrail, Peer
from proxy.wire.media import DICOM, DICOM_JSON, DICOM_XML, RELATED, parse_media_type
from proxy.wire.multipart import Event, MultipartError, MultipartParser, PartBegin, PartData, PartEnd
from proxy.wire.uri import parse_target
from proxy.workers.arena import Arena

#: A sender that is silent for so long has gone.
STALL_SECONDS = 60.0
#: Parts of one request that may be with ingest at once.
PARALLEL = 4
#: (0008,1197) for a part that never got as far as ingest
FAULTS = {
    "media-type": status.CANNOT_UNDERSTAND,
    "too-large": status.PROCESSING_FAILURE,
    "metadata": status.CANNOT_UNDERSTAND,
    "bulk-data": status.CANNOT_UNDERSTAND,
    "syntax": status.SYNTAX_NOT_SUPPORTED,
}


class Outcome(Protocol):
    """What STOW-RS needs of `proxy.service.ingest.Outcome`."""

    @property
    def reason(self) -> Reason | None:
        """Why it is held."""
        ...

    @property
    def original(self) -> Original | None:
        """The sender's own UIDs."""
        ...

    @property
    def answer(self) -> str:
        """``accept`` or ``refuse``."""
        ...


class Receiver(Protocol):
    """`proxy.service.ingest.Ingest`, as far as STOW-RS needs it."""

    async def receive(self, project: str, arena: Arena, claimed: Claimed, peer: Peer) -> Outcome:
        """Judge and keep one instance; raises `Unavailable` when no durable promise can be made."""
        ...


class Stow:
    """The store resources."""

    def __init__(
        self, projects: Projects, ingest: Receiver, audit: AuditTrail, instance_limit: int, memory_limit: int
    ) -> None:
        self._projects, self._ingest, self._audit = projects, ingest, audit
        self._limit, self.budget = instance_limit, Budget(memory_limit)

    async def store(self, request: web.Request) -> web.Response:
        """The handler: stream the body, keep each part, answer for all."""
        project = self._projects.name(request)
        study = request.match_info.get("study", "")
        parse_target({"study": study} if study else {})
        boundary, root = _body(request)
        parts, results = self._parts(request, MultipartParser(boundary), root), Results()
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(aclosing(parts))
            if root != DICOM:
                assembly = Assembly(self._limit, self.budget)
                stack.callback(assembly.close)
                parts = await stack.enter_async_context(aclosing(assembly.instances(parts)))
            window = await stack.enter_async_context(Window(PARALLEL, results.add))
            async for part in parts:
                await window.put(self._finish(project, part, study, peer(request)))
                if not self.budget.fits(self._limit):  # a request must not fill the memory against itself
                    await window.drain()
        return answer(results)

    async def _parts(self, request: web.Request, parser: MultipartParser, root: str) -> AsyncGenerator[Part, None]:
        """Complete parts; who gets one closes it."""
        part: Part | None = None
        try:
            async for event in _events(request, parser):
                if isinstance(event, PartBegin):
                    part = self._begin(event.headers, root)
                elif isinstance(event, PartData) and part is not None:
                    part.write(event.data)
                elif isinstance(event, PartEnd) and part is not None:
                    whole, part = part, None
                    yield whole
        finally:
            if part is not None:
                part.close()

    def _begin(self, headers: Mapping[str, str], root: str) -> Part:
        if root != DICOM:
            return Part(headers, limit_of(headers, self._limit), self.budget)
        fault = "" if is_dicom(headers.get("content-type")) else "media-type"
        return Part(headers, self._limit, self.budget, fault)

    async def _finish(self, project: str, part: Part, study: str, sender: Peer) -> Result:
        """The part is complete: to ingest with it, or into the record of what was refused."""
        with part:
            if part.fault:
                await self._audit.record(refused(project, sender, part.arena.size, part.fault))
                return Result(*part.names, failure=FAULTS[part.fault], too_large=part.fault == "too-large")
            outcome = await self._ingest.receive(project, part.arena, Claimed(study_instance_uid=study), sender)
            failure = None if outcome.answer == "accept" else failure_reason(outcome.reason)
            return Result(*_names(outcome.original, part.arena), failure)


def _names(original: Original | None, arena: Arena) -> tuple[str, str]:
    """The sender's UIDs: from the dataset, else from the file meta information, else none."""
    if original is not None and original.sop_instance_uid:
        return original.sop_class_uid, original.sop_instance_uid
    try:
        head = read_part10(arena.view())
    except InstanceHeld:
        return "", ""
    return head.sop_class_uid, head.sop_instance_uid


def _body(request: web.Request) -> tuple[str, str]:
    """The boundary, and what the first part is: DICOM, or metadata in one of its forms."""
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "a compressed request body is not taken")
    media = parse_media_type(request.headers.get("Content-Type", "")) if "Content-Type" in request.headers else None
    if media is None or media.essence != RELATED or media.root not in ("", DICOM, DICOM_JSON, DICOM_XML):
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"only {RELATED} of DICOM or of metadata is taken")
    if "boundary" not in media.parameters:
        raise MultipartError("the Content-Type has no boundary")
    return media.parameters["boundary"], media.root or DICOM


async def _events(request: web.Request, parser: MultipartParser) -> AsyncIterator[Event]:
    while not request.content.at_eof():
        try:
            async with asyncio.timeout(STALL_SECONDS):
                data = await request.content.readany()
        except TimeoutError:
            raise Refused(HTTPStatus.REQUEST_TIMEOUT, "the body stopped coming", {"Connection": "close"}) from None
        for event in parser.feed(data):
            yield event
    for event in parser.close():
        yield event
