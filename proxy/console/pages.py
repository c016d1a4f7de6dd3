"""Templates become answers: HTML with all values escaped, and headers that let a page reach this console only."""

from __future__ import annotations

from http import HTTPStatus
from importlib import resources
from typing import Any

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined

from proxy import __version__

#: Scripts and styles in files of ours only, nothing from elsewhere, and nobody's frame (CSP level 3).
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    # with no-referrer browsers would say of our own forms that they come from nowhere (Origin: null)
    "Referrer-Policy": "same-origin",
}
#: What pages are made of besides themselves.
STATIC = {
    "console.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
    **dict.fromkeys(
        ("audit.js", "held.js", "officer.js", "officer_bytes.js", "officer_key.js", "reidentify.js"),
        "text/javascript; charset=utf-8",
    ),
}


class Pages:
    """The templates of `proxy/console/templates`."""

    def __init__(self) -> None:
        self._templates = Environment(
            loader=PackageLoader("proxy.console"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals["version"] = __version__
        folder = resources.files("proxy.console").joinpath("static")
        self._files = {name: folder.joinpath(name).read_bytes() for name in STATIC}

    def page(self, name: str, status: HTTPStatus = HTTPStatus.OK, **values: Any) -> web.Response:
        """The template ``name`` with ``values``; one that a template lacks is an error, not a blank."""
        text = self._templates.get_template(f"{name}.html").render(values)
        return web.Response(text=text, status=status, content_type="text/html", headers=HEADERS)

    async def file(self, request: web.Request) -> web.Response:
        """One of `STATIC`; they are there for everybody."""
        name = request.path.rpartition("/")[2]
        headers = HEADERS | {"Content-Type": STATIC[name], "Cache-Control": "no-cache"}
        return web.Response(body=self._files[name], headers=headers)


def moved(where: str) -> web.Response:
    """Go on there, with GET (RFC 9110 15.4.4)."""
    return web.Response(status=HTTPStatus.SEE_OTHER, headers=HEADERS | {"Location": where})
