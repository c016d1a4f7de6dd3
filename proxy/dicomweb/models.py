"""Objects of the DICOM JSON Model as a body: a JSON array, or Native DICOM Model documents, one per part."""

from __future__ import annotations

import json
from collections.abc import AsyncIterable, AsyncIterator, Callable

from proxy.wire.dicom_json import Json
from proxy.wire.dicom_xml import to_xml
from proxy.wire.media import DICOM_XML, RELATED, Offer
from proxy.wire.multipart import closing, part_head, part_tail


def described(offer: Offer, boundary: str) -> str:
    """The Content-Type of what `written` gives."""
    return f'{RELATED}; type="{offer.root}"; boundary={boundary}' if offer.essence == RELATED else offer.essence


async def written(
    objects: AsyncIterable[Json], offer: Offer, boundary: str, location: Callable[[Json], str] | None = None
) -> AsyncIterator[bytes]:
    """``objects`` as ``offer`` wants them; ``location`` names the Content-Location of a part."""
    if offer.essence == DICOM_XML:
        async for instance in objects:
            yield to_xml(instance)
    elif offer.essence == RELATED:
        async for instance in objects:
            document = to_xml(instance)
            yield part_head(boundary, DICOM_XML, location(instance) if location else "") + document + part_tail()
        yield closing(boundary)
    else:
        separator = b"["
        async for instance in objects:
            yield separator + json.dumps(instance, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")
            separator = b","
        yield b"]" if separator == b"," else b"[]"
