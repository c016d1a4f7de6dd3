"""``veil audit export | verify-export``: a signed bundle of records to hand out, and whether one is as it was made."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import click
from multidict import MultiDict

from proxy.audit.bundle import FORMS
from proxy.audit.bundle_verify import Checked, verify_bundle
from proxy.audit.verify_notes import Keys
from proxy.commands.options import config_option
from proxy.config import Config, load_config
from proxy.control_client import connect
from proxy.service.audit_question import SETS, BadQuestion, question_of
from proxy.service.ports import Peer

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


def read_keys(path: Path) -> Keys:
    """The public keys of a log. `click.BadParameter`."""
    try:
        return Keys.read(path.read_text(encoding="ascii"))
    except ValueError as error:
        raise click.BadParameter(f"{path}: {error}", param_hint="--pubkey") from None


@click.command("export")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--type", "type", multiple=True, help="records of this type; can be given again, as those that follow")
@click.option("--outcome", multiple=True, help="success or failure")
@click.option("--project", multiple=True, help="of this project")
@click.option("--reason", multiple=True, help="with this reason code")
@click.option("--peer", multiple=True, help="of this address, AE title or name")
@click.option("--object", multiple=True, help="with this UID, id, destination or digest")
@click.option("--since", default="", help="from this moment on, as 2026-11-21T09:30:00Z")
@click.option("--until", default="", help="before this moment")
@click.option("--format", "form", type=click.Choice(sorted(FORMS)), help="the records told in this format, too")
@config_option
def export(file: Path, config_path: Path, since: str, until: str, form: str | None, **sets: tuple[str, ...]) -> None:
    """Write a signed bundle (tar.gz) of records of the site's log into FILE, which must not exist. It is on record."""
    query = MultiDict[str]((name, value) for name in SETS for value in sets[name])
    query.update({name: value for name, value in (("since", since), ("until", until)) if value})
    try:
        question_of(query)
    except BadQuestion as bad:
        raise click.UsageError(str(bad)) from None
    part = file.with_name(file.name + ".part")
    try:
        with open(part, "xb", opener=_private) as out:
            asyncio.run(_fetch(load_config(config_path), query, form or "", out.write))
        os.link(part, file)  # unlike a rename it replaces nothing
    except FileExistsError as error:
        raise click.ClickException(f"{error.filename2 or error.filename} is there already") from None
    except aiohttp.ClientError:
        raise click.ClickException("the running proxy broke off; what there was is removed") from None
    finally:
        part.unlink(missing_ok=True)
    click.echo(f"wrote {file}")


@click.command("verify-export")
@click.argument("file", type=_FILE)
@click.option("--pubkey", type=_FILE, required=True, help="what veil audit pubkey printed, got from the site by hand")
def verify_export(file: Path, pubkey: Path) -> None:
    """See offline whether the bundle in FILE is as Veil made it. Status 1 when anything was changed."""
    checked = verify_bundle(file, read_keys(pubkey))
    for problem in checked.problems:
        click.echo(str(problem))
    _tell(checked)
    if not checked.ok:
        sys.exit(1)


def _tell(checked: Checked) -> None:
    said: Any = checked.manifest
    if checked.ok:
        asked = {name: value for name, value in said["selection"].items() if value}
        peer = {**said["by"]["peer"], **said["by"]["behalf"]}
        click.echo(f"made {said['made']} by {said['node']} for {peer.get('caller', peer.get('transport', ''))}")
        click.echo(f"asked for: {asked or 'everything'}; searched up to record {said['through']['seq']}")
        click.echo(f"records {said['first']} to {said['last']}; checkpoint of record {said['checkpoint'] or '(none)'}")
    click.echo(f"{checked.records} records; {'whole' if checked.ok else 'BROKEN'}")


async def _fetch(config: Config, query: MultiDict[str], form: str, write: Callable[[bytes], object]) -> None:
    async with _pieces(config, query, form) as pieces:
        async for piece in pieces:
            write(piece)


@asynccontextmanager
async def _pieces(config: Config, query: MultiDict[str], form: str) -> AsyncIterator[AsyncIterator[bytes]]:
    """From the running proxy, or from the site itself where none runs."""
    async with connect(config.data_dir) as client:
        if client is not None:
            async with client.export(query, form) as pieces:
                yield pieces
            return
    from proxy.app import App

    app = App(config)
    await app.start(servers=False)
    try:
        yield (await app.stores.sinks.export.begin(question_of(query).selection, None, Peer("cli"), form)).pieces
    finally:
        await app.stop()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
