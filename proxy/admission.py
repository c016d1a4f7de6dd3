"""Who is let in, made of veil.yaml: the kinds of callers, peers, rates, reverse proxies. Decides nothing itself.

What only some sites have is imported where they have it: every start would wait for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from proxy.config import Config
from proxy.dicomweb.auth import Access
from proxy.dicomweb.forwarded import Hops
from proxy.reading import arrivals_of
from proxy.service.callers import Callers, Verb, grants_of, scope_of
from proxy.service.known_peers import KnownPeer
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
        from proxy.oidc import make_oidc_callers

        found.append(make_oidc_callers(auth.oidc))
    return found


def check_callers(config: Config) -> None:
    """`ConfigError` where a start would find tokens, keys or accounts that cannot be read."""
    auth = config.http.auth
    if auth is not None and auth.tokens_file is not None:
        load(auth.tokens_file)
    if auth is not None and auth.oidc is not None:
        from proxy.oidc import make_keys

        make_keys(auth.oidc)
    if config.console.enabled:
        accounts(config.data_dir / FILE)
    if config.console.enabled and config.console.oidc is not None:
        from proxy.entrance import make_client

        make_client(config.console.oidc)


def make_hops(config: Config) -> Hops:
    """Our reverse proxies."""
    auth = config.http.auth
    return Hops(config.http.trusted_hops, auth.certificate_header if auth is not None else None)
