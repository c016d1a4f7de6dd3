"""``veil rules``: device rules, which say what is blanked in the images of which device."""

from __future__ import annotations

import click

from proxy.commands.rules_coverage import coverage
from proxy.commands.rules_import import import_


@click.group("rules")
def rules() -> None:
    """Device rules: import a library, see which devices they answer for."""


rules.add_command(import_)
rules.add_command(coverage)
