"""Where people sign in to the console, made of veil.yaml: accounts of this site, an OpenID provider. Only wires."""

from __future__ import annotations

from pathlib import Path

from proxy.config_console import Console, ConsoleOidc
from proxy.console.door import BACK, Door
from proxy.console.visitor import PLACE
from proxy.dicomweb.outgoing import trusting
from proxy.dicomweb.provider import Client, OpenIdProvider
from proxy.service.id_token import Trust
from proxy.service.passwords import Passwords
from proxy.service.people import Account, Role, Roles
from proxy.service.ports import AuditTrail
from proxy.service.provider_sign_in import ProviderDesk
from proxy.service.sessions import Sessions
from proxy.service.sign_in import Desk
from proxy.store.accounts import FILE, AccountsFile
from proxy.store.private_file import Reread, read_secret


def make_desk(console: Console, data_dir: Path, audit: AuditTrail) -> Desk:
    """Accounts and sessions; `ConfigError` for accounts that cannot be read."""
    sessions = Sessions(console.idle_minutes * 60, console.session_hours * 3600)
    read = AccountsFile(data_dir / FILE).read if console.local_accounts else _nobody
    return Desk(read, sessions, Passwords(), audit)


def _nobody() -> tuple[Account, ...]:
    return ()


def make_door(console: Console, public_url: str | None, desk: Desk, audit: AuditTrail) -> Door | None:
    """The way by the provider; None where there is none. `ConfigError` for files that cannot be read."""
    oidc = console.oidc
    if oidc is None:
        return None
    assert public_url is not None  # see `proxy.config_console.console`
    provider = OpenIdProvider(make_client(oidc))
    groups = {group: _roles(held) for group, held in oidc.roles.items()}
    claims = oidc.roles_claim, oidc.name_claim, oidc.leeway_seconds, oidc.always_ask
    trust = Trust(oidc.issuer, oidc.client_id, groups, *claims)
    return Door(ProviderDesk(provider, trust, f"{public_url}{PLACE}{BACK}", desk, audit), oidc.words)


def make_client(oidc: ConsoleOidc) -> Client:
    """Who we are to the provider; `ConfigError` for files that cannot be read."""
    file = oidc.client_secret_file
    secret = Reread(file, read_secret, "client secret").read if file is not None else None
    return Client(oidc.issuer, oidc.client_id, secret, trusting(oidc.ca_file) if oidc.ca_file is not None else None)


def _roles(held: list[str]) -> Roles:
    found: dict[str, frozenset[Role]] = {}
    for project, _, role in (each.partition(":") for each in held):
        found[project] = found.get(project, frozenset()) | {Role(role)}
    return found
