"""``veil rules import``: a site's CTP script or deid recipe as a file of device rules. Status 1 when anything is wrong.

Nothing is dropped silently: a line that cannot be translated stops the import, unless the operator leaves it out.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import yaml

from proxy.deid.pixels.device_words import read_devices
from proxy.deid.pixels.import_ctp import import_ctp
from proxy.deid.pixels.import_deid import import_deid
from proxy.deid.pixels.imported import Imported, Problem
from proxy.errors import ConfigError

_READERS: dict[str, tuple[str, Callable[[str, str], Imported]]] = {
    "ctp": ("CTP DicomPixelAnonymizer script", import_ctp),
    "deid": ("pydicom/deid recipe", import_deid),
}


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="the YAML file to write")
@click.option("--from", "kind", type=click.Choice(sorted(_READERS)), help="what FILE is; by default its text tells")
@click.option(
    "--other-sizes",
    type=click.Choice(["refuse", "ignore"]),
    default="refuse",
    show_default=True,
    help="an image of a device that has rules, but none for its size: hold it, or go on as if it had none",
)
@click.option("--leave-out", is_flag=True, help="write what can be translated; the rest is listed in the file")
def import_(file: Path, out: Path, kind: str | None, other_sizes: str, leave_out: bool) -> None:
    """Translate FILE, a CTP DicomPixelAnonymizer script or a pydicom/deid recipe, into device rules."""
    text = _text(file)
    tool, reader = _READERS[kind or _kind(file, text)]
    imported = reader(text, other_sizes)
    _say("not about pixels, left out", file, imported.notes)
    _say("left out" if leave_out else "cannot be translated", file, imported.problems)
    if not imported.rules or (imported.problems and not leave_out):
        more = "" if not imported.rules else "; --leave-out writes the other rules"
        click.echo(f"{len(imported.problems)} problems: nothing was written{more}", err=True)
        sys.exit(1)
    document = imported.document(out.stem, f"Imported from a {tool}.")
    read_devices(out.stem, document)  # what is written also loads
    _write(out, tool, imported, document)
    sized = sum("sizes" in rule for rule in imported.rules)
    click.echo(
        f"wrote {out}: {len(imported.rules)} rules, {sized} for a matrix size, {len(imported.problems)} left out"
    )
    click.echo(
        f"next: put it into the folder of device rules and name it in a profile: pixels: {{devices: [{out.stem}]}}"
    )


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        return file.read_text(encoding="latin_1")  # comments of any age; what counts is ASCII
    except OSError as error:
        raise ConfigError(str(file), error.strerror or "cannot be read") from None


def _kind(file: Path, text: str) -> str:
    if re.search(r"(?m)^\s*%filter\b", text):
        return "deid"
    if re.search(r"\{[^}]*\.\w+\s*\(", text):
        return "ctp"
    raise ConfigError(str(file), "neither a CTP script nor a deid recipe", "say which: --from")


def _say(what: str, file: Path, problems: tuple[Problem, ...]) -> None:
    for problem in problems:
        click.echo(f"{file}: line {problem.line}: {what}: {problem.what}", err=True)


def _write(out: Path, tool: str, imported: Imported, document: dict[str, Any]) -> None:
    head = [f"# Device rules, imported by veil from a {tool}. Look at what each blanks before it is used: veil pixels"]
    head.append("# preview. The words are described in rules/README.md.")
    for what, problems in (("left out", imported.problems), ("not about pixels", imported.notes)):
        head += [f"# {what}, line {problem.line}: {' '.join(problem.what.split())}" for problem in problems]
    body = yaml.safe_dump(document, sort_keys=False, default_flow_style=None, width=110, allow_unicode=True)
    try:
        with out.open("x", encoding="utf-8") as written:
            written.write("\n".join(head) + "\n" + body)
    except FileExistsError:
        raise ConfigError(str(out), "already exists; nothing was written") from None
    except OSError as error:
        raise ConfigError(str(out), error.strerror or "cannot be written") from None
