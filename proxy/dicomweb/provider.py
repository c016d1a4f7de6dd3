"""An OpenID provider as people sign in there: what it says of itself (OpenID Connect Discovery 1.0), codes for tokens.

It is asked when somebody signs in, never at the start; what cannot be had lets nobody in. Addresses that it names must
be https. No code, token or secret is logged.
"""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus, urlsplit

import aiohttp

from proxy.dicomweb.jwks import Jwks, bounded, from_url
from proxy.dicomweb.outgoing import open_session
from proxy.logs import get_logger
from proxy.service.callers import CannotJudge, Unknown
from proxy.service.oidc import SigningKey
from proxy.service.provider_sign_in import Described

_TIMEOUT = 10.0
#: After a failure the provider is left alone for so many seconds.
_AGAIN = 5.0
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
#: What a provider may answer about a code (RFC 6749 5.2), as the log says it.
_ERRORS = frozenset(
    {"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type"}
)


@dataclass(frozen=True, slots=True)
class Client:
    """Who we are to the provider. ``secret`` reads it; None for a public client."""

    issuer: str
    client_id: str
    secret: Callable[[], str] | None = None
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True)
class _Metadata:
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    names_itself: bool
    by_form: bool  # the secret goes into the form, not into a header


class OpenIdProvider:
    """See `proxy.service.provider_sign_in.Provider`. What it says of itself is good for ``lifetime`` seconds."""

    def __init__(self, client: Client, lifetime: float = 3600.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._client, self._lifetime, self._clock = client, lifetime, clock
        self._keys = Jwks(self._published, lifetime, clock)
        self._metadata: _Metadata | None = None
        self._read = self._tried = -float("inf")
        self._lock = asyncio.Lock()

    async def described(self) -> Described:
        """See `Provider.described`."""
        metadata = await self._known()
        return Described(metadata.authorization_endpoint, metadata.names_itself)

    async def key(self, kid: str | None) -> SigningKey:
        """See `proxy.service.oidc.Keys.key`."""
        return await self._keys.key(kid)

    async def exchanged(self, code: str, verifier: str, redirect_uri: str) -> str:
        """See `Provider.exchanged` (RFC 6749 4.1.3, RFC 7636 4.5)."""
        metadata = await self._known()
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        headers = {"Accept": "application/json"}
        if self._client.secret is None or metadata.by_form:
            form["client_id"] = self._client.client_id
        if self._client.secret is not None:
            secret = self._client.secret()
            if metadata.by_form:
                form["client_secret"] = secret
            else:
                headers["Authorization"] = _basic(self._client.client_id, secret)
        try:
            status, body = await self._post(metadata.token_endpoint, form | {"code_verifier": verifier}, headers)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            get_logger("dicomweb").error("provider-unavailable", error=error)
            raise CannotJudge("the OpenID provider cannot be asked") from None
        return _id_token(status, body)

    async def _post(self, url: str, form: dict[str, str], headers: dict[str, str]) -> tuple[int, bytes]:
        async with (
            asyncio.timeout(_TIMEOUT),
            open_session(1, self._client.tls) as session,
            session.post(url, data=form, headers=headers, allow_redirects=False) as response,
        ):
            return response.status, await bounded(response)

    async def _published(self) -> bytes:
        return await from_url((await self._known()).jwks_uri, self._client.tls)()

    async def _known(self) -> _Metadata:
        async with self._lock:
            now = self._clock()
            if (self._metadata is None or now - self._read >= self._lifetime) and now - self._tried >= _AGAIN:
                self._tried = now
                await self._discover()
        if self._metadata is None:
            raise CannotJudge("the OpenID provider cannot be asked")
        return self._metadata

    async def _discover(self) -> None:
        url = self._client.issuer.rstrip("/") + "/.well-known/openid-configuration"
        try:
            self._metadata = _metadata(json.loads(await from_url(url, self._client.tls)()), self._client.issuer)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError, RecursionError) as error:
            get_logger("dicomweb").error("provider-unavailable", error=error)
            return
        self._read = self._clock()


def _metadata(said: Any, issuer: str) -> _Metadata:
    """ValueError for what is not the document of ``issuer`` (Discovery 4.3), or leads elsewhere than to https."""
    if not isinstance(said, dict) or said.get("issuer") != issuer:
        raise ValueError("the document of another issuer")
    ways = said.get("token_endpoint_auth_methods_supported")
    return _Metadata(
        _address(said, "authorization_endpoint"),
        _address(said, "token_endpoint"),
        _address(said, "jwks_uri"),
        said.get("authorization_response_iss_parameter_supported") is True,
        isinstance(ways, list) and "client_secret_basic" not in ways and "client_secret_post" in ways,
    )


def _address(said: dict[str, Any], name: str) -> str:
    url = said.get(name)
    if not isinstance(url, str) or not url.isascii() or not url.isprintable():
        raise ValueError(f"no {name}")
    parts = urlsplit(url)
    if (parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK)) or parts.fragment:
        raise ValueError(f"{name} is not https")
    return url


def _id_token(status: int, body: bytes) -> str:
    """What the provider gave for a code; `Unknown` where it did not, `CannotJudge` where it is not itself."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        said = None
    if status == 200 and isinstance(said, dict) and isinstance(said.get("id_token"), str):
        return str(said["id_token"])
    error = said.get("error") if isinstance(said, dict) else None
    code = error if isinstance(error, str) and error in _ERRORS else "other"
    get_logger("dicomweb").error("provider-refused-code", status=status, code=code)
    if status in (400, 401, 403):
        raise Unknown("code-refused")
    raise CannotJudge("the OpenID provider gave no ID token")


def _basic(client_id: str, secret: str) -> str:
    """RFC 6749 2.3.1: both in the encoding of forms, then as RFC 7617 has it."""
    return "Basic " + base64.b64encode(f"{quote_plus(client_id)}:{quote_plus(secret)}".encode()).decode()
