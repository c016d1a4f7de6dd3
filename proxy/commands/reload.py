"""``veil reload``: the running proxy takes the rules and profiles as they are on disk now."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from proxy.commands.options import config_option
from proxy.config import load_config
from proxy.control_client import connect
from proxy.errors import Unavailable


@click.command("reload")
@config_option
def reload(config_path: Path) -> None:
    """Take changed rules without a restart. All or nothing: a broken file leaves the old rules in force."""
    for project, digest in sorted(asyncio.run(ask(config_path)).items()):
        click.echo(f"project {project}: policy {digest[:16]}")


async def ask(config_path: Path) -> dict[str, str]:
    """Project → policy digest; `Unavailable` when no proxy runs, or it refused the new rules."""
    async with connect(load_config(config_path).data_dir) as client:
        if client is None:
            raise Unavailable("no proxy runs on this site; the next start takes the rules anyway")
        return dict(await client.reload())
