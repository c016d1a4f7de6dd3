"""STOW-RS client (PS3.18 10.5): a destination ``type: dicomweb``.

One request carries one instance, streamed from the spool. An instance counts as delivered only when the answer names
it in ReferencedSOPSequence: a status alone may come from a proxy or a login page.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import aiohttp

from proxy.dicomweb.answers import judge
from proxy.dicomweb.outgoing import checked_headers, open_session
from proxy.errors import DeliveryTransient
from proxy.service.ports import QueueRow
from proxy.wire.media import DICOM, DICOM_JSON, RELATED
from proxy.wire.multipart import closing, part_head, part_tail

_BLOCK = 256 * 1024
_MOST_ANSWER = 4 << 20
#: A destination slower than this, over the whole of an instance, is given up on until the next try.
_SLOWEST = 128 * 1024
_CONNECTIONS = 8


class DicomwebSender:
    """A `proxy.service.ports.Sender` over one aiohttp session, made when first needed."""

    def __init__(
        self, url: str, headers: Mapping[str, str], timeout_seconds: float, tls: ssl.SSLContext | None = None
    ) -> None:
        """``url`` is the base to which ``/studies`` is appended; ``tls`` as of `open_session`.

        `ConfigError` for headers that are not headers.
        """
        self._url, self._timeout, self._tls = url.rstrip("/") + "/studies", timeout_seconds, tls
        self._headers = checked_headers(headers)
        self._session: aiohttp.ClientSession | None = None

    async def send(self, row: QueueRow, path: Path) -> None:
        """See `proxy.service.ports.Sender.send`."""
        try:
            status, body = await self._post(path)
        except TimeoutError:
            raise DeliveryTransient("timeout", "no answer in time") from None
        except aiohttp.ClientError as error:
            raise DeliveryTransient("connection", type(error).__name__) from None
        except OSError as error:
            raise DeliveryTransient("spool", type(error).__name__) from None
        judge(status, body, row.sop_instance_uid)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _post(self, path: Path) -> tuple[int, Any]:
        boundary = secrets.token_hex(16)
        # bare: Orthanc skips, and answers 200 for, a part whose type has a transfer-syntax parameter
        head = part_head(boundary, DICOM)
        tail = part_tail() + closing(boundary)
        size = (await asyncio.to_thread(path.stat)).st_size
        headers = {
            **self._headers,
            "Accept": DICOM_JSON,
            "Content-Type": f'{RELATED}; type="{DICOM}"; boundary={boundary}',
            "Content-Length": str(len(head) + size + len(tail)),  # many servers want no chunked encoding
        }
        limit = aiohttp.ClientTimeout(total=self._timeout + size / _SLOWEST, sock_connect=self._timeout)
        # opened here, not in the body: a body that is given up on in the middle is nobody's until it is collected
        with path.open("rb") as file:  # not in a thread: who is cancelled meanwhile would leave the file open
            request = self._opened().post(
                self._url, data=_body(head, file, tail), headers=headers, timeout=limit, allow_redirects=False
            )
            async with request as response:
                return response.status, _parsed(await _bounded(response))

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = open_session(_CONNECTIONS, self._tls)
        return self._session


async def _body(head: bytes, file: BinaryIO, tail: bytes) -> AsyncIterator[bytes]:
    yield head
    while block := await asyncio.to_thread(file.read, _BLOCK):
        yield block
    yield tail


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for block in response.content.iter_chunked(_BLOCK):
        body += block
        if len(body) > _MOST_ANSWER:
            raise aiohttp.ClientPayloadError("the answer is too long")
    return bytes(body)


def _parsed(body: bytes) -> Any:
    """The answer as JSON, None for anything else."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
