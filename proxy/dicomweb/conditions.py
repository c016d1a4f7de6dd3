"""Entity tags, conditions and byte ranges (RFC 9110 8.8.3, 13 and 14; PS3.18 8.6.1). Pure.

A tag stands for the exact bytes of one representation: it changes with the stored file, with the rules in force and
with what was negotiated. Time never plays a part.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from http import HTTPStatus

from proxy.dicomweb.status import Refused

_TAG = re.compile(r'(?:W/)?"([^"]*)"')
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


def entity_tag(*parts: object) -> str:
    """A strong entity tag over ``parts``, with its quotes."""
    return f'"{digest(*parts)[:32]}"'


def digest(*parts: object) -> str:
    """SHA-256, in hex, over ``parts``, no two lists of which are written alike."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def unchanged(headers: Mapping[str, str], tag: str) -> bool:
    """Whether If-None-Match has ``tag``: 304. Weak comparison, as RFC 9110 13.1.2 wants it."""
    asked = headers.get("If-None-Match", "")
    return asked.strip() == "*" or tag.strip('"') in _TAG.findall(asked)


def byte_range(headers: Mapping[str, str], tag: str, size: int) -> tuple[int, int] | None:
    """The one range that is asked for, as [start, stop) within ``size`` bytes; None for the whole.

    More than one range, another unit, and an If-Range that names another representation are answered with the whole,
    as RFC 9110 14.2 allows. 416 where the range begins after the end.
    """
    match = _RANGE.fullmatch(headers.get("Range", "").replace(" ", ""))
    if match is None or headers.get("If-Range", tag) != tag:
        return None
    first, last = match.groups()
    if not first and not last:
        return None
    if not first:
        start, stop = max(0, size - int(last)), size
    else:
        start, stop = int(first), min(size, int(last) + 1) if last else size
        if last and int(last) < start:
            return None
    if start >= min(stop, size):
        raise Refused(
            HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "the range is outside", {"Content-Range": f"bytes */{size}"}
        )
    return start, stop
