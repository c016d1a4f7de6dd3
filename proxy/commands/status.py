"""``veil status`` and ``veil retry``: what waits where, and another try for what a destination rejected."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from proxy.commands.operating import ask
from proxy.commands.options import config_option

_STATES = ("waiting", "in_flight", "delivered", "failed")


@click.command("status")
@config_option
@click.option("--json", "as_json", is_flag=True, help="as JSON")
def status(config_path: Path, as_json: bool) -> None:
    """Show rows by destination and state, how each destination stands, and reports of storage commitment."""
    found = ask(config_path, "status")
    if as_json:
        found.pop("keys", None)
        click.echo(json.dumps(found, indent=2))
        return
    table = Table("destination", *_STATES, "is", "last answer")
    for name, lane in sorted(found["destinations"].items()):
        rows = found["queue"].get(name, {})
        table.add_row(name, *(str(rows.get(s, 0)) for s in _STATES), str(lane["state"]), lane["last_code"] or "-")
    Console().print(table)
    for name, pause in sorted(found["pauses"].items()):
        since = datetime.fromtimestamp(pause["at"], UTC).strftime("%Y-%m-%d %H:%M UTC")
        why = f"{pause['why']}, {pause['ticket']}" if pause["ticket"] else pause["why"]
        click.echo(f"{name} is paused since {since} ({why}) by {pause['by']}")
    for line in _sinks(found.get("audit_sinks", {})):
        click.echo(line)
    owed = found["commitment"]
    if owed["reports"]:
        counts = ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in sorted(owed["reports"].items()))
        click.echo(f"reports of storage commitment: {counts}")
    if owed["away"]:
        click.echo(f"cannot be reached with their reports: {', '.join(owed['away'])}")


def _sinks(found: dict[str, dict[str, Any]]) -> Iterator[str]:
    """A line about each sink of the audit log besides the file."""
    for name, sink in sorted(found.items()):
        behind = f"{sink['lag_records']} records behind" if sink["lag_records"] else "level"
        since = f" for {sink['lag_seconds']:.0f} s" if sink["lag_records"] else ""
        why = f" ({sink['last_error']})" if sink["last_error"] else ""
        never = f", {sink['rejected']} records rejected" if sink["rejected"] else ""
        yield f"audit sink {name}: {sink['state']}{why}, {behind}{since}{never}"


@click.command("retry")
@click.argument("destination")
@config_option
def retry(destination: str, config_path: Path) -> None:
    """Send again what DESTINATION rejected for good, after its cause was mended."""
    click.echo(f"{ask(config_path, 'retry', destination)['again']} instances wait again for {destination}")
