"""``veil serve``: run until SIGTERM or SIGINT, then drain."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from proxy.commands.options import config_option
from proxy.config import load_config
from proxy.errors import VeilError
from proxy.lean import import_pydicom, uncollected
from proxy.workers.begun import ahead

if TYPE_CHECKING:
    from proxy.app import App


@click.command("serve")
@config_option
@click.option("--drain", type=float, default=60.0, show_default=True, help="seconds to finish what is under way")
def serve(config_path: Path, drain: float) -> None:
    """Serve DIMSE and DICOMweb as veil.yaml says."""
    config = load_config(config_path)
    with ahead(config.workers.processes) as begun:  # they import while this process does
        with uncollected():
            import_pydicom()
            import uvloop

            from proxy.app import App
            from proxy.logs import configure

        configure()
        uvloop.run(run(App(config, begun=begun), drain))


async def _reload(app: App) -> None:
    """SIGHUP: as ``veil reload``; what is wrong with the new rules is one line on stderr."""
    try:
        await app.reload()
    except VeilError as error:
        click.echo(f"veil: {error}; the old rules stay in force", err=True)


async def run(app: App, drain: float) -> None:
    """Start the proxy, tell where it listens, stop on a signal."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    tasks: list[asyncio.Future[None]] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, stop.set)
    with uncollected():
        await app.start()
    loop.add_signal_handler(signal.SIGHUP, lambda: tasks.append(asyncio.ensure_future(_reload(app))))
    try:
        for line in app.where():
            click.echo(line)
        await stop.wait()
    finally:
        await app.stop(drain)
