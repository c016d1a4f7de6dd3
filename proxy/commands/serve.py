"""``veil serve``: run until SIGTERM or SIGINT, then drain."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from pathlib import Path

import click

from proxy.app import App
from proxy.commands.options import config_option
from proxy.config import Config, load_config
from proxy.logs import configure


@click.command("serve")
@config_option
@click.option("--drain", type=float, default=60.0, show_default=True, help="seconds to finish what is under way")
def serve(config_path: Path, drain: float) -> None:
    """Serve DIMSE and DICOMweb as veil.yaml says."""
    config = load_config(config_path)
    configure()
    asyncio.run(run(config, drain))


async def run(config: Config, drain: float) -> None:
    """Start the proxy, tell where it listens, stop on a signal."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, stop.set)
    app = App(config)
    await app.start()
    try:
        for line in app.where():
            click.echo(line)
        await stop.wait()
    finally:
        await app.stop(drain)
