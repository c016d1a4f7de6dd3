"""``veil deid``: the offline twin. Status 0 all released, 3 some held."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from proxy.commands.options import config_option
from proxy.config import Config, load_config
from proxy.errors import ConfigError
from proxy.service.offline import Line, Offline, find, mirrored, three_tier
from proxy.site import offline_site

_LAYOUTS = {"three-tier": three_tier, "mirrored": mirrored}


@click.command("deid")
@click.argument("inputs", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option(
    "--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="folder for the released files"
)
@config_option
@click.option("--project", required=True, help="a project of veil.yaml")
@click.option(
    "--layout",
    type=click.Choice(sorted(_LAYOUTS)),
    default="three-tier",
    show_default=True,
    help="three-tier names by pseudonym; mirrored keeps the input's names, which may name a patient",
)
def deid(inputs: tuple[Path, ...], out: Path, config_path: Path, project: str, layout: str) -> None:
    """De-identify files and folders with the engine and the gate of the proxy."""
    config = load_config(config_path)
    if project not in config.projects:
        raise ConfigError(f"{config_path}: projects", f"no project is called '{project}'")
    lines = asyncio.run(run(config, project, inputs, out, layout))
    held = [line for line in lines if line.target is None]
    for line in held:
        click.echo(f"held  {line.source}: {line.reason}" + (f" ({line.detail})" if line.detail else ""))
    click.echo(f"{len(lines) - len(held)} released, {len(held)} held")
    if held:
        sys.exit(3)


async def run(config: Config, project: str, inputs: tuple[Path, ...], out: Path, layout: str) -> list[Line]:
    """All files through the workers, with a progress bar on stderr."""
    sources = find(inputs)
    out.mkdir(parents=True, exist_ok=True)
    work = out / ".veil-partial"
    lines: list[Line] = []
    columns = (TextColumn("de-identify"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        async with offline_site(config, work) as site:
            with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
                bar = progress.add_task("", total=len(sources))
                twin = Offline(site.pool, site.spool, site.audit, project, out, _LAYOUTS[layout], site.limit)
                async for line in twin.run(sources, at_once=2 * (os.cpu_count() or 1)):
                    lines.append(line)
                    progress.advance(bar)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return sorted(lines, key=lambda line: str(line.source))
