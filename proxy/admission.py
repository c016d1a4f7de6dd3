"""Who is let in, made of veil.yaml: the kinds of callers, peers, rates, reverse proxies. Decides nothing itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from proxy.config import Config
from proxy.config_auth import Oidc
from proxy.dicomweb.auth import Access
from proxy.dicomweb.forwarded import Hops
from proxy.dicomweb.jwks import Jwks, from_file, from_url
from proxy.dicomweb.outgoing import trusting
from proxy.entrance import make_client
from proxy.errors import ConfigError
from proxy.reading import arrivals_of
from proxy.service.callers import Callers, Verb, grants_of, scope_of
from proxy.service.known_peers import KnownPeer
from proxy.service.oidc import OidcCallers, read_keys
from proxy.service.peers import Admission
from proxy.service.ports import AuditTrail
from proxy.service.rate import Rates
from proxy.service.static_tokens import StaticCallers
from proxy.store.accounts import FILE
from proxy.store.accounts import load as accounts
from proxy.store.tokens import TokensFile, load


def make_access(config: Config, audit: AuditTrail, callers: Sequence[Callers] | None) -> Access:
    """Who may ask over HTTP; ``callers`` as of `make_callers`."""
    rate = config.http.rate
    rates = Rates(rate.per_second, rate.burst) if rate is not None else None
    return Access(callers, audit, {p.path: name for name, p in config.projects.items()}, rates)


def make_admission(
    config: Config, routes: Mapping[str, str], audit: AuditTrail, callers: Sequence[Callers] | None
) -> Admission:
    """Who may associate over DIMSE; ``routes``: called AE title → project, ``callers``: who judges identities."""
    peers = [
        KnownPeer(
            name,
            dict(grants_of(scope_of(p, Verb(verb)) for p, verbs in peer.projects.items() for verb in verbs))
            | {arrivals_of(upstream): frozenset({Verb.STORE}) for upstream in peer.upstreams},
            frozenset(peer.ae_titles),
            tuple(peer.addresses),
            frozenset(peer.certificate_sha256),
            frozenset(each.lower() for each in peer.certificate_names),
        )
        for name, peer in config.peers.items()
    ]
    identified = frozenset(name for name, project in config.projects.items() if project.identity == "required")
    return Admission(routes, audit, peers, callers, identified)


def make_callers(config: Config, audit: AuditTrail) -> list[Callers] | None:
    """Those who are known; None where nobody is asked. `ConfigError` as `make_access`."""
    auth = config.http.auth
    if auth is None:
        return None
    found: list[Callers] = []
    if auth.tokens_file is not None:
        found.append(StaticCallers(TokensFile(auth.tokens_file).read, audit))
    if auth.oidc is not None:
        oidc = auth.oidc
        keys = _keys(oidc)
        found.append(
            OidcCallers(keys, oidc.issuer, oidc.audience, oidc.scope_claim, oidc.name_claim, oidc.leeway_seconds)
        )
    return found


def _keys(oidc: Oidc) -> Jwks:
    if oidc.jwks_url is not None:
        tls = trusting(oidc.ca_file) if oidc.ca_file is not None else None
        return Jwks(from_url(oidc.jwks_url, tls), oidc.jwks_seconds)
    assert oidc.jwks_file is not None  # one of the two: see `Oidc`
    try:
        read_keys(oidc.jwks_file.read_bytes())
    except (OSError, ValueError):
        raise ConfigError(str(oidc.jwks_file), "no JWK Set with a key that can be used") from None
    return Jwks(from_file(oidc.jwks_file), oidc.jwks_seconds)


def check_callers(config: Config) -> None:
    """`ConfigError` where a start would find tokens, keys or accounts that cannot be read."""
    auth = config.http.auth
    if auth is not None and auth.tokens_file is not None:
        load(auth.tokens_file)
    if auth is not None and auth.oidc is not None:
        _keys(auth.oidc)
    if config.console.enabled:
        accounts(config.data_dir / FILE)
    if config.console.enabled and config.console.oidc is not None:
        make_client(config.console.oidc)


def make_hops(config: Config) -> Hops:
    """Our reverse proxies."""
    auth = config.http.auth
    return Hops(config.http.trusted_hops, auth.certificate_header if auth is not None else None)
