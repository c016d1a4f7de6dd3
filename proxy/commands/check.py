"""``veil check``: everything a start would check, without starting: document, keys, tokens, viewer, profiles, rules."""

from __future__ import annotations

from pathlib import Path

import click

from proxy.admission import check_callers
from proxy.certificates import check_certificates
from proxy.commands.options import config_option
from proxy.config import load_config
from proxy.identity import load_drawers
from proxy.site import key_values, load_policies, make_viewer


@click.command("check")
@config_option
def check(config_path: Path) -> None:
    """Validate a veil.yaml with its keys and rules; nothing is started or written."""
    config = load_config(config_path)
    key_values(config)
    if config.audit.key_file is None:
        click.echo("audit.key_file: none, so no checkpoint of the audit stream is signed; see docs/audit.md")
    check_callers(config)
    load_drawers(config)
    for line in check_certificates(config):
        click.echo(line)
    if (build := make_viewer(config)) is not None:
        build.files()
    for name, policy in load_policies(config).items():
        project = config.projects[name]
        click.echo(
            f"project {name}: AE {', '.join(project.ae_titles)}; /dicomweb/{project.path}; profile {project.profile}; "
            f"policy {policy.digest[:16]}; to {', '.join(project.destinations)}"
        )
    click.echo(f"{config_path}: good")
