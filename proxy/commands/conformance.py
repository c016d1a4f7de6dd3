"""``veil conformance``: the conformance statement of PS3.15 E.1.3, generated from the running profile of a project."""

from __future__ import annotations

from pathlib import Path

import click

from proxy.commands.options import config_option
from proxy.commands.policy import project_option, project_policy
from proxy.deid.conformance import statement


@click.command("conformance")
@config_option
@project_option
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="a Markdown file instead of stdout")
def conformance(config_path: Path, project: str, out: Path | None) -> None:
    """Say what a project's de-identification removes, replaces, inserts and retains (PS3.15 E.1.3)."""
    _, tables, policy = project_policy(config_path, project)
    text = statement(policy, tables)
    if out is None:
        click.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{out}: {error.strerror}") from None
    click.echo(f"wrote {out}")
