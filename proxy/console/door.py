"""Signing in at an OpenID provider: a link that leads there, and the way back. HTTP only; decisions are the desk's.

The cookie of this way is Lax, for the provider's redirect has to carry it; the session's is Strict, so the way back
ends in a page of ours that goes on by itself. It goes to the overview and nowhere else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus

from aiohttp import web

from proxy.console.pages import Pages, moved
from proxy.console.visitor import Cookie, Visits, new_cookie
from proxy.service.callers import CannotJudge, Unknown
from proxy.service.provider_sign_in import ProviderDesk
from proxy.service.sign_in import Guest, TooOften

#: Below the console. The second is what the provider has to know.
AWAY, BACK = "/oidc", "/oidc/callback"
_DISTRUST = "What {} answered cannot be trusted, so nobody was signed in. Try again, and tell who looks after Veil."
_BEGIN_AGAIN = "This sign-in took too long, or was begun in another browser. Begin again."
#: reason (see `ProviderDesk.finish`) → words for the person; for all others `_DISTRUST`
_WORDS = {
    "no-role": "{} knows you, but you have no role here. Ask who looks after Veil for one.",
    "provider-refused": "{} did not let you in.",
    "not-asked-again": "{} did not ask again who you are. Sign out there, then begin again.",
    "wrong-state": _BEGIN_AGAIN,
    "expired-state": _BEGIN_AGAIN,
}


@dataclass(frozen=True, slots=True)
class House:
    """What of the console the door needs. ``form``, ``wait``: the sign-in page with a problem; ``guest``: who is in."""

    visits: Visits
    pages: Pages
    session: Cookie
    form: Callable[[web.Request, str, HTTPStatus], web.Response]
    wait: Callable[[web.Request, TooOften], web.Response]
    guest: Callable[[web.Request], Awaitable[Guest | None]]


class Door:
    """``words``: what people know the provider by."""

    def __init__(self, desk: ProviderDesk, words: str) -> None:
        self._desk, self.words = desk, words

    def open(self, router: web.UrlDispatcher, house: House) -> None:
        """Add its routes."""
        self._house, self._cookie = house, Cookie("veil-oidc", house.visits, "Lax")
        router.add_route("GET", AWAY, self._away)
        router.add_route("GET", BACK, self._back)

    async def _away(self, request: web.Request) -> web.StreamResponse:
        if await self._house.guest(request) is not None:
            return moved(self._house.visits.at(request))
        browser = self._cookie.read(request) or new_cookie()
        try:
            response = moved(await self._desk.begin(browser, self._house.visits.peer(request)))
        except (CannotJudge, TooOften) as error:
            return self._not_now(request, error)
        self._cookie.set(request, response, browser)
        return response

    async def _back(self, request: web.Request) -> web.StreamResponse:
        answer = {name: request.query.getall(name) for name in set(request.query)}
        response: web.Response
        try:
            made = await self._desk.finish(answer, self._cookie.read(request), self._house.visits.peer(request))
        except Unknown as stranger:
            words = _WORDS.get(stranger.reason, _DISTRUST).format(self.words)
            response = self._house.form(request, words, HTTPStatus.FORBIDDEN)
        except (CannotJudge, TooOften) as error:
            response = self._not_now(request, error)
        else:
            at = self._house.visits.at(request)
            response = self._house.pages.page("signed_in", at=at, guest=None)
            self._house.session.set(request, response, made)
        self._cookie.drop(request, response)
        response.headers["Referrer-Policy"] = "no-referrer"  # the code stands in the address of this page
        return response

    def _not_now(self, request: web.Request, error: CannotJudge | TooOften) -> web.Response:
        if isinstance(error, TooOften):
            return self._house.wait(request, error)
        words = f"{self.words} cannot be reached right now. Try again later."
        return self._house.form(request, words, HTTPStatus.SERVICE_UNAVAILABLE)
