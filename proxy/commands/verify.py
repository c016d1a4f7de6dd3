"""``veil verify``: de-identified files against their originals, whoever de-identified them.

Status 0 everything corresponds and nothing leaked or was lost, 1 something leaked, 3 something else is not in order.
The CSV says which pseudonymous file came from which original: it is a crosswalk, so only its owner can read it.
"""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from pydicom.datadict import keyword_for_tag, tag_for_keyword
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from proxy.commands.verify_report import Report
from proxy.deid.tables import tag_number, tag_text
from proxy.service.pairs import Compared, Unread, Verification
from proxy.store.rulebook import load_tables

COLUMNS = ("what", "original", "deidentified", "basis", "pixels", "why", "tag", "keyword", "place")
_FOLDER = click.Path(path_type=Path, exists=True)


@click.command("verify")
@click.argument("original", type=_FOLDER)
@click.argument("deidentified", type=_FOLDER)
@click.option("--csv", "out", type=click.Path(path_type=Path, dir_okay=False), help="every line of the report, as CSV")
@click.option("--rows", default=40, show_default=True, help="correspondences shown; the CSV has all of them")
@click.option("--retained", multiple=True, help="an attribute that stays on purpose, by keyword or tag; repeatable")
def verify(original: Path, deidentified: Path, out: Path | None, rows: int, retained: tuple[str, ...]) -> None:
    """Pair the files of DEIDENTIFIED with those of ORIGINAL; report leaks and lost attributes. No values are shown."""
    console = Console(markup=False, emoji=False, highlight=False)
    report = Report(rows, original, deidentified)
    tags = frozenset(map(_tag, retained))
    with _progress() as progress, _csv(out) as sheet:
        verification = Verification(load_tables(), original, deidentified, progress, tags)
        for line in verification.compare():
            report.add(line)
            sheet.writerows(_lines(line))
        rest = list(_rest(verification))
        sheet.writerows(rest)
    report.show(console, rest)
    sys.exit(report.status(rest))


def _lines(line: Compared | Unread) -> Iterator[dict[str, str]]:
    if isinstance(line, Unread):
        yield _line("unread", original=str(line.path), why=line.reason)
        return
    files = {"original": str(line.original), "deidentified": str(line.output)}
    what = "correspondence" if line.certain else "candidate"
    yield _line(what, **files, basis=line.basis, pixels=line.pixels)
    for finding in line.findings:
        tag = {"tag": tag_text(finding.tag), "keyword": keyword_for_tag(finding.tag), "place": finding.place}
        yield _line(finding.what, **files, why=finding.why, **tag)
    for why in line.broken:
        yield _line("inconsistent", **files, why=why)


def _rest(verification: Verification) -> Iterator[dict[str, str]]:
    originals, outputs = verification.unmatched()
    for path in originals:
        yield _line("unmatched original", original=str(path))
    for path in outputs:
        yield _line("unmatched de-identified", deidentified=str(path))
    for column, side in (("original", verification.originals), ("deidentified", verification.outputs)):
        for unread in side.unread:
            yield _line("unread", **{column: str(unread.path)}, why=unread.reason)
        for copy, first in side.copies:
            yield _line("copy", **{column: str(copy)}, why=f"is {first}")


def _line(what: str, **cells: str) -> dict[str, str]:
    return dict.fromkeys(COLUMNS, "") | {"what": what} | cells


def _tag(text: str) -> int:
    tag = tag_for_keyword(text) or tag_number(text.upper())
    if tag is None:
        raise click.BadParameter(f"'{text}' is no attribute", param_hint="--retained")
    return int(tag)


class _Nowhere:
    def writerows(self, lines: Iterable[dict[str, str]]) -> None:
        """Nothing was asked for."""


@contextmanager
def _csv(path: Path | None) -> Iterator[Any]:
    if path is None:
        yield _Nowhere()
        return
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        os.fchmod(fd, 0o600)
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}") from None
    with open(fd, "w", newline="", encoding="utf-8") as file:
        sheet = csv.DictWriter(file, COLUMNS)
        sheet.writeheader()
        yield sheet


@contextmanager
def _progress() -> Iterator[Any]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def tell(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done)

        yield tell
