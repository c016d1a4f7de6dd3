"""Every resource of a project in one table: routes, capabilities, the OpenAPI document and the docs stand on it.

A row names a handler by ``operation``; who serves it is decided in `server`. No behaviour but reading the table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from proxy.deid.pixels.rendering import MEDIA
from proxy.deid.pixels.rendering_report import TEXTS
from proxy.dicomweb import rendering_parameters
from proxy.service.callers import Verb

DICOM, JSON, XML = "application/dicom", "application/dicom+json", "application/dicom+xml"
OCTETS = "application/octet-stream"
_MULTI = "multipart/related"
#: What the names in a path stand for: OpenAPI patterns, and how aiohttp is to read them.
UID_PATTERN = r"^[0-9]+(\.[0-9]+)*$"
SEGMENTS = {
    "study": UID_PATTERN,
    "series": UID_PATTERN,
    "instance": UID_PATTERN,
    "transaction": UID_PATTERN,
    "frames": r"^[1-9][0-9]{0,8}(,[1-9][0-9]{0,8})*$",
    "where": r"^[0-9A-Fa-f]{8}(/[0-9]{1,6}/[0-9A-Fa-f]{8})*$",
}
SEARCH_PARAMETERS = (
    "limit",
    "offset",
    "includefield",
    "fuzzymatching",
    "emptyvaluematching",
    "multiplevaluematching",
    "accept",
    "charset",
)
RENDERING_PARAMETERS = ("accept", "charset", *rendering_parameters.RENDERED)
THUMBNAIL_PARAMETERS = ("accept", "charset", *rendering_parameters.THUMBNAIL)
URI_PARAMETERS = (
    *("requestType", "studyUID", "seriesUID", "objectUID", "contentType", "transferSyntax", "anonymize"),
    *rendering_parameters.URI,
)
#: operation → what a caller must be granted; None: anything in the project. Others are not served.
VERBS: dict[str, Verb | None] = {
    **dict.fromkeys(("search-study", "search-series", "search-instance"), Verb.SEARCH),
    **dict.fromkeys(("instances", "metadata", "bulkdata", "pixeldata", "value", "frames"), Verb.RETRIEVE),
    **dict.fromkeys(("rendered", "thumbnail", "uri"), Verb.RETRIEVE),
    **dict.fromkeys(("store", "ask", "asked"), Verb.STORE),
    "openapi": None,
}
#: What letting callers in may answer before any resource does.
_ADMISSION = (400, 401, 403, 404, 429, 503)


@dataclass(frozen=True, slots=True)
class Resource:
    """One method of one resource. ``section`` of PS3.18; ``gives`` the media types of a 200, the default first."""

    method: str
    path: str
    operation: str
    name: str
    section: str
    gives: tuple[str, ...]
    statuses: tuple[int, ...]
    parameters: tuple[str, ...] = ("accept", "charset")
    takes: tuple[str, ...] = ()

    @property
    def segments(self) -> list[str]:
        """The names in braces, in order."""
        return re.findall(r"\{([a-z]+)\}", self.path)

    @property
    def verb(self) -> Verb | None:
        """What a caller must be granted in the project; None: anything."""
        return VERBS[self.operation]


_STUDY = "/studies/{study}"
_SERIES = _STUDY + "/series/{series}"
_INSTANCE = _SERIES + "/instances/{instance}"
_FRAMES = _INSTANCE + "/frames/{frames}"
LEVELS = {"Study": _STUDY, "Series": _SERIES, "Instance": _INSTANCE}
_MODELS = (JSON, "application/json", f'{_MULTI}; type="{XML}"')
_FILES = (f'{_MULTI}; type="{DICOM}"',)
_BULK = (f'{_MULTI}; type="{OCTETS}"', f'{_MULTI}; type="image/*"', f'{_MULTI}; type="video/*"')
_PICTURES = tuple(f'{_MULTI}; type="{media}"' for media in MEDIA)
#: what a project may answer that reads an upstream: too much to be ordered or held at once; the PACS failed, or is late
_UPSTREAM = (413, 502, 504)
_FOUND = tuple(sorted({200, 304, 400, 404, 406, 503, *_UPSTREAM}))
_RANGED = tuple(sorted({*_FOUND, 206, 416}))


def _search(path: str, level: str, name: str) -> Resource:
    statuses = tuple(sorted({200, 204, 400, 404, 406, 503, *_UPSTREAM}))
    return Resource("GET", path, f"search-{level}", name, "10.6", _MODELS, statuses, SEARCH_PARAMETERS)


def _store(path: str, name: str) -> Resource:
    kinds = tuple(f'{_MULTI}; type="{media}"' for media in (DICOM, JSON, XML))
    statuses = (200, 202, 400, 404, 406, 408, 409, 413, 415, 503)
    return Resource("POST", path, "store", name, "10.5", (JSON,), statuses, (), kinds)


def _shown(level: str, path: str) -> tuple[Resource, Resource]:
    several = level in ("Study", "Series")
    gives = (*_PICTURES, *MEDIA) if several else (*MEDIA, *_PICTURES, *(TEXTS if level == "Instance" else ()))
    name, found = f"RetrieveRendered{level}", (*_FOUND, 500)
    return (
        Resource("GET", f"{path}/rendered", "rendered", name, "10.4", gives, found, RENDERING_PARAMETERS),
        Resource(
            "GET", f"{path}/thumbnail", "thumbnail", f"Retrieve{level}Thumbnail", "10.4", MEDIA, found,
            THUMBNAIL_PARAMETERS,
        ),
    )  # fmt: skip


_ROWS: tuple[Resource, ...] = (
    _search("/studies", "study", "SearchForStudies"),
    _search("/series", "series", "SearchForSeries"),
    _search("/instances", "instance", "SearchForInstances"),
    _search(_STUDY + "/series", "series", "SearchForStudySeries"),
    _search(_STUDY + "/instances", "instance", "SearchForStudyInstances"),
    _search(_SERIES + "/instances", "instance", "SearchForStudySeriesInstances"),
    Resource("GET", _STUDY, "instances", "RetrieveStudy", "10.4", _FILES, _FOUND),
    Resource("GET", _SERIES, "instances", "RetrieveSeries", "10.4", _FILES, _FOUND),
    Resource("GET", _INSTANCE, "instances", "RetrieveInstance", "10.4", (*_FILES, DICOM), _RANGED),
    Resource("GET", _STUDY + "/metadata", "metadata", "RetrieveStudyMetadata", "10.4", _MODELS, _FOUND),
    Resource("GET", _SERIES + "/metadata", "metadata", "RetrieveSeriesMetadata", "10.4", _MODELS, _FOUND),
    Resource("GET", _INSTANCE + "/metadata", "metadata", "RetrieveInstanceMetadata", "10.4", (*_MODELS, XML), _FOUND),
    *(
        Resource("GET", f"{path}/{kind}", kind, f"Retrieve{level}{name}", "10.4", _BULK, _FOUND)
        for kind, name in (("bulkdata", "Bulkdata"), ("pixeldata", "PixelData"))
        for level, path in LEVELS.items()
    ),
    Resource("GET", _INSTANCE + "/bulkdata/{where}", "value", "RetrieveBulkdata", "10.4", (*_BULK, OCTETS), _RANGED),
    Resource("GET", _INSTANCE + "/frames/{frames}", "frames", "RetrieveFrames", "10.4", (*_BULK, OCTETS), _RANGED),
    *(row for level, path in (LEVELS | {"Frames": _FRAMES}).items() for row in _shown(level, path)),
    _store("/studies", "StoreInstances"),
    _store(_STUDY, "StoreStudyInstances"),
    *(
        Resource(method, "/commitment-requests/{transaction}", operation, name, "13", (JSON,), statuses, (), takes)
        for method, operation, name, statuses, takes in (
            ("POST", "ask", "RequestStorageCommitment", (200, 202, 400, 404, 409, 413, 415, 503), (JSON,)),
            ("GET", "asked", "RetrieveStorageCommitment", (200, 202, 400, 404, 503), ()),
        )
    ),
    Resource("GET", "/openapi.json", "openapi", "DescribeService", "", ("application/json",), (200, 304, 404), ()),
    Resource(
        "GET", "/wado", "uri", "RetrieveInstanceByUri", "9.4", (DICOM, *MEDIA, *TEXTS), (*_RANGED, 500), URI_PARAMETERS
    ),
)
RESOURCES = tuple(replace(row, statuses=tuple(sorted({*row.statuses, *_ADMISSION}))) for row in _ROWS)


def allowed(path: str) -> list[str]:
    """The methods of a path of the table."""
    methods = [row.method for row in RESOURCES if row.path == path]
    return sorted({*methods, *(["HEAD"] if "GET" in methods else []), "OPTIONS"})


def paths() -> list[str]:
    """Every path of the table once."""
    return list(dict.fromkeys(row.path for row in RESOURCES))
