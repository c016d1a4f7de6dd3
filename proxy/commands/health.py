"""``veil health``: ask a running proxy's /readyz on loopback; for container health checks."""

from __future__ import annotations

import asyncio
import http.client
import json
import ssl
from pathlib import Path

import click

from proxy.commands.options import config_option
from proxy.config import load_config
from proxy.control_client import connect
from proxy.errors import Unavailable

#: what a server may be bound to, and where it is reached from here
_LOCAL = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - looked up, not bound
_SECONDS = 4.0


@click.command("health")
@config_option
def health(config_path: Path) -> None:
    """Status 0 when the proxy that this veil.yaml describes is ready."""
    config = load_config(config_path)
    tls = config.http.tls
    if tls is not None and tls.client_certificates == "required":
        click.echo(asyncio.run(ask_operator(config.data_dir)))
        return
    click.echo(ask(_LOCAL.get(config.http.host, config.http.host), config.http.port, tls is not None))


async def ask_operator(data_dir: Path) -> str:
    """The same by the socket of the operator: this verb has no certificate to show."""
    async with connect(data_dir) as client:
        if client is None:
            raise Unavailable(f"no proxy runs on {data_dir}")
        status = await client.status()
    said = json.dumps({key: status[key] for key in ("ready", "checks")})
    if not status["ready"]:
        raise Unavailable(f"not ready: {said}")
    return said


def ask(host: str, port: int, encrypted: bool = False) -> str:
    """The body of a 200 from /readyz; `Unavailable` otherwise."""
    connection = _connection(host, port, encrypted)
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


def _connection(host: str, port: int, encrypted: bool) -> http.client.HTTPConnection:
    if not encrypted:
        return http.client.HTTPConnection(host, port, timeout=_SECONDS)
    anybody = ssl.SSLContext(
        ssl.PROTOCOL_TLS_CLIENT
    )  # it is ourselves, by an address that no certificate needs to name
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection(host, port, timeout=_SECONDS, context=anybody)
