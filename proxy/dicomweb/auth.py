"""Who asks (RFC 6750): every request but for what holds no data is let in here, or answered 401, 403, 404 or 429.

What a caller may do is decided in `proxy.service.callers`; this reads the request and writes the answer and the record.
A project that the caller has no grant in is answered as one that does not exist, after the same steps. No token is
logged, recorded or echoed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus

from aiohttp import HttpVersion11, web

from proxy.dicomweb.forwarded import address, forwarded
from proxy.dicomweb.middleware import Handler
from proxy.dicomweb.projects import CALLER, no_such_project, peer
from proxy.dicomweb.status import Refused
from proxy.logs import get_logger
from proxy.service.callers import ANYBODY, CERTIFICATE, EVERY, Caller, Callers, CannotJudge, Unknown, Verb, scope_of
from proxy.service.events import denied
from proxy.service.let_in import LetIn
from proxy.service.ports import AuditTrail
from proxy.service.rate import Rates

#: Resources (aiohttp's canonical paths) that hold no data and are there for everybody.
OPEN = frozenset({"/livez", "/readyz", "/viewer", "/viewer/{path}"})
#: Asks people who they are by itself, and takes no tokens.
CONSOLE = "/console"
_BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*) *", re.IGNORECASE)
#: Failures a second, and at once, that one address may have where no rate is configured: each is a record.
_STRANGERS = (10.0, 100)
#: The log says once in so many seconds that nobody can be judged.
_SILENCE_SECONDS = 60
_REALM = 'Bearer realm="veil"'


def bearer(request: web.Request) -> str:
    """The token of ``request``, "" where it has none. `Refused` (400) for one in the URL, and for two headers.

    What stands in a URL is logged on its way and kept in histories (RFC 6750 5.3).
    """
    if "access_token" in request.query:
        raise _malformed("a token belongs into the Authorization header, not into a URL")
    found = request.headers.getall("Authorization", [])
    if len(found) > 1:
        raise _malformed("there is more than one Authorization header")
    if not found or found[0].partition(" ")[0].lower() != "bearer":
        return ""
    match = _BEARER.fullmatch(found[0])
    if match is None:
        raise _malformed("the Authorization header cannot be read")
    return match.group(1)


async def expectation(request: web.Request) -> None:
    """What aiohttp answers to Expect: nothing. `Access.asking` says "100 Continue" to those that it has let in."""


async def _go_on(request: web.Request) -> None:
    if request.headers.get("Expect", "").lower() == "100-continue" and request.version >= HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the answer itself has not begun


def _credential(request: web.Request) -> str:
    """What the request makes its caller known by: a token, else the client certificate that a trusted hop verified."""
    certificate = forwarded(request).certificate
    return bearer(request) or (CERTIFICATE + certificate if certificate else "")


class Access:
    """Lets callers in. Without ``callers`` (None) nobody is asked, and everybody may do everything."""

    def __init__(
        self,
        callers: Sequence[Callers] | None,
        audit: AuditTrail,
        projects: Mapping[str, str],
        rates: Rates | None = None,
    ) -> None:
        """``projects``: URL path → project name; ``rates``: how often each may ask."""
        self._callers, self._audit, self._projects, self._rates = callers, audit, dict(projects), rates
        self._strangers = rates or Rates(*_STRANGERS)
        self._said, self._let_in = Rates(1 / _SILENCE_SECONDS, 1), LetIn(audit)

    @property
    def asks(self) -> bool:
        """Whether anybody is asked for a token."""
        return self._callers is not None

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Everything that is not `OPEN` passes here, also what no route serves."""
        resource = request.match_info.route.resource
        if resource is not None and _open(resource.canonical):
            return await handler(request)
        caller = await self._known(request)
        _in_time(self._rates, caller.name or address(request))
        request[CALLER] = caller
        if caller.name:
            await self._let_in.note(peer(request))
        if self._callers is not None and "project" in request.match_info:
            project = self._projects.get(request.match_info["project"], "")
            if not (project and caller.sees(project)):
                await self._audit.record(denied(peer(request), "no-such-project", project))
                raise no_such_project()
        return await handler(request)

    def asking(self, verb: Verb | None, handler: Handler) -> Handler:
        """``handler`` for those who may ``verb`` in the project of the request; None: for whoever sees the project."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            project = self._projects.get(request.match_info["project"])
            if project is None:
                raise no_such_project()
            if verb is not None and verb not in request[CALLER].verbs(project):
                await self._audit.record(denied(peer(request), "insufficient-scope", project, verb))
                raise _insufficient(scope_of(project, verb))
            await _go_on(request)
            return await handler(request)

        return guarded

    async def where(self, request: web.Request, verb: Verb) -> frozenset[str] | None:
        """For what is no project's: in which projects the caller may ``verb``; None for every one of the site."""
        found = request[CALLER].where(verb)
        if found is not None and not found:
            await self._audit.record(denied(peer(request), "insufficient-scope", "", verb))
            raise _insufficient(scope_of(EVERY, verb))
        return found

    async def again(self, request: web.Request, verb: Verb) -> frozenset[str] | None:
        """`where`, as it is by now: for an answer that goes on."""
        request[CALLER] = await self._known(request)
        return await self.where(request, verb)

    async def _known(self, request: web.Request) -> Caller:
        if self._callers is None:
            return ANYBODY
        try:
            return await self._judged(_credential(request))
        except Unknown as stranger:
            await self._turned_away(request, stranger.reason)
            raise _unauthorized(stranger.reason) from None
        except Refused:
            await self._turned_away(request, "malformed-request")
            raise
        except CannotJudge as error:
            if not self._said.take(""):
                get_logger("dicomweb").error("callers-cannot-be-judged", error=error)
            raise

    async def _turned_away(self, request: web.Request, reason: str) -> None:
        _in_time(self._strangers, address(request))
        await self._audit.record(denied(peer(request), reason))

    async def _judged(self, token: str) -> Caller:
        if not token:
            raise Unknown("no-token")
        for callers in self._callers or ():
            if callers.claims(token):
                return await callers.caller(token)
        raise Unknown("unknown-token")


def _open(path: str) -> bool:
    return path in OPEN or path == CONSOLE or path.startswith(CONSOLE + "/")


def _in_time(rates: Rates | None, key: str) -> None:
    wait = rates.take(key) if rates is not None else 0
    if wait:
        raise Refused(HTTPStatus.TOO_MANY_REQUESTS, "too many requests", {"Retry-After": str(wait)})


def _malformed(detail: str) -> Refused:
    return Refused(HTTPStatus.BAD_REQUEST, detail, {"WWW-Authenticate": f'{_REALM}, error="invalid_request"'})


def _unauthorized(reason: str) -> Refused:
    """Why a token is not taken is for the audit trail; without one there is no error to name (RFC 6750 3.1)."""
    error = "" if reason == "no-token" else ', error="invalid_token"'
    return Refused(HTTPStatus.UNAUTHORIZED, "unauthorized", {"WWW-Authenticate": _REALM + error})


def _insufficient(scope: str) -> Refused:
    headers = {"WWW-Authenticate": f'{_REALM}, error="insufficient_scope", scope="{scope}"'}
    return Refused(HTTPStatus.FORBIDDEN, "forbidden", headers)


Guard = Callable[[Verb | None, Handler], Handler]
