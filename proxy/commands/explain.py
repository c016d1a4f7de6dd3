"""``veil explain``: what happens to each element of one file, by which rule. Status 0 released, 3 held.

Without ``--show-values`` no value of the file is printed, so the answer can be shown to anybody.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import click
from pydicom.datadict import keyword_for_tag
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from proxy.commands.options import config_option
from proxy.commands.policy import project_option, project_policy
from proxy.deid.contents import Reader
from proxy.deid.explained import Explained, examine, place, shown
from proxy.deid.place import Step
from proxy.deid.profile import Policy
from proxy.deid.tables import Tables, tag_text
from proxy.errors import InstanceHeld, Reason
from proxy.workers.text_reader import make_reader

#: before and after of one element
Values = Callable[[Step], tuple[str, str]]


@click.command("explain")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@config_option
@project_option
@click.option("--show-values", is_flag=True, help="print values before and after: they are PHI")
@click.option("--json", "as_json", is_flag=True, help="one JSON object")
def explain(file: Path, config_path: Path, project: str, show_values: bool, as_json: bool) -> None:
    """Explain what a project's rules do to FILE, element by element, with the section of PS3.15."""
    config, tables, policy = project_policy(config_path, project)
    if file.stat().st_size > config.limits.instance_bytes:
        raise click.ClickException(f"{file}: larger than limits.instance_bytes")
    data = memoryview(file.read_bytes())
    found = examined(data, policy)
    values = _values(data, found, tables, policy) if show_values else None
    (_print_json if as_json else _print_table)(file, found, values)
    sys.exit(3 if found.held is not None else 0)


def examined(data: memoryview, policy: Policy) -> Explained:
    """As `examine`; whatever else foreign bytes make a parser raise is the engine's error, its text unseen."""
    try:
        return examine(data, policy, make_reader())
    except Exception as error:  # noqa: BLE001 - a verb is a shell; the text of an error may quote the file
        return Explained((), b"", InstanceHeld(Reason.ENGINE_ERROR, type(error).__name__))


def verdict(held: InstanceHeld | None) -> str:
    """One line, without values."""
    if held is None:
        return "released"
    return f"held: {held}" + (f" at {tag_text(held.tag)}" if held.tag is not None else "")


def _values(data: memoryview, found: Explained, tables: Tables, policy: Policy) -> Values:
    reader = Reader(tables, policy.limits)
    try:
        before = reader.read(data)
        after = reader.read(memoryview(found.output)) if found.output else None
    except InstanceHeld:
        return lambda step: ("", "")

    def of(step: Step) -> tuple[str, str]:
        return shown(before, step.path, step.tag), shown(after, step.path, step.tag) if after is not None else ""

    return of


def _print_json(file: Path, found: Explained, values: Values | None) -> None:
    held = found.held
    document = {
        "file": str(file),
        "verdict": "held" if held is not None else "released",
        "reason": str(held.reason) if held is not None else "",
        "detail": held.detail if held is not None else "",
        "tag": tag_text(held.tag) if held is not None and held.tag is not None else "",
        "elements": [_row(step, values) for step in found.steps],
    }
    click.echo(json.dumps(document, ensure_ascii=False, indent=1))


def _row(step: Step, values: Values | None) -> dict[str, str]:
    row = {
        "place": place(step.path, step.tag),
        "keyword": keyword_for_tag(step.tag),
        "vr": step.vr,
        "action": step.action,
        "rule": step.rule,
        "section": step.section,
    }
    return row if values is None else row | dict(zip(("before", "after"), values(step), strict=True))


def _print_table(file: Path, found: Explained, values: Values | None) -> None:
    console = Console(markup=False, emoji=False, highlight=False)
    columns = ("place", "keyword", "VR", "action", "rule", "section", *(("before", "after") if values else ()))
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in columns:
        table.add_column(name, overflow="fold", no_wrap=name in ("place", "VR", "action", "section"))
    for step in found.steps:
        table.add_row(*_row(step, values).values())
    if found.steps:
        console.print(table)
    click.echo(f"{file}: {verdict(found.held)}")
