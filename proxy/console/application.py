"""The routes of the console: who may see which page, sign-in and sign-out. An application of aiohttp's own.

Every refusal is a page, and one that turns somebody away is a record. What is not foreseen goes on to the server, which
logs it and shows nothing of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus

from aiohttp import web

from proxy.console.door import Door, House
from proxy.console.frame import SMALL, Part, Route, Visit, watched
from proxy.console.pages import STATIC, Pages, moved
from proxy.console.refusal import Refusal
from proxy.console.visitor import Cookie, Forms, Visits, new_cookie
from proxy.errors import Unavailable
from proxy.service.callers import Unknown
from proxy.service.ports import Peer
from proxy.service.sign_in import Desk, Guest, TooOften

_Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
_WRONG = "The name or the password is wrong."
_AWAY = "This cannot be done right now: the accounts, the store or the audit log cannot be used. Try again later."


class Console:
    """``application`` is to be mounted at `visitor.PLACE`; the first of ``parts`` has its first page.

    ``door``: where an OpenID provider lets people in, besides or instead of accounts of this site (``local``).
    """

    def __init__(
        self, desk: Desk, visits: Visits, parts: Sequence[Part], door: Door | None = None, local: bool = True
    ) -> None:
        self._desk, self._visits = desk, visits
        self._ways = {"local": local, "provider": door.words if door is not None else ""}
        self._pages, self._forms = Pages(), Forms(visits)
        self._session, self._before = Cookie("veil-session", visits), Cookie("veil-form", visits)
        self._entries = [entry for part in parts for entry in part.entries]
        self.application = web.Application(middlewares=[self._refusals])
        router = self.application.router
        for route in (route for part in parts for route in part.routes):
            router.add_route(route.method, route.path, self._answer(route))
            if not route.path:
                router.add_route(route.method, "/", self._answer(route))
        for name in STATIC:
            router.add_get(f"/{name}", self._pages.file)
        router.add_get("/sign-in", self._ask)
        router.add_post("/sign-in", self._sign_in)
        router.add_post("/sign-out", self._sign_out)
        if door is not None:
            door.open(router, House(visits, self._pages, self._session, self._form, self._wait, self._guest))
        router.add_get("/{path:.*}", self._nothing)

    def _answer(self, route: Route) -> _Answer:
        async def answer(request: web.Request) -> web.StreamResponse:
            # a page that is asked for by itself keeps nobody signed in who has gone
            guest = await self._guest(request, use=not watched(request))
            if guest is None:
                return self._to_sign_in(request)
            if not route.may(guest.caller):
                raise Refusal(HTTPStatus.FORBIDDEN, "role", "Your role does not allow this.")
            session = self._session.read(request)
            form: Mapping[str, str] = {}
            files: Mapping[str, bytes] = {}
            if request.method == "POST":
                form, files = await self._forms.read(request, session, route.most, route.files)
            peer = replace(self._visits.peer(request), name=guest.caller.name)
            at, token = self._visits.at(request), self._forms.token(session)
            about = (at, token, self._pages, self._entries, form, files)
            return await route.handler(Visit(request, guest, peer, *about, lambda: self._guest(request, use=False)))

        return answer

    async def _nothing(self, request: web.Request) -> web.StreamResponse:
        if await self._guest(request) is None:
            return self._to_sign_in(request)
        raise Refusal(HTTPStatus.NOT_FOUND, "no-such-page", "There is no such page.")

    async def _ask(self, request: web.Request) -> web.StreamResponse:
        if await self._guest(request) is not None:
            return moved(self._visits.at(request))
        return self._form(request)

    async def _sign_in(self, request: web.Request) -> web.StreamResponse:
        form, _ = await self._forms.read(request, self._before.read(request), SMALL)
        try:
            made = await self._desk.sign_in(form.get("name", ""), form.get("password", ""), self._visits.peer(request))
        except Unknown:
            return self._form(request, _WRONG, HTTPStatus.UNAUTHORIZED)
        except TooOften as often:
            return self._wait(request, often)
        response = moved(self._visits.at(request))
        if old := self._session.read(request):
            await self._desk.sign_out(old, self._visits.peer(request))
        self._session.set(request, response, made)
        self._before.drop(request, response)
        return response

    async def _sign_out(self, request: web.Request) -> web.StreamResponse:
        session = self._session.read(request)
        await self._forms.read(request, session, SMALL)
        await self._desk.sign_out(session, self._visits.peer(request))
        response = self._to_sign_in(request)
        self._session.drop(request, response)
        response.headers["Clear-Site-Data"] = '"cache"'
        return response

    async def _guest(self, request: web.Request, use: bool = True) -> Guest | None:
        session = self._session.read(request)
        return await self._desk.guest(session, self._visits.peer(request), use) if session else None

    def _to_sign_in(self, request: web.Request) -> web.Response:
        return moved(self._visits.at(request) + "/sign-in")

    def _form(self, request: web.Request, problem: str = "", status: HTTPStatus = HTTPStatus.OK) -> web.Response:
        """The sign-in page, with a cookie for its form."""
        cookie = self._before.read(request) or new_cookie()
        token, at = self._forms.token(cookie), self._visits.at(request)
        response = self._pages.page("sign_in", status, at=at, guest=None, problem=problem, token=token, **self._ways)
        self._before.set(request, response, cookie)
        return response

    def _wait(self, request: web.Request, often: TooOften) -> web.Response:
        words = f"Too many attempts. The next one counts in {often.wait} seconds."
        response = self._form(request, words, HTTPStatus.TOO_MANY_REQUESTS)
        response.headers["Retry-After"] = str(often.wait)
        return response

    @web.middleware
    async def _refusals(self, request: web.Request, handler: _Answer) -> web.StreamResponse:
        try:
            return await handler(request)
        except Refusal as refusal:
            return self._refused(request, await self._recorded(request, refusal))
        except web.HTTPException as error:
            status = HTTPStatus(error.status)
            allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
            return self._refused(request, Refusal(status, "", f"{status.phrase}.", allow))
        except Unavailable:
            return self._refused(request, Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "", _AWAY, {"Retry-After": "5"}))

    async def _recorded(self, request: web.Request, refusal: Refusal) -> Refusal:
        if not refusal.recorded:
            return refusal
        try:
            await self._desk.refuse(await self._peer(request), refusal.code, refusal.project, refusal.verb)
        except TooOften as often:
            wait = {"Retry-After": str(often.wait)}
            return Refusal(HTTPStatus.TOO_MANY_REQUESTS, "too-often", "Too many requests.", wait)
        except Unavailable:
            return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "", _AWAY, {"Retry-After": "5"})
        return refusal

    async def _peer(self, request: web.Request) -> Peer:
        guest, peer = await self._guest(request), self._visits.peer(request)
        return replace(peer, name=guest.caller.name) if guest is not None else peer

    def _refused(self, request: web.Request, refusal: Refusal) -> web.Response:
        at = self._visits.at(request)
        response = self._pages.page("refused", refusal.status, at=at, guest=None, words=refusal.words)
        response.headers.update(refusal.headers)
        return response
