"""``veil audit verify``: check a chain offline, on the folder or on a copy of it."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from proxy.audit.verify import read_anchor, verify_folder


@click.group("audit")
def audit() -> None:
    """The audit stream."""


@audit.command("verify")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--anchor", help="SEQ:HASH noted earlier; the chain must still contain it (finds a cut tail)")
def verify(folder: Path, anchor: str | None) -> None:
    """Verify the chain in FOLDER (data/audit, or a copy). Status 1 when anything was changed, removed or cut."""
    try:
        result = verify_folder(folder, read_anchor(anchor) if anchor else None)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--anchor") from None
    for problem in result.problems:
        click.echo(str(problem))
    click.echo(f"{result.records} records; last {result.seq}:{result.hash}; {'whole' if result.ok else 'BROKEN'}")
    if not result.ok:
        sys.exit(1)
