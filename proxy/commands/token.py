"""``veil token``: the static tokens of a site: made, listed, revoked. A token is printed once and kept nowhere.

A running proxy takes notice at its next request; nothing has to be restarted.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import load_pem_x509_certificate
from rich.console import Console
from rich.table import Table

from proxy.commands.options import config_option
from proxy.config import Config, load_config
from proxy.errors import ConfigError
from proxy.service.callers import EVERY, Grants, StoredToken, Verb, grants_of, scopes_of
from proxy.service.static_tokens import digest_of, new_token
from proxy.store.keys import load_certificate
from proxy.store.tokens import changing, load, named

_DAY = 86400
_COLUMNS = ("name", "by", "may", "until")


@click.group("token")
def token() -> None:
    """Make, list and revoke the tokens by which callers over HTTP, and users over DIMSE, are known."""


@token.command("new")
@config_option
@click.option("--name", required=True, help="who it is for; recorded in the audit trail")
@click.option("--scope", "scopes", multiple=True, required=True, help="PROJECT:VERB, repeatable; * is every project")
@click.option("--days", type=click.IntRange(min=1), help="good for so many days; by default until it is revoked")
@click.option(
    "--certificate",
    type=click.Path(path_type=Path, dir_okay=False),
    help="no token: whoever shows this client certificate (PEM), to us or to a trusted reverse proxy",
)
def new(config_path: Path, name: str, scopes: tuple[str, ...], days: int | None, certificate: Path | None) -> None:
    """Print a new token, once, and keep its hash."""
    config = load_config(config_path)
    path, grants = _file(config), _grants(scopes, config)
    secret = "" if certificate is not None else new_token()
    digest = _fingerprint(certificate) if certificate is not None else digest_of(secret)
    expires = None if days is None else float(int(time.time()) + days * _DAY)
    with changing(path) as tokens:
        if any(each.name == name for each in tokens):
            raise ConfigError("name", f"there is a token called '{name}'", "revoke it first, or take another name")
        if any(each.sha256 == digest for each in tokens):
            raise ConfigError("certificate", "this certificate has a name already", "veil token list shows it")
        tokens.append(StoredToken(named(name), digest, grants, expires, certificate is not None))
    if secret:
        click.echo(secret)
        click.echo(f"kept as a hash in {path}; this is the only time that the token is shown", err=True)
    else:
        click.echo(f"{name} is known by the certificate with SHA-256 {digest}")


@token.command("list")
@config_option
@click.option("--json", "as_json", is_flag=True, help="one JSON array")
def list_tokens(config_path: Path, as_json: bool) -> None:
    """Show whose tokens there are, what they may do, and until when."""
    path = _file(load_config(config_path))
    rows = [
        (each.name, "certificate" if each.certificate else "token", _said(each.grants), _until(each.expires))
        for each in (load(path) if path.exists() else ())
    ]
    if as_json:
        click.echo(json.dumps([dict(zip(_COLUMNS, row, strict=True)) for row in rows], indent=2))
        return
    table = Table(*_COLUMNS)
    for name, by, may, until in rows:
        table.add_row(name, by, "\n".join(may), until or "revoked")
    Console().print(table)


@token.command("revoke")
@click.argument("name")
@config_option
def revoke(name: str, config_path: Path) -> None:
    """Forget the token called NAME: it is refused from the next request on."""
    with changing(_file(load_config(config_path))) as tokens:
        left = [each for each in tokens if each.name != name]
        if len(left) == len(tokens):
            raise ConfigError("name", f"no token is called '{name}'", "veil token list shows them")
        tokens[:] = left
    click.echo(f"revoked {name}")


def _file(config: Config) -> Path:
    auth = config.http.auth
    if auth is None or auth.tokens_file is None:
        hint = "add to veil.yaml, below http: auth: {tokens_file: keys/tokens.yaml}"
        raise ConfigError("http.auth.tokens_file", "this site has none", hint)
    return auth.tokens_file


def _fingerprint(path: Path) -> str:
    try:
        return load_pem_x509_certificate(load_certificate(path).encode()).fingerprint(SHA256()).hex()
    except ValueError:
        raise ConfigError(str(path), "no certificate in PEM") from None


def _grants(scopes: Sequence[str], config: Config) -> Grants:
    for scope in scopes:
        project, _, verb = scope.rpartition(":")
        if project != EVERY and project not in config.projects:
            raise ConfigError("scope", f"no project is called '{project}'", "PROJECT:VERB, such as research:search")
        if verb not in frozenset(Verb):
            raise ConfigError("scope", f"'{verb}' is no verb", f"one of {', '.join(Verb)}")
    return grants_of(f"veil:{scope}" for scope in scopes)


def _said(grants: Grants) -> list[str]:
    return [scope.partition(":")[2] for scope in scopes_of(grants)]


def _until(expires: float | None) -> str | None:
    return None if expires is None else datetime.fromtimestamp(expires, UTC).isoformat()
