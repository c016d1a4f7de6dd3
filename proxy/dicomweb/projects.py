"""Which project a URL means, and what its public base is. Shared by the three services."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import web

from proxy.dicomweb.status import Refused
from proxy.service.ports import Peer

PREFIX = "/dicomweb/{project}"


class Projects:
    """URL path → project name; base URLs from ``public_url``, or from what the client called us."""

    def __init__(self, paths: Mapping[str, str], public_url: str | None) -> None:
        self._paths, self._public_url = dict(paths), public_url

    def name(self, request: web.Request) -> str:
        """The project, or 404."""
        try:
            return self._paths[request.match_info["project"]]
        except KeyError:
            raise Refused(HTTPStatus.NOT_FOUND, "no such project") from None

    def base(self, request: web.Request) -> str:
        """The public URL of the project, without a slash at the end."""
        origin = self._public_url or f"{request.scheme}://{request.host}"
        return f"{origin}/dicomweb/{request.match_info['project']}"


def peer(request: web.Request) -> Peer:
    """Who is on the other end."""
    return Peer("dicomweb", request.remote or "")
