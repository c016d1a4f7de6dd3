"""``veil init DIR``: a commented veil.yaml, one project and fresh keys. Never overwrites anything."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import click

from proxy.errors import ConfigError
from proxy.store.keys import create_key


def write_site(folder: Path, document: str | None = None) -> Path:
    """Make ``folder`` servable; returns the path of its veil.yaml. `ConfigError` where anything stands already."""
    target = folder / "veil.yaml"
    keys = tuple(folder / "keys" / f"{name}.key" for name in ("node", "research", "audit"))
    for path in (target, *keys):
        if path.exists():
            raise ConfigError(str(path), "already exists; nothing was written", "choose another folder")
    (folder / "keys").mkdir(parents=True, exist_ok=True)
    (folder / "keys").chmod(0o700)
    for path in keys:
        create_key(path)
    if document is None:
        document = resources.files("proxy.commands").joinpath("veil.yaml.template").read_text(encoding="utf-8")
    with target.open("x", encoding="utf-8") as file:
        file.write(document)
    return target


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def init(folder: Path) -> None:
    """Write veil.yaml, a project called research and its keys into FOLDER."""
    path = write_site(folder)
    click.echo(f"wrote {path} and {folder / 'keys'}/ (keep the keys: without them pseudonyms cannot be made again)")
    click.echo(f"next: veil serve -c {path}")
