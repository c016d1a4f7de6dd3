"""``veil verify``: de-identified files against their originals, whoever de-identified them.

Status 0 everything corresponds and nothing leaked or was lost, 1 something leaked, 3 something else is not in order.
The CSV says which pseudonymous file came from which original: it is a crosswalk, so only its owner can read it.
"""

from __future__ import annotations

import csv
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from pydicom.datadict import keyword_for_tag, tag_for_keyword
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table

from proxy.deid.tables import tag_number, tag_text
from proxy.service.pairs import Compared, Unread, Verification
from proxy.store.rulebook import load_tables

COLUMNS = ("what", "original", "deidentified", "basis", "pixels", "why", "tag", "keyword", "place")
_WIDTH = 40
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


class Report:
    """Counts and the first correspondences; its size does not grow with the number of files."""

    def __init__(self, rows: int, original: Path, deidentified: Path) -> None:
        self._rows, self._tops = rows, (original, deidentified)
        self._shown: list[Compared] = []
        self._findings: Counter[tuple[str, str, int]] = Counter()
        self._broken: Counter[str] = Counter()
        self._pixels: Counter[str] = Counter()
        self._pairs = self._unread = 0

    def add(self, line: Compared | Unread) -> None:
        """Count one line; a correspondence with findings is shown before one without."""
        if isinstance(line, Unread):
            self._unread += 1
            return
        if line.certain:
            self._pairs += 1
            self._pixels[line.pixels] += 1
        self._findings.update({(f.what, f.why, f.tag) for f in line.findings})
        self._broken.update(line.broken)
        if line.certain or line.findings:
            self._shown.append(line)
        if len(self._shown) > 2 * self._rows:
            self._trim()

    def status(self, rest: Iterable[dict[str, str]]) -> int:
        """See the file's head; copies are no fault."""
        if any(what == "leak" for what, _, _ in self._findings):
            return 1
        other = self._findings or self._broken or self._unread or any(line["what"] != "copy" for line in rest)
        return 3 if other else 0

    def show(self, console: Console, rest: list[dict[str, str]]) -> None:
        """Tables of correspondences and findings, then what has no partner, then one line of counts."""
        self._trim()
        if self._shown:
            console.print(self._correspondences())
            if self._pairs > self._rows:
                console.print(f"and {self._pairs - self._rows} more; --csv FILE lists every one")
        if self._findings or self._broken:
            console.print(self._found())
        for line in rest:
            path = line["original"] or line["deidentified"]
            click.echo(f"{line['what']}: {path}" + (f" ({line['why']})" if line["why"] else ""))
        click.echo(self._summary(rest))

    def _trim(self) -> None:
        self._shown.sort(key=lambda line: not (line.findings or line.broken))
        del self._shown[self._rows :]

    def _correspondences(self) -> Table:
        table = _table("original", "de-identified", "by", "pixels", "leaks", "lost", "pseudonyms")
        for line in self._shown:
            counts = Counter(f.what for f in line.findings)
            wrong = ", ".join(line.broken)
            files = (_below(path, top) for path, top in zip((line.original, line.output), self._tops, strict=True))
            table.add_row(*files, line.basis, line.pixels, str(counts["leak"] or ""), str(counts["lost"] or ""), wrong)
        return table

    def _found(self) -> Table:
        table = _table("what", "tag", "keyword", "why", "files")
        for (what, why, tag), count in sorted(self._findings.items()):
            table.add_row(what, tag_text(tag), keyword_for_tag(tag), why, str(count))
        for why, count in sorted(self._broken.items()):
            table.add_row("inconsistent", "", "", why, str(count))
        return table

    def _summary(self, rest: list[dict[str, str]]) -> str:
        by = Counter(line["what"] for line in rest)
        leaks, lost = (
            sum(n for (what, _, _), n in self._findings.items() if what == each) for each in ("leak", "lost")
        )
        pixels = ", ".join(f"{self._pixels[word]} {word}" for word in ("same", "changed", "none") if self._pixels[word])
        return (
            f"{self._pairs} correspond (pixel data: {pixels or 'none'}); {leaks} leaks, {lost} lost attributes, "
            f"{sum(self._broken.values())} inconsistent; unmatched: {by['unmatched original']} originals, "
            f"{by['unmatched de-identified']} de-identified; {by['unread'] + self._unread} unread, {by['copy']} copies"
        )


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


def _below(path: Path, top: Path) -> str:
    text = str(path.relative_to(top)) if path != top else path.name
    return text if len(text) <= _WIDTH else f"…/{path.name}"


def _table(*columns: str) -> Table:
    table = Table()
    for name in columns:
        table.add_column(name, overflow="fold")
    return table


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
