"""``/viewer``: the published OHIF build (`veil viewer` unpacks it), with this site's projects as its data sources.

Serves the files that one folder held when the server was made, and nothing else: a URL is looked up, never joined to a
path. The viewer has no right of its own: its page asks `/dicomweb` as any client does. Nothing of it may ask another
site: the Content-Security-Policy sees to that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from proxy.dicomweb.status import Refused
from proxy.errors import ConfigError

_PLACE = "/viewer"
_INDEX, _CONFIG = "index.html", "app-config.js"
_HOW = "make viewer fetches it, http.viewer_dir says where it is"
_TYPES = {
    ".css": "text/css; charset=utf-8", ".html": "text/html; charset=utf-8", ".ico": "image/vnd.microsoft.icon",
    ".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript; charset=utf-8", ".json": "application/json",
    ".jsonc": "application/json", ".png": "image/png", ".svg": "image/svg+xml", ".wasm": "application/wasm",
    ".webapp": "application/manifest+json", ".woff2": "font/woff2", ".xml": "application/xml",
}  # fmt: skip
#: ndarray, which segmentations need, compiles strings; WebAssembly decodes images, in workers; React sets style
#: attributes; thumbnails and reports are data: and blob: URLs
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'unsafe-eval' 'wasm-unsafe-eval'",
        "worker-src 'self' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "media-src 'self' blob:",
        "object-src 'self' blob:",
        "frame-src 'self' blob:",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}
#: a name that changes with the content need not be asked for again
_HASHED = re.compile(r"(^|\.)[0-9a-f]{16}\.(js|css|wasm|woff2)$")
_FOR_EVER, _ASK = "public, max-age=31536000, immutable", "no-cache"
_SCRIPT = """\
window.PUBLIC_URL = %s;
function browserImportFunction(module) { return import(module); }
window.config = %s;
for (const { configuration } of window.config.dataSources)
  for (const root of ["qidoRoot", "wadoRoot", "wadoUriRoot"])
    configuration[root] = window.location.origin + configuration[root];
"""


class Viewer:
    """``projects``: URL paths. Without ``folder`` every URL below `/viewer` is 404 and says what is missing."""

    def __init__(self, folder: Path | None, projects: Iterable[str], public_url: str | None) -> None:
        prefix = urlsplit(public_url or "").path.rstrip("/")
        self._files = _files(folder) if folder is not None else {}
        self._config = _script(prefix, sorted(projects))
        self._index = b""
        if folder is not None:
            page = self._files[_INDEX].read_bytes()
            self._index = page.replace(b'="' + _PLACE.encode() + b"/", b'="' + (prefix + _PLACE).encode() + b"/")

    def add_to(self, app: web.Application) -> None:
        """The routes."""
        app.router.add_get(_PLACE, self.serve)
        app.router.add_get(_PLACE + "/{path:.*}", self.serve)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """A file, or the page for a route of its own (`/viewer/viewer?StudyInstanceUIDs=...`)."""
        if not self._files:
            raise Refused(HTTPStatus.NOT_FOUND, f"no viewer here: {_HOW}")
        path = request.match_info.get("path", "")
        if path == _CONFIG:
            return _made(self._config, ".js")
        file = self._files.get(path)
        if file is None or path == _INDEX:
            if "." in path.rpartition("/")[2] and path != _INDEX:
                raise Refused(HTTPStatus.NOT_FOUND, "the viewer has no such file")
            return _made(self._index, ".html")
        lasting = _FOR_EVER if _HASHED.search(file.name) else _ASK
        headers = {"Content-Type": _TYPES.get(file.suffix, "application/octet-stream"), "Cache-Control": lasting}
        return web.FileResponse(file, headers=_HEADERS | headers)


def _files(folder: Path) -> dict[str, Path]:
    found = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    if _INDEX not in found:
        raise ConfigError("http.viewer_dir", f"no viewer in {folder}", _HOW)
    return {name: path for name, path in found.items() if not name.endswith(".gz")}


def _made(body: bytes, suffix: str) -> web.Response:
    headers = {"Content-Type": _TYPES[suffix], "Cache-Control": _ASK}
    return web.Response(body=body, headers=_HEADERS | headers)


def _script(prefix: str, projects: list[str]) -> bytes:
    """app-config.js: OHIF's configuration."""
    config: dict[str, Any] = {
        "name": "Veil",
        "routerBasename": prefix + _PLACE,
        "extensions": [],
        "modes": [],
        "customizationService": {},
        "showStudyList": True,
        "maxNumberOfWebWorkers": 3,
        "showErrorDetails": "production",
        "strictZSpacingForVolumeViewport": True,
        "defaultDataSourceName": projects[0] if projects else "",
        "dataSources": [_data_source(prefix, project) for project in projects],
    }
    return (_SCRIPT % (json.dumps(f"{prefix}{_PLACE}/"), json.dumps(config))).encode("ascii")


def _data_source(prefix: str, project: str) -> dict[str, Any]:
    root = f"{prefix}/dicomweb/{project}"
    return {
        "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
        "sourceName": project,
        "configuration": {
            "friendlyName": project,
            "name": project,
            "qidoRoot": root,
            "wadoRoot": root,
            "wadoUriRoot": root,
            "qidoSupportsIncludeField": True,
            "imageRendering": "wadors",
            "thumbnailRendering": "wadors",
            "enableStudyLazyLoad": True,
            "supportsFuzzyMatching": False,
            "supportsWildcard": True,
            "dicomUploadEnabled": False,
            "omitQuotationForMultipartRequest": True,
            "singlepart": "bulkdata,video",
            "bulkDataURI": {"enabled": True},
            # a frame is decoded once it is whole: what is stored is rarely made for progressive decoding
            "stackRetrieveOptions": {"retrieveOptions": {"single": {"streaming": False}}},
        },
    }
