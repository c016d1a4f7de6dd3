"""A PACS that speaks DICOMweb as an upstream: QIDO-RS and WADO-RS (PS3.18 10.4 and 10.6).

Everything is streamed: arrays an object at a time, instances a block at a time into the caller's arena. Decides nothing
about what it receives; `asking` bounds and times it.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any

import aiohttp

from proxy.dicomweb.asking import NOTHING, Asking
from proxy.service.ports import Arena
from proxy.service.upstream import Question, Reference, UpstreamError, find_references, pour
from proxy.wire.dicom_json import Json, first_value
from proxy.wire.json_array import JsonArrayReader
from proxy.wire.media import DICOM, DICOM_JSON, JSON, RELATED, parse_media_type
from proxy.wire.multipart import MultipartParser, PartBegin, PartData

#: Matches of one request, and of one question.
_PAGE, _MOST = 1000, 100_000
_SEARCH_BYTES = 256 << 20
#: UIDs that may stand in a path: nothing that a URL gives a meaning to
_UID = re.compile(r"(?!\.{1,2}$)[0-9A-Za-z._-]{1,64}")
_PATHS = {"study": "StudyInstanceUID", "series": "SeriesInstanceUID", "instance": "SOPInstanceUID"}
_TAGS = {"study": "0020000D", "series": "0020000E", "instance": "00080018"}
#: what a resource is called, by level
_NAMES = {"study": "studies", "series": "series", "instance": "instances"}
_JSON_HEADERS = {"Accept": f"{DICOM_JSON}, {JSON};q=0.5", "Accept-Encoding": "gzip"}
_INSTANCE_HEADERS = {
    "Accept": f'{RELATED}; type="{DICOM}"; transfer-syntax=*',
    "Accept-Encoding": "identity",
}
#: metadata is not given here at all: method, form or resource not supported
_NO_METADATA = NOTHING | {405, 406, 501}


class DicomwebUpstream:
    """A `proxy.service.upstream.Upstream` over one DICOMweb base URL."""

    def __init__(
        self, name: str, url: str, headers: Mapping[str, str], connections: int = 8, timeout_seconds: float = 30.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:  # fmt: skip
        """See `Asking`; ``url`` is the base to which ``/studies`` is appended."""
        self.name = name
        self._asking = Asking(name, url, headers, connections, timeout_seconds, tls)

    async def search(self, question: Question) -> list[dict[str, Any]]:
        """See `Upstream.search`: page by page, where there is more than a page."""
        path, keys = _resource(question)
        found: dict[str, Json] = {}  # by UID: a server that does not know offset repeats itself
        offset, limit = question.offset, question.limit or _MOST + 1
        while len(found) < limit:
            size = min(_PAGE, limit - len(found))
            page, more = await self._page(path, [*keys, ("limit", str(size)), ("offset", str(offset))])
            before = len(found)
            for match in page:
                found.setdefault(first_value(match, _TAGS[question.level]), match)
            offset += len(page)
            if len(found) == before or (len(page) < size and not more):
                break
        if len(found) > _MOST:
            raise UpstreamError(self.name, "too-many")
        return list(found.values())[:limit]

    async def instances(self, study: str, series: str = "", instance: str = "") -> list[Reference]:
        """See `Upstream.instances`."""
        return await find_references(self, study, series, instance)

    async def metadata(self, study: str, series: str = "", instance: str = "") -> AsyncGenerator[dict[str, Any], None]:
        """See `Upstream.metadata`; bulk data is named by this upstream's own URIs."""
        path = _path(study, series, instance)
        if path is None:
            return
        async with self._asking.get("metadata", f"{path}/metadata", (), _JSON_HEADERS, _NO_METADATA) as response:
            if response is not None:
                async for each in self._objects(response):
                    yield each

    async def fetch(self, reference: Reference, arena: Arena) -> bool:
        """See `Upstream.fetch`."""
        path = _path(reference.study, reference.series, reference.instance)
        if path is None:
            return False
        async with self._asking.get("instance", path, (), _INSTANCE_HEADERS) as response:
            if response is None:
                return False
            await self._receive(response, arena)
        return True

    async def close(self) -> None:
        """Give connections back."""
        await self._asking.close()

    async def _page(self, path: str, query: list[tuple[str, str]]) -> tuple[list[Json], bool]:
        """One answer, and whether it says that there is more (PS3.18 8.3.4.4)."""
        async with self._asking.get("search", path, query, _JSON_HEADERS) as response:
            if response is None:
                return [], False
            found = [each async for each in self._objects(response, _SEARCH_BYTES)]
            return found, any(value.startswith("299") for value in response.headers.getall("Warning", ()))

    async def _objects(self, response: aiohttp.ClientResponse, most: int = 0) -> AsyncIterator[Json]:
        if parse_media_type(response.headers.get("Content-Type", "")).essence not in (DICOM_JSON, JSON):
            raise UpstreamError(self.name, "not-json")
        reader, received = JsonArrayReader(), 0
        async for block in self._asking.blocks(response):
            received += len(block)
            if most and received > most:
                raise UpstreamError(self.name, "too-large")
            for each in reader.feed(block):
                yield each
        for each in reader.close():
            yield each

    async def _receive(self, response: aiohttp.ClientResponse, arena: Arena) -> None:
        """The one part of multipart/related, or the whole body where a server answers with a single part."""
        media = parse_media_type(response.headers.get("Content-Type", ""))
        blocks = self._asking.blocks(response)
        if media.essence == DICOM:
            async for block in blocks:
                pour(self.name, block, arena)
        elif media.essence == RELATED:
            await self._part(MultipartParser(media.parameters.get("boundary", ""), max_parts=1), blocks, arena)
        else:
            raise UpstreamError(self.name, "not-dicom")
        if not arena.size:
            raise UpstreamError(self.name, "empty")

    async def _part(self, parser: MultipartParser, blocks: AsyncIterator[bytes], arena: Arena) -> None:
        async for block in blocks:
            for event in parser.feed(block):
                if isinstance(event, PartBegin):
                    kind = parse_media_type(event.headers.get("content-type", DICOM)).essence
                    if kind != DICOM:
                        raise UpstreamError(self.name, "not-dicom")
                elif isinstance(event, PartData):
                    pour(self.name, event.data, arena)
        for event in parser.close():
            if isinstance(event, PartData):
                pour(self.name, event.data, arena)


def _path(*uids: str) -> str | None:
    """The resource of a study, series or instance; None where a UID is none, or missing between others."""
    given = [uid for uid in uids if uid]
    if list(uids[: len(given)]) != given or not all(_UID.fullmatch(uid) for uid in given):
        return None
    return "".join(f"/{name}/{uid}" for name, uid in zip(_NAMES.values(), given, strict=False))


def _resource(question: Question) -> tuple[str, list[tuple[str, str]]]:
    """Path and keys of a search: hierarchical as far as the UIDs of the levels above are given (10.6.1.1)."""
    keys, path = dict(question.matches), ""
    for level, keyword in _PATHS.items():
        if level == question.level or not _UID.fullmatch(keys.get(keyword, "")):
            break
        path += f"/{_NAMES[level]}/{keys.pop(keyword)}"
    # a list of UIDs has commas on the web and backslashes elsewhere (8.3.4.1)
    pairs = [(k, v.replace("\\", ",") if k.endswith("UID") else v) for k, v in keys.items()]
    return f"{path}/{_NAMES[question.level]}", pairs + [("includefield", field) for field in question.fields]
