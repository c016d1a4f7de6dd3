"""Who is let in, made of veil.yaml: the kinds of callers, rates, reverse proxies. Decides nothing itself."""

from __future__ import annotations

from proxy.config import Config
from proxy.dicomweb.auth import Access
from proxy.dicomweb.forwarded import Hops
from proxy.service.callers import Callers
from proxy.service.ports import AuditTrail
from proxy.service.rate import Rates
from proxy.service.static_tokens import StaticCallers
from proxy.store.tokens import TokensFile


def make_access(config: Config, audit: AuditTrail) -> Access:
    """Who may ask over HTTP. `ConfigError` for tokens or keys that cannot be read."""
    rate = config.http.rate
    rates = Rates(rate.per_second, rate.burst) if rate is not None else None
    return Access(make_callers(config), audit, {p.path: name for name, p in config.projects.items()}, rates)


def make_callers(config: Config) -> list[Callers] | None:
    """Those who are known; None where nobody is asked."""
    auth = config.http.auth
    if auth is None:
        return None
    found: list[Callers] = []
    if auth.tokens_file is not None:
        found.append(StaticCallers(TokensFile(auth.tokens_file).read))
    return found


def make_hops(config: Config) -> Hops:
    """Our reverse proxies."""
    return Hops(config.http.trusted_hops)
