"""``veil health``: ask a running proxy's /readyz on loopback; for container health checks."""

from __future__ import annotations

import http.client
from pathlib import Path

import click

from proxy.commands.options import config_option
from proxy.config import load_config
from proxy.errors import Unavailable

#: what a server may be bound to, and where it is reached from here
_LOCAL = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - looked up, not bound
_SECONDS = 4.0


@click.command("health")
@config_option
def health(config_path: Path) -> None:
    """Status 0 when the proxy that this veil.yaml describes is ready."""
    config = load_config(config_path)
    click.echo(ask(_LOCAL.get(config.http.host, config.http.host), config.http.port))


def ask(host: str, port: int) -> str:
    """The body of a 200 from /readyz; `Unavailable` otherwise."""
    connection = http.client.HTTPConnection(host, port, timeout=_SECONDS)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        body = answer.read(10_000).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(f"no answer from {host}:{port}: {type(error).__name__}") from None
    finally:
        connection.close()
    if answer.status != 200:
        raise Unavailable(f"not ready: {answer.status} {body[:200]}")
    return body
