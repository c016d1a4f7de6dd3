"""``veil destination pause|resume``: through the running proxy, or on its data folder when none runs."""

from __future__ import annotations

from pathlib import Path

import click

from proxy.commands.operating import ask
from proxy.commands.options import config_option
from proxy.service.destination_words import WHYS

_why = click.option("--why", type=click.Choice(WHYS), help="for the audit log", required=True)
_ticket = click.option("--ticket", default="", help="number of a ticket, for the audit log")


@click.group("destination")
def destination() -> None:
    """Let the instances for a destination wait, or go again. Intake goes on; a pause outlives a restart."""


@destination.command("pause")
@click.argument("name")
@_why
@_ticket
@config_option
def pause(name: str, why: str, ticket: str, config_path: Path) -> None:
    """Send nothing more to NAME; what is under way is finished."""
    done = ask(config_path, "pause", name, why, ticket)
    click.echo(f"{name}: paused" if done["changed"] else f"{name}: was paused already")


@destination.command("resume")
@click.argument("name")
@_why
@_ticket
@config_option
def resume(name: str, why: str, ticket: str, config_path: Path) -> None:
    """Send to NAME again, at once."""
    done = ask(config_path, "resume", name, why, ticket)
    click.echo(f"{name}: resumed" if done["changed"] else f"{name}: was not paused")
