"""Signing in at an OpenID provider: authorisation code (RFC 6749 4.1) with PKCE (RFC 7636), state, nonce and issuer.

Decisions and records; HTTP is behind `Provider`. What was begun is known by its state, once, to the browser that began
it. No code, token or state is kept longer, recorded or logged. No record, no session.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol
from urllib.parse import urlencode, urlsplit

from proxy.service.callers import CannotJudge, Unknown
from proxy.service.id_token import Trust, person
from proxy.service.oidc import Keys
from proxy.service.people import Account, turned_away
from proxy.service.ports import AuditTrail, Peer
from proxy.service.sessions import boot_time
from proxy.service.sign_in import Desk

#: So many seconds somebody may take at the provider.
_SECONDS = 600.0
_MOST_BEGUN = 10_000
_LONGEST_CODE = 4096


@dataclass(frozen=True, slots=True)
class Described:
    """What the provider says of itself. ``names_itself``: it puts its issuer into every answer (RFC 9207)."""

    authorization_endpoint: str
    names_itself: bool = False


class Provider(Keys, Protocol):
    """The provider, as far as it can be reached."""

    async def described(self) -> Described:
        """`CannotJudge` where it cannot be asked."""
        ...

    async def exchanged(self, code: str, verifier: str, redirect_uri: str) -> str:
        """The ID token for ``code``. `Unknown` where the provider refuses, `CannotJudge` where it cannot be asked."""
        ...


@dataclass(frozen=True, slots=True)
class _Begun:
    browser: str
    nonce: str
    verifier: str
    until: float
    time: float  # by the clock that dates tokens


class ProviderDesk:
    """Where people sign in at ``provider``, who sends them back to ``redirect_uri``; ``desk`` keeps their sessions."""

    def __init__(
        self,
        provider: Provider,
        trust: Trust,
        redirect_uri: str,
        desk: Desk,
        audit: AuditTrail,
        clock: Callable[[], float] = boot_time,
    ) -> None:
        self._provider, self._trust, self._redirect_uri = provider, trust, redirect_uri
        self._desk, self._audit, self._clock = desk, audit, clock
        self._begun: OrderedDict[str, _Begun] = OrderedDict()

    async def begin(self, browser: str, peer: Peer) -> str:
        """Where to send the browser, known by a cookie of its own. `TooOften`; `CannotJudge` is recorded."""
        await self._desk.in_time(peer)
        try:
            described = await self._provider.described()
        except CannotJudge:
            await self._audit.record(turned_away(peer, "provider-unavailable"))
            raise
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        until, now = self._clock() + _SECONDS, self._trust.clock()
        self._begun[_digest(state)] = _Begun(_digest(browser), nonce, verifier, until, now)
        if len(self._begun) > _MOST_BEGUN:
            self._begun.popitem(last=False)
        asked = {
            "response_type": "code",
            "scope": "openid",
            "client_id": self._trust.client_id,
            "redirect_uri": self._redirect_uri,
            "state": state,
            "nonce": nonce,
            "code_challenge": base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
            .rstrip(b"=")
            .decode(),
            "code_challenge_method": "S256",
        }
        if self._trust.always_ask:
            asked |= {"prompt": "login", "max_age": "0"}
        where = described.authorization_endpoint
        return f"{where}{'&' if urlsplit(where).query else '?'}{urlencode(asked)}"

    async def finish(self, answer: Mapping[str, list[str]], browser: str, peer: Peer) -> str:
        """The id of a new session for who comes back with ``answer`` (names → values of the query).

        `Unknown` (recorded; ``no-role`` for somebody known), `CannotJudge` (recorded), `TooOften`.
        """
        await self._desk.in_time(peer)
        try:
            account, seconds = await self._person(answer, browser)
        except Unknown as stranger:
            await self._audit.record(turned_away(peer, stranger.reason))
            raise
        except CannotJudge:
            await self._audit.record(turned_away(peer, "provider-unavailable"))
            raise
        if not account.roles:
            await self._audit.record(turned_away(replace(peer, name=account.known_as), "no-role"))
            raise Unknown("no-role")
        return await self._desk.admit(account, peer, seconds)

    async def _person(self, answer: Mapping[str, list[str]], browser: str) -> tuple[Account, float]:
        begun = self._begun.pop(_digest(_one(answer, "state")), None)
        if begun is None or not browser or begun.browser != _digest(browser):
            raise Unknown("wrong-state")
        if self._clock() >= begun.until:
            raise Unknown("expired-state")
        described = await self._provider.described()
        if ("iss" in answer or described.names_itself) and _one(answer, "iss") != self._trust.issuer:
            raise Unknown("wrong-issuer")
        if "error" in answer:
            raise Unknown("provider-refused")
        code = _one(answer, "code")
        if not 0 < len(code) <= _LONGEST_CODE:
            raise Unknown("no-code")
        token = await self._provider.exchanged(code, begun.verifier, self._redirect_uri)
        return await person(token, self._provider, self._trust, begun.nonce, begun.time)


def _one(answer: Mapping[str, list[str]], name: str) -> str:
    """ "" for what is missing, and for what is there twice: one of them is not the provider's."""
    values = answer.get(name, [])
    return values[0] if len(values) == 1 else ""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
