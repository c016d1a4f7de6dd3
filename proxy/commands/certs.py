"""``veil certs``: certificates for a laptop and for CI. A hospital has an authority of its own: see certs/README.md."""

from __future__ import annotations

import os
from pathlib import Path

import click

from proxy.commands.certs_dev import authority, issue
from proxy.errors import ConfigError

_LOCAL = ("localhost", "127.0.0.1", "::1")
_CLIENTS = ("modality", "viewer")
_README = "Made by `veil certs dev`, for development: whoever has ca.key can be anybody. Never commit this folder.\n"


@click.group("certs")
def certs() -> None:
    """Certificates for TLS over DIMSE and HTTP."""


@certs.command("dev")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--name", "names", multiple=True, help="a host name or address of the server besides localhost")
@click.option("--client", "clients", multiple=True, help="a client by name  [default: modality, viewer]")
@click.option("--days", type=click.IntRange(1, 3650), default=365, show_default=True)
@click.option("--rsa", is_flag=True, help="RSA keys, for peers that know no elliptic curves")
def dev(folder: Path, names: tuple[str, ...], clients: tuple[str, ...], days: int, rsa: bool) -> None:
    """Make an authority, a server certificate and client certificates in FOLDER. Not for production."""
    people = clients or _CLIENTS
    wanted = ["ca", "server", *people]
    if len(set(wanted)) < len(wanted) or any(not name.replace("-", "").isalnum() for name in people):
        raise ConfigError("client", "a client has a name of its own, of letters, digits and '-'")
    files = [folder / f"{name}.{kind}" for name in wanted for kind in ("key", "pem")]
    for path in (*files, folder / ".gitignore"):
        if path.exists():
            raise ConfigError(str(path), "already exists; nothing was written", "choose another folder")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / ".gitignore").write_text("*\n", encoding="ascii")
    (folder / "README").write_text(_README, encoding="ascii")
    root = authority(days, rsa)
    made = {"ca": root, "server": issue(root, "veil", (*_LOCAL, *names), days, rsa)}
    made |= {name: issue(root, name, (name,), days, rsa) for name in people}
    for name, pair in made.items():
        _write(folder / f"{name}.key", pair.key_pem, 0o600)
        _write(folder / f"{name}.pem", pair.certificate_pem, 0o644)
    click.echo(f"wrote {', '.join(f'{name}.pem' for name in made)} and their keys into {folder} (for development only)")
    place = f"{{certificate_file: {folder}/server.pem, key_file: {folder}/server.key, ca_file: {folder}/ca.pem"
    click.echo(f"dimse: {{tls: {place}}}}}")
    click.echo(f"http: {{tls: {place}, client_certificates: optional}}}}")


def _write(path: Path, text: bytes, mode: int) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    with open(fd, "wb") as file:
        file.write(text)
