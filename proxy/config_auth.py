"""The parts of veil.yaml about who may call over HTTP: tokens, an OpenID provider, reverse proxies, rates.

Models and what must be consistent between them; `proxy.config` puts them into the document.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, model_validator

from proxy.config_types import HttpUrl, Seconds, Strict

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
Claim = Annotated[str, StringConstraints(pattern=r"^\S{1,128}$")]


class Oidc(Strict):
    """Access tokens (JWT) of an OpenID provider, judged by its published keys (JWKS)."""

    issuer: HttpUrl
    audience: Annotated[str, StringConstraints(min_length=1)]
    jwks_url: HttpUrl | None = None
    jwks_file: Path | None = None
    ca_file: Path | None = None
    scope_claim: Claim = "scope"
    name_claim: Claim = "sub"
    leeway_seconds: Annotated[int, Field(ge=0, le=300)] = 30
    jwks_seconds: Annotated[int, Field(ge=60, le=86400)] = 3600

    @model_validator(mode="after")
    def _keys(self) -> Oidc:
        if (self.jwks_url is None) == (self.jwks_file is None):
            raise ValueError("say where the provider's keys are: jwks_url or jwks_file, one of the two")
        url = urlsplit(self.jwks_url or "https://")
        if url.scheme != "https" and url.hostname not in LOOPBACK:
            raise ValueError("jwks_url must be https: who can change the keys on their way can make tokens")
        if self.ca_file is not None and self.jwks_url is None:
            raise ValueError("ca_file is for jwks_url")
        return self


class Auth(Strict):
    """Who is asked for a token, by what tokens are known. At least one kind."""

    tokens_file: Path | None = None
    oidc: Oidc | None = None
    certificate_header: Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,63}$")] | None = None

    @model_validator(mode="after")
    def _somebody(self) -> Auth:
        if self.tokens_file is None and self.oidc is None:
            raise ValueError("nobody could call: name a tokens_file, an oidc provider, or both")
        if self.certificate_header is not None and self.tokens_file is None:
            raise ValueError("certificate_header: whose certificates are known stands in the tokens_file; name one")
        return self


class Rate(Strict):
    """How often one caller may ask: so many a second in the long run, ``burst`` at once."""

    per_second: Annotated[float, Field(gt=0, le=100_000)]
    burst: Annotated[int, Field(ge=1, le=100_000)]


Networks = list[IPv4Network | IPv6Network]


class Admission(Strict):
    """What `Http` has of its own about callers."""

    auth: Auth | None = None
    trusted_hops: Networks = Field(default_factory=list)
    rate: Rate | None = None
    request_seconds: Seconds = 3600.0

    @model_validator(mode="after")
    def _some_hops(self) -> Admission:
        if any(network.prefixlen == 0 for network in self.trusted_hops):
            raise ValueError("trusted_hops: everybody is no reverse proxy; name the addresses of yours")
        if self.auth is not None and self.auth.certificate_header is not None and not self.trusted_hops:
            raise ValueError(
                "auth.certificate_header: name the reverse proxy that verifies certificates in trusted_hops"
            )
        return self


def resolved(auth: Auth | None, base: Path) -> Auth | None:
    """``auth`` with its paths relative to ``base``."""
    if auth is None:
        return None
    oidc = auth.oidc
    if oidc is not None:
        files = {"jwks_file": oidc.jwks_file, "ca_file": oidc.ca_file}
        oidc = oidc.model_copy(update={key: base / file for key, file in files.items() if file is not None})
    tokens = base / auth.tokens_file if auth.tokens_file is not None else None
    return auth.model_copy(update={"tokens_file": tokens, "oidc": oidc})
