"""What ``veil verify`` shows: counts, the first correspondences and all findings by attribute. No values.

Its size does not grow with the number of files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import click
from pydicom.datadict import keyword_for_tag
from rich.console import Console
from rich.table import Table

from proxy.deid.tables import tag_text
from proxy.service.pairs import Compared, Unread

_WIDTH = 40


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


def _below(path: Path, top: Path) -> str:
    text = str(path.relative_to(top)) if path != top else path.name
    return text if len(text) <= _WIDTH else f"…/{path.name}"


def _table(*columns: str) -> Table:
    table = Table()
    for name in columns:
        table.add_column(name, overflow="fold")
    return table
