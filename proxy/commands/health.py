"""``veil health``: ask a running proxy's /readyz on loopback; for container health checks."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import click

from proxy.commands.options import config_option
from proxy.config import load_config
from proxy.errors import Unavailable


@click.command("health")
@config_option
def health(config_path: Path) -> None:
    """Status 0 when the proxy that this veil.yaml describes is ready."""
    config = load_config(config_path)
    host = "127.0.0.1" if config.http.host in {"0.0.0.0", "localhost"} else config.http.host  # noqa: S104 - compared, not bound
    host = f"[{host}]" if ":" in host else host
    click.echo(asyncio.run(ask(f"http://{host}:{config.http.port}/readyz")))


async def ask(url: str) -> str:
    """The body of a 200; `Unavailable` otherwise."""
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=4)) as session, session.get(url) as answer:
            body = await answer.text()
            if answer.status == 200:
                return body
            raise Unavailable(f"not ready: {answer.status} {body[:200]}")
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Unavailable(f"no answer at {url}: {type(error).__name__}") from None
