"""``/viewer``: the published OHIF build (`veil viewer` unpacks it), with this site's projects as its data sources.

Serves the files that one folder held when the server was made, and nothing else: a URL is looked up, never joined to a
path. The viewer has no right of its own: its page asks `/dicomweb` as any client does. Nothing of it may ask another
site: the Content-Security-Policy sees to that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from aiohttp import web

from proxy.dicomweb.projects import Projects
from proxy.dicomweb.status import Refused
from proxy.dicomweb.viewer_config import PLACE, SignIn, policy, script
from proxy.errors import ConfigError

_INDEX, _CONFIG = "index.html", "app-config.js"
_HOW = "make viewer fetches it, http.viewer_dir says where it is"
_TYPES = {
    ".css": "text/css; charset=utf-8", ".html": "text/html; charset=utf-8", ".ico": "image/vnd.microsoft.icon",
    ".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript; charset=utf-8", ".json": "application/json",
    ".jsonc": "application/json", ".png": "image/png", ".svg": "image/svg+xml", ".wasm": "application/wasm",
    ".webapp": "application/manifest+json", ".woff2": "font/woff2", ".xml": "application/xml",
}  # fmt: skip
#: a name that changes with the content need not be asked for again
_HASHED = re.compile(r"(^|\.)[0-9a-f]{16}\.(js|css|wasm|woff2)$")
_FOR_EVER, _ASK = "public, max-age=31536000, immutable", "no-cache"


@dataclass(frozen=True, slots=True)
class Build:
    """Where OHIF lies, and how people sign in where the site asks for tokens."""

    folder: Path
    sign_in: SignIn | None = None

    def files(self) -> dict[str, Path]:
        """URL path → file; `ConfigError` where there is no viewer."""
        found = {str(path.relative_to(self.folder)): path for path in self.folder.rglob("*") if path.is_file()}
        if _INDEX not in found:
            raise ConfigError("http.viewer_dir", f"no viewer in {self.folder}", _HOW)
        return {name: path for name, path in found.items() if not name.endswith(".gz")}


class Viewer:
    """``projects``: URL paths. Without ``build`` every URL below `/viewer` is 404 and says what is missing."""

    def __init__(self, build: Build | None, projects: Iterable[str], named: Projects) -> None:
        self._projects, self._named = sorted(projects), named
        self._sign_in = build.sign_in if build is not None else None
        self._files = build.files() if build is not None else {}
        self._index = self._files[_INDEX].read_bytes() if build is not None else b""
        self._headers = {
            "Content-Security-Policy": policy(self._sign_in),
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
        }

    def add_to(self, app: web.Application) -> None:
        """The routes."""
        app.router.add_get(PLACE, self.serve)
        app.router.add_get(PLACE + "/{path:.*}", self.serve)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """A file, or the page for a route of its own (`/viewer/viewer?StudyInstanceUIDs=...`)."""
        if not self._files:
            raise Refused(HTTPStatus.NOT_FOUND, f"no viewer here: {_HOW}")
        path = request.match_info.get("path", "")
        if path == _CONFIG:
            return self._made(script(self._named.prefix(request), self._projects, self._sign_in), ".js")
        file = self._files.get(path)
        if file is None or path == _INDEX:
            if "." in path.rpartition("/")[2] and path != _INDEX:
                raise Refused(HTTPStatus.NOT_FOUND, "the viewer has no such file")
            return self._made(self._page(self._named.prefix(request)), ".html")
        lasting = _FOR_EVER if _HASHED.search(file.name) else _ASK
        headers = {"Content-Type": _TYPES.get(file.suffix, "application/octet-stream"), "Cache-Control": lasting}
        return web.FileResponse(file, headers=self._headers | headers)

    def _page(self, prefix: str) -> bytes:
        return self._index.replace(f'="{PLACE}/'.encode(), f'="{prefix}{PLACE}/'.encode())

    def _made(self, body: bytes, suffix: str) -> web.Response:
        headers = {"Content-Type": _TYPES[suffix], "Cache-Control": _ASK}
        return web.Response(body=body, headers=self._headers | headers)
