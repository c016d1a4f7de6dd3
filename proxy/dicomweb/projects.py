"""Which project a URL means, and what its public base is. Shared by the three services."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import urlsplit

from aiohttp import web

from proxy.dicomweb.forwarded import address, forwarded
from proxy.dicomweb.status import Refused
from proxy.service.callers import Caller
from proxy.service.ports import Peer

PREFIX = "/dicomweb/{project}"
#: Where a request remembers who has been let in with it.
CALLER = web.RequestKey("CALLER", Caller)


class Projects:
    """URL path → project name; base URLs from ``public_url``, or from what the client called us."""

    def __init__(self, paths: Mapping[str, str], public_url: str | None) -> None:
        self._paths, self._public_url = dict(paths), public_url

    def name(self, request: web.Request) -> str:
        """The project, or 404."""
        try:
            return self._paths[request.match_info["project"]]
        except KeyError:
            raise no_such_project() from None

    def base(self, request: web.Request) -> str:
        """The public URL of the project, without a slash at the end."""
        return f"{self.root(request)}/dicomweb/{request.match_info['project']}"

    def prefix(self, request: web.Request) -> str:
        """The path before all of ours in public URLs, without a slash at the end; mostly ""."""
        return urlsplit(self.root(request)).path.rstrip("/")

    def root(self, request: web.Request) -> str:
        """The public URL above all of ours, without a slash at the end."""
        return self._public_url or _origin(request)


def no_such_project() -> Refused:
    """For a project that is not there, and for one that is not there for this caller."""
    return Refused(HTTPStatus.NOT_FOUND, "no such project")


def _origin(request: web.Request) -> str:
    said = forwarded(request)
    scheme = said.scheme or request.scheme
    if said.host:
        return f"{scheme}://{said.host}{said.prefix}"
    host = request.host
    if not re.search(r":[0-9]+$", host) and request.transport is not None and not said.scheme:
        # dicomweb-client (Python) leaves the port out of Host; behind a proxy on 80 or 443 public_url says so
        host += f":{request.transport.get_extra_info('sockname')[1]}"
    return f"{scheme}://{host}{said.prefix}"


def peer(request: web.Request) -> Peer:
    """Who is on the other end."""
    caller = request.get(CALLER)
    return Peer("dicomweb", address(request), name=caller.name if caller else "")
