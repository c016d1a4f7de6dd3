"""Answers that are sent as they are read: begun late, bounded in time, never short and whole-looking.

The first block is read before the status is chosen, so that what fails at once still gets its own answer; what fails
later breaks the connection. Knows nothing of DICOM.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

from aiohttp import web

from proxy.dicomweb.accepting import takes_gzip

#: A client that takes nothing for so long has gone.
STALL_SECONDS = 60.0


async def stream(
    request: web.Request,
    content_type: str,
    blocks: AsyncIterator[bytes],
    headers: Mapping[str, str] | None = None,
    *,
    status: int = 200,
    length: int | None = None,
    zipped: bool = False,
) -> web.StreamResponse:
    """Send ``blocks``. ``length``: how many bytes they are, where that is known. ``zipped``: with gzip."""
    first = b"" if request.method == "HEAD" else await anext(blocks, b"")
    response = web.StreamResponse(status=status, headers=headers)
    response.headers["Content-Type"] = content_type
    if zipped and request.method != "HEAD":  # aiohttp would send the end of an empty stream after the headers
        response.enable_compression(web.ContentCoding.gzip)
    if length is not None:
        response.content_length = length
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


def zip_text(request: web.Request) -> bool:
    """Whether JSON and XML are to be compressed for this request; ranges of what is compressed make no sense."""
    return takes_gzip(request) and "Range" not in request.headers
