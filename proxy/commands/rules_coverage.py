"""``veil rules coverage``: which devices have rules, which are read for text, which are held. Status 3 where some are.

Manufacturer and model are printed, as the Basic Profile keeps them; whatever else a header says only on demand.
"""

from __future__ import annotations

import csv
import io
import json
import mmap
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from proxy.commands.options import config_option
from proxy.commands.policy import project_option, project_policy
from proxy.deid.pixels.coverage import Answer, Device, answer
from proxy.deid.profile import Policy
from proxy.errors import Reason
from proxy.service.offline import find

Counts = Counter[tuple[Device, Answer]]
_COLUMNS = ("instances", "modality", "SOP class", "manufacturer", "model", "size", "answered by", "why")
#: shown only on demand: they name sites, people's words, and more
_VALUES = ("software", "station", "image type")
#: longest text of a header in a cell
_WIDTH = 40


@click.command("coverage")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, exists=True))
@config_option
@project_option
@click.option("--show-values", is_flag=True, help="also software, station name and Image Type: they may be PHI")
@click.option("--json", "form", flag_value="json", help="a JSON list")
@click.option("--csv", "form", flag_value="csv", help="CSV with a header")
def coverage(folder: Path, config_path: Path, project: str, show_values: bool, form: str | None) -> None:
    """Tell by device what answers for the pixels of the instances in DIR, under a project's profile."""
    _, _, policy = project_policy(config_path, project)
    counts = _counted(folder, policy, show_values)
    columns = (*_COLUMNS[:-2], *(_VALUES if show_values else ()), *_COLUMNS[-2:])
    rows = [_row(device, found, count, show_values) for (device, found), count in sorted(counts.items())]
    {"json": _print_json, "csv": _print_csv, None: _print_table}[form](columns, rows)
    if any(found.by == "held" for _, found in counts):
        sys.exit(3)


def _counted(folder: Path, policy: Policy, show_values: bool) -> Counts:
    counts: Counts = Counter()
    for source in find([folder]):
        with _mapped(source.path) as data:
            device, found = _answered(data, policy)
        if not show_values:
            device = replace(device, software="", station="", image_type="")
        counts[device, found] += 1
    return counts


def _answered(data: memoryview, policy: Policy) -> tuple[Device, Answer]:
    try:
        return answer(data, policy)
    except Exception as error:  # noqa: BLE001 - a verb is a shell; the text of an error may quote the file
        return Device(), Answer("held", f"{Reason.ENGINE_ERROR}: {type(error).__name__}")


@contextmanager
def _mapped(path: Path) -> Iterator[memoryview]:
    """The file's bytes, read from disk only where they are looked at."""
    with path.open("rb") as file:
        if not path.stat().st_size:
            yield memoryview(b"")
            return
        mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        yield memoryview(mapping)  # unmapped with the last view of it


def _row(device: Device, found: Answer, count: int, show_values: bool) -> tuple[str, ...]:
    size = f"{device.columns}x{device.rows}" if device.columns or device.rows else ""
    more = (device.software, device.station, device.image_type) if show_values else ()
    said = (device.modality, device.sop_class, device.manufacturer, device.model, size, *more)
    return (str(count), *(_plain(text) for text in said), found.by, found.detail)


def _plain(text: str) -> str:
    """One line that a terminal, a table and a spreadsheet show as it is."""
    shown = "".join(c if c.isprintable() else " " for c in text)[:_WIDTH]
    return f"'{shown}" if shown[:1] in ("=", "+", "-", "@") else shown


def _print_json(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    listed = [dict(zip(columns, row, strict=True)) | {"instances": int(row[0])} for row in rows]
    click.echo(json.dumps(listed, ensure_ascii=False, indent=1))


def _print_csv(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([columns, *rows])
    click.echo(out.getvalue(), nl=False)


def _print_table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    console = Console(markup=False, emoji=False, highlight=False)
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in columns:
        table.add_column(name, overflow="fold", justify="right" if name == "instances" else "left")
    for row in rows:
        table.add_row(*row)
    console.print(table)
    held = sum(int(row[0]) for row in rows if row[-2] == "held")
    click.echo(f"{sum(int(row[0]) for row in rows)} instances, {len(rows)} kinds, {held} held")
