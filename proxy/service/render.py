"""The use case *render* (PS3.18 10.4.1.1.3 and 10.4.1.1.4): pictures of de-identified files, made by the workers.

The access was recorded when the files were found; what cannot be rendered because it is damaged is recorded here.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from proxy.archive.encoded import Stamp, opened
from proxy.archive.values import NoSuchValue
from proxy.deid.pixels.rendering import Rendered, Rendering
from proxy.errors import Reason
from proxy.service.events import for_whom, who
from proxy.service.ports import AuditEvent, AuditTrail, Held, Peer
from proxy.wire.uri import UriError

#: what is no fault of the instance: it has no pixels, or is coded in a way that nothing here reads
_NOT_SEEN = frozenset({Reason.UNSUPPORTED_CONTENT, Reason.NO_CODEC, Reason.UNKNOWN_TRANSFER_SYNTAX})
#: documents at most before the first image of a series or study
MOST_TRIED = 64


class Renderer(Protocol):
    """Renders somewhere else: a worker process."""

    async def render(self, project: str, fd: int, wanted: Rendering) -> Rendered | Held:
        """A picture of the de-identified Part 10 file behind ``fd``, under the limits of the project.

        Never raises for what the file does (`Held`); `WorkersUnavailable` when no worker can be had.
        """
        ...


class NotAnImage(Exception):
    """There is nothing to render, or nothing that renders it as what is wanted."""


class CannotRender(Exception):
    """The stored image is damaged, or too much for a worker."""


class Render:
    """Pictures of files that `Retrieve.find` named."""

    def __init__(self, renderer: Renderer | None, audit: AuditTrail) -> None:
        """Without ``renderer`` nothing is an image."""
        self._renderer, self._audit = renderer, audit

    async def picture(self, project: str, path: Path, stamp: Stamp, wanted: Rendering, peer: Peer) -> Rendered:
        """One picture of the file at ``path``; OSError when it is no longer the one of ``stamp``.

        Raises `NotAnImage`, `CannotRender`, `NoSuchValue` for a frame and `UriError` for a region that is not there,
        `WorkersUnavailable`.
        """
        if self._renderer is None:
            raise NotAnImage
        fd = opened(path, stamp)  # not in a thread: for who is cancelled meanwhile nobody would close it
        try:
            answer = await self._renderer.render(project, fd, wanted)
        finally:
            os.close(fd)
        if isinstance(answer, Held):
            if answer.reason in _NOT_SEEN:
                raise NotAnImage
            known = {"kind": "instance", "what": "rendering"}
            failed = AuditEvent(
                "retrieved", "failure", project, who(peer), known, str(answer.reason), behalf=for_whom(peer)
            )
            await self._audit.record(failed)
            raise CannotRender
        if answer.missing == "frame":
            raise NoSuchValue
        if answer.missing:
            raise UriError("the viewport shows nothing of the image")
        return answer

    async def representative(
        self, project: str, files: list[tuple[Path, Stamp]], wanted: Rendering, peer: Peer
    ) -> Rendered:
        """A picture of the first file that is an image, of those that are tried."""
        for path, stamp in files[:MOST_TRIED]:
            try:
                return await self.picture(project, path, stamp, wanted, peer)
            except NotAnImage:
                continue
        raise NotAnImage
