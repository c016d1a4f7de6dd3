"""``veil quarantine list|show|replay|purge``: through the running proxy, or on its folder when none runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
from rich import box
from rich.console import Console
from rich.table import Table

from proxy.commands.operating import ask
from proxy.commands.options import config_option


@click.group("quarantine")
def quarantine() -> None:
    """What is held, why, and what to do with it. Entries are sealed; nothing here shows a value of an instance."""


@quarantine.command("list")
@config_option
@click.option("--json", "as_json", is_flag=True, help="one JSON array")
def list_entries(config_path: Path, as_json: bool) -> None:
    """List what is held."""
    entries = ask(config_path, "entries")
    if as_json:
        click.echo(json.dumps(entries, indent=2))
        return
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("id", no_wrap=True)
    for heading in ("received, project, by", "bytes", "reason"):
        table.add_column(heading, overflow="fold")
    for e in entries:
        came = f"{e['received'][:16]} {e['project']}, {e['transport']}"
        why = f"{e['reason']} ({e['detail']})" if e["detail"] else e["reason"]
        table.add_row(e["id"], came, f"{e['size']:,}", why)
    Console().print(table)
    click.echo(f"{len(entries)} held")


@quarantine.command("show")
@click.argument("entry")
@config_option
def show(entry: str, config_path: Path) -> None:
    """Show one entry."""
    found = [e for e in ask(config_path, "entries") if e["id"] == entry]
    if not found:
        raise click.ClickException(f"no entry is called '{entry}'; see: veil quarantine list")
    click.echo(json.dumps(found[0], indent=2))


@quarantine.command("replay")
@click.argument("entries", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="every entry")
@config_option
def replay(entries: tuple[str, ...], everything: bool, config_path: Path) -> None:
    """Judge entries again, after a rule or a setting changed. Status 3 when some are still held."""
    if everything:
        entries = tuple(e["id"] for e in ask(config_path, "entries"))
    still = 0
    for entry in entries:
        done = ask(config_path, "replay", entry)
        still += not done["released"]
        click.echo(f"{entry}: " + ("released" if done["released"] else f"still held, {done['reason']}"))
    if still:
        sys.exit(3)


@quarantine.command("purge")
@click.argument("entry")
@click.option("--yes", is_flag=True, help="do not ask")
@config_option
def purge(entry: str, yes: bool, config_path: Path) -> None:
    """Destroy a held original. It cannot be brought back; the audit record stays."""
    if not yes:
        click.confirm(f"destroy {entry} for good?", abort=True)
    ask(config_path, "purge", entry)
    click.echo(f"{entry}: purged")
