"""``veil audit verify``: check a chain offline, on the folder or on a copy of it."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from proxy.audit.verify import verify_folder


@click.group("audit")
def audit() -> None:
    """The audit stream."""


@audit.command("verify")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--anchor", help="SEQ:HASH noted earlier; the chain must still contain it (finds a cut tail)")
def verify(folder: Path, anchor: str | None) -> None:
    """Verify the chain in FOLDER (data/audit, or a copy). Status 1 when anything was changed, removed or cut."""
    result = verify_folder(folder)
    problems = [str(p) for p in result.problems]
    if anchor is not None:
        problems += _against(anchor, result.hashes)
    for problem in problems:
        click.echo(problem)
    click.echo(f"{result.records} records; last {result.seq}:{result.hash}; {'BROKEN' if problems else 'whole'}")
    if problems:
        sys.exit(1)
