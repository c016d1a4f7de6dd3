"""A STOW-RS client (PS3.18 10.5) on http.client: an independent peer, free to send what it likes."""

from __future__ import annotations

import http.client
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.system import remains

_BOUNDARY = b"system-test-boundary"
PATH = "/dicomweb/research/studies"
CONTENT_TYPE = f'multipart/related; type="application/dicom"; boundary={_BOUNDARY.decode()}'


@dataclass(frozen=True, slots=True)
class Stored:
    """The answer to one request. ``failures``: Failure Reasons (0008,1197) of instances and of other parts."""

    status: int
    stored: tuple[str, ...]
    failures: tuple[int, ...]
    body: bytes


def multipart(instances: Sequence[bytes]) -> bytes:
    """A multipart/related body, one part per instance."""
    head = b"--" + _BOUNDARY + b"\r\nContent-Type: application/dicom\r\n\r\n"
    return b"".join(head + instance + b"\r\n" for instance in instances) + b"--" + _BOUNDARY + b"--\r\n"


def post(
    port: int,
    body: bytes,
    content_type: str = CONTENT_TYPE,
    path: str = "/dicomweb/research/studies",
    timeout: float = 60,
) -> Stored:
    """POST ``body`` and read the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        headers = {"Content-Type": content_type, "Accept": "application/dicom+json"}
        connection.request("POST", path, body=body, headers=headers)
        answer = connection.getresponse()
        stored = _parsed(answer.status, answer.read())
        remains.keep(stored.body, clinical=True)
        return stored
    finally:
        connection.close()


def stow(port: int, *instances: bytes, timeout: float = 60, path: str = "research") -> Stored:
    """Store ``instances`` in one request, in the project at ``path``."""
    return post(port, multipart(instances), path=f"/dicomweb/{path}/studies", timeout=timeout)


def _parsed(status: int, body: bytes) -> Stored:
    try:
        document: dict[str, Any] = json.loads(body)
    except ValueError:
        document = {}
    if isinstance(document, list):
        document = document[0] if document else {}
    stored = [item["00081155"]["Value"][0] for item in _items(document, "00081199")]
    failed = [*_items(document, "00081198"), *_items(document, "0008119A")]
    return Stored(status, tuple(stored), tuple(int(item["00081197"]["Value"][0]) for item in failed), body)


def _items(document: dict[str, Any], tag: str) -> list[dict[str, Any]]:
    return list(document.get(tag, {}).get("Value", []))
