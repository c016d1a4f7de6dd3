"""Callers with tokens of an OpenID provider, made of veil.yaml. Imported only where there is one."""

from __future__ import annotations

from proxy.config_auth import Oidc
from proxy.dicomweb.jwks import Jwks, from_file, from_url
from proxy.dicomweb.outgoing import trusting
from proxy.errors import ConfigError
from proxy.service.oidc import OidcCallers, read_keys


def make_oidc_callers(oidc: Oidc) -> OidcCallers:
    """Those whom the provider vouches for. `ConfigError` as `make_keys`."""
    keys = make_keys(oidc)
    return OidcCallers(keys, oidc.issuer, oidc.audience, oidc.scope_claim, oidc.name_claim, oidc.leeway_seconds)


def make_keys(oidc: Oidc) -> Jwks:
    """What the provider signs with. `ConfigError` for a file that cannot be read."""
    if oidc.jwks_url is not None:
        tls = trusting(oidc.ca_file) if oidc.ca_file is not None else None
        return Jwks(from_url(oidc.jwks_url, tls), oidc.jwks_seconds)
    assert oidc.jwks_file is not None  # one of the two: see `Oidc`
    try:
        read_keys(oidc.jwks_file.read_bytes())
    except (OSError, ValueError):
        raise ConfigError(str(oidc.jwks_file), "no JWK Set with a key that can be used") from None
    return Jwks(from_file(oidc.jwks_file), oidc.jwks_seconds)
