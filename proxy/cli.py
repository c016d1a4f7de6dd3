"""``veil``: the command line. Verbs live in `proxy.commands`; this file maps errors to one line and an exit status.

Status: 0 done, 1 something failed, 2 a config, key or rules file is wrong (nothing was started), 3 some instances held.
"""

from __future__ import annotations

import sys

import click

from proxy import __version__
from proxy.commands.audit import audit
from proxy.commands.check import check
from proxy.commands.deid import deid
from proxy.commands.demo import demo
from proxy.commands.health import health
from proxy.commands.init import init
from proxy.commands.quarantine import quarantine
from proxy.commands.serve import serve
from proxy.errors import ConfigError, VeilError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="veil")
def veil() -> None:
    """A de-identifying DICOM proxy. First steps: veil demo, or veil init DIR and veil serve -c DIR/veil.yaml."""


for command in (init, check, serve, deid, quarantine, audit, health, demo):
    veil.add_command(command)


def main() -> None:
    """Entry point of the installed command."""
    try:
        veil.main(standalone_mode=False)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as wrong:
        wrong.show()
        sys.exit(wrong.exit_code)
    except click.Abort:
        sys.exit(130)
    except ConfigError as error:
        click.echo(f"veil: {error}", err=True)
        sys.exit(2)
    except VeilError as error:
        click.echo(f"veil: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
