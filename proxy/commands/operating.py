"""How verbs reach an `Operator`: through the running proxy, or on the site itself when none runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from proxy.config import Config, load_config
from proxy.control_client import ControlClient, connect

if TYPE_CHECKING:
    from proxy.operating import Operator


def ask(config_path: Path, verb: str, *subject: str) -> Any:
    """Call one method of the operator of the site that ``config_path`` describes."""

    async def work() -> Any:
        async with _operator(load_config(config_path)) as operator:
            return await getattr(operator, verb)(*subject)

    try:
        return asyncio.run(work())
    except KeyError:
        raise click.ClickException(f"no entry or destination is called '{subject[0]}'") from None


@asynccontextmanager
async def _operator(config: Config) -> AsyncIterator[ControlClient | Operator]:
    async with connect(config.data_dir) as client:
        if client is not None:
            yield client
            return
    from proxy.app import App

    app = App(config)
    await app.start(servers=False)
    try:
        yield app.operator
    finally:
        await app.stop()
