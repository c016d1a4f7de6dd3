"""An OpenID provider on loopback that lets everybody in: discovery, code flow with PKCE (RFC 7636), one key."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import secrets
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from tests.peers.loopback import Quiet, serving

_PAGE = (
    '<!DOCTYPE html><html lang="en"><link rel="icon" href="data:,"><title>Login</title><h1>Login</h1>'
    '<a href="{}">Continue as reader</a>'
)


class Provider:
    """``issuer`` is its address; ``scope`` goes into every access token, ``audience`` is whom they are for.

    ``claims`` stand in every ID token besides. ``asks``: it shows a page first, on which somebody has to agree.
    """

    def __init__(self, audience: str, scope: str) -> None:
        self.issuer, self._audience, self._scope = "", audience, scope
        self.claims: dict[str, Any] = {}
        self.asks = False
        self._key = rsa.generate_private_key(65537, 2048)
        #: code → the query of the request that it was given for
        self.codes: dict[str, dict[str, str]] = {}
        #: all that nobody but the two ends of a sign-in may keep
        self.given: set[str] = set()

    def token(self, audience: str, **claims: Any) -> str:
        """Signed, good for ten minutes."""
        now = int(time.time())
        made = {"iss": self.issuer, "aud": audience, "sub": "reader", "iat": now, "exp": now + 600, **claims}
        return jwt.encode(made, self._key, "RS256", headers={"kid": "k"})

    def described(self) -> dict[str, Any]:
        """What discovery says (OpenID Connect Discovery 1.0)."""
        names = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
        return {"issuer": self.issuer} | {name: f"{self.issuer}/{path}" for name, path in names.items()}

    def keys(self) -> dict[str, Any]:
        """Its JWK Set."""
        return {"keys": [{**RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True), "kid": "k"}]}

    def authorized(self, query: dict[str, str]) -> str:
        """Where the browser goes after it has signed in."""
        assert query["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(24)
        self.codes[code] = query
        self.given |= {code, query["state"], query["code_challenge"]}
        return f"{query['redirect_uri']}?{urllib.parse.urlencode({'code': code, 'state': query['state']})}"

    def exchanged(self, form: dict[str, str]) -> dict[str, Any]:
        """Tokens for a code, once, for whoever has the verifier."""
        asked = self.codes.pop(form["code"])
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == asked["code_challenge"]
        nonce = {"nonce": asked["nonce"]} if "nonce" in asked else {}
        access = self.token(self._audience, scope=self._scope)
        identity = self.token(asked["client_id"], **nonce, **self.claims)
        self.given |= {access, identity, form["code_verifier"], *nonce.values()}
        return {"access_token": access, "id_token": identity, "token_type": "Bearer", "expires_in": 600}


@contextmanager
def provider(audience: str, scope: str, host: str = "127.0.0.1") -> Iterator[Provider]:
    """A provider that runs until the end of the ``with``. ``host``: what it calls itself; it is on loopback."""
    made = Provider(audience, scope)

    class Handler(Quiet):
        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            if path == "/authorize":
                where = made.authorized(dict(urllib.parse.parse_qsl(query)))
                self.send_response(200 if made.asks else 302)
                self.send_header("Content-Type" if made.asks else "Location", "text/html" if made.asks else where)
                self.end_headers()
                if made.asks:
                    self.wfile.write(_PAGE.format(html.escape(where)).encode())
                return
            known = {"/.well-known/openid-configuration": made.described, "/keys": made.keys}
            self._say(known[path]())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._say(made.exchanged(dict(urllib.parse.parse_qsl(body))))

        def _say(self, what: dict[str, Any]) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Access-Control-Allow-Origin", "*")
            self.end_headers()
            self.wfile.write(json.dumps(what).encode())

    with serving(Handler) as port:
        made.issuer = f"http://{host}:{port}"
        yield made
