"""Signing in at a provider that says what it is told to say, without a network."""

from __future__ import annotations

import base64
import hashlib
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from proxy.service.callers import CannotJudge, Unknown
from proxy.service.id_token import Trust
from proxy.service.oidc import SigningKey
from proxy.service.passwords import Passwords
from proxy.service.people import Role
from proxy.service.ports import Peer
from proxy.service.provider_sign_in import Described, ProviderDesk
from proxy.service.sessions import Sessions
from proxy.service.sign_in import Desk
from tests.service.trail import Trail

ISSUER, CLIENT, BACK = "https://login.example.org/r", "veil-console", "https://veil.example.org/console/oidc/callback"
HERE, MINE = Peer("console", "192.0.2.1"), "a" * 43
KEY = rsa.generate_private_key(65537, 2048)
GROUPS = {
    "Radiology Research": {"research": frozenset({Role.OFFICER})},
    "it": {"*": frozenset({Role.OPERATOR}), "research": frozenset({Role.VIEWER})},
}


class Login:
    """A provider without a network: it says in the next token what it is told to say."""

    def __init__(self) -> None:
        self.down = self.refuses = self.names_itself = False
        self.changes: dict[str, Any] = {}
        self.signer, self.algorithm = KEY, "RS256"
        self.asked: dict[str, str] = {}
        self.exchanges = 0

    async def described(self) -> Described:
        if self.down:
            raise CannotJudge("down")
        return Described("https://login.example.org/authorize?tenant=7", self.names_itself)

    async def key(self, kid: str | None) -> SigningKey:
        return SigningKey(kid, ("RS256",), KEY.public_key())

    async def exchanged(self, code: str, verifier: str, redirect_uri: str) -> str:
        self.exchanges += 1
        if self.down:
            raise CannotJudge("down")
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        if self.refuses or challenge != self.asked["code_challenge"]:
            raise Unknown("code-refused")
        assert redirect_uri == self.asked["redirect_uri"] == BACK
        now = int(time.time())
        made = {
            "iss": ISSUER, "aud": CLIENT, "sub": "alice", "iat": now, "exp": now + 300,
            "nonce": self.asked["nonce"], "groups": ["it", "Radiology Research", "others", 7],
        }  # fmt: skip
        claims = {name: value for name, value in {**made, **self.changes}.items() if value is not None}
        return jwt.encode(
            claims, None if self.algorithm == "none" else self.signer, self.algorithm, headers={"kid": "k"}
        )


class Place:
    """A desk where people sign in at the provider, and what it recorded."""

    def __init__(self, always_ask: bool = False, **more: Any) -> None:
        self.now, self.login, self.trail = 0.0, Login(), Trail()
        self.desk = Desk(lambda: (), Sessions(600, 3600, lambda: self.now), Passwords(), self.trail, **more)
        trust = Trust(ISSUER, CLIENT, GROUPS, always_ask=always_ask)
        self.door = ProviderDesk(self.login, trust, BACK, self.desk, self.trail, lambda: self.now)

    async def begin(self, browser: str = MINE) -> str:
        """The state."""
        url = urlsplit(await self.door.begin(browser, HERE))
        self.login.asked = {name: value for name, (value,) in parse_qs(url.query).items()}
        return self.login.asked["state"]

    async def finish(self, browser: str = MINE, **answer: str | list[str]) -> str:
        said = {name: value if isinstance(value, list) else [value] for name, value in answer.items()}
        return await self.door.finish(said, browser, HERE)

    def said(self) -> list[tuple[str, str, str, str]]:
        return [(e.type, e.outcome, e.peer.get("caller", ""), e.reason) for e in self.trail.events]


async def turned_away(place: Place, browser: str = MINE, **answer: str | list[str]) -> str:
    with pytest.raises(Unknown) as stranger:
        await place.finish(browser, **answer)
    assert place.said()[-1][:2] == ("login", "failure")
    assert place.said()[-1][3] == stranger.value.reason
    return stranger.value.reason
