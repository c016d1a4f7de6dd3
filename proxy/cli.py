"""``veil``: the command line. Verbs live in `proxy.commands` and are imported when they are called.

This file maps errors to one line and an exit status: 0 done, 1 something failed, 2 a config, key or rules file is wrong
(nothing was started), 3 some instances are held.
"""

from __future__ import annotations

import importlib
import sys

import click

from proxy import __version__
from proxy.errors import ConfigError, VeilError

#: verb → module of `proxy.commands` that holds a command of that name (- is _), in the order of the help
VERBS = {
    "init": "init",
    "check": "check",
    "serve": "serve",
    "deid": "deid",
    "reload": "reload",
    "status": "status",
    "retry": "status",
    "destination": "destination",
    "quarantine": "quarantine",
    "audit": "audit",
    "health": "health",
    "demo": "demo",
    "verify": "verify",
    "explain": "explain",
    "diff-rules": "diff_rules",
    "conformance": "conformance",
    "rules": "rules",
    "pixels": "pixels",
    "deface": "deface",
    "decrypt": "decrypt",
    "reidentify": "reidentify",
    "viewer": "viewer",
    "token": "token",
    "user": "user",
    "certs": "certs",
}


class Verbs(click.Group):
    """A group whose commands are imported on demand: a health check does not pay for a server."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of `VERBS`."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the verb's module."""
        if cmd_name not in VERBS:
            return None
        command = getattr(importlib.import_module(f"proxy.commands.{VERBS[cmd_name]}"), cmd_name.replace("-", "_"))
        assert isinstance(command, click.Command)
        return command


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="veil")
def veil() -> None:
    """A de-identifying DICOM proxy. First steps: veil demo, or veil init DIR and veil serve -c DIR/veil.yaml."""


def main() -> None:
    """Entry point of the installed command."""
    try:
        status = veil.main(standalone_mode=False)
        sys.exit(status if isinstance(status, int) else 0)
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
