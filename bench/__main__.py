"""``python -m bench [--quick] [--json PATH]``: measure everything in one run, print one table, write JSON."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import click
from rich.console import Console

from bench import audit_page, auditing, engine, large, pixels, reading, receiving, rivals, scaling, text, transport
from bench.report import Row, machine, markdown, table, write_json

_PARTS: dict[str, Callable[[bool, int], Iterator[Row]]] = {
    "engine": engine.measure,
    "rivals": rivals.measure,
    "scaling": scaling.measure,
    "pixels": pixels.measure,
    "text": text.measure,
    "receiving": receiving.measure,
    "transport": transport.measure,
    "memory": large.measure,
    "reading": reading.measure,
    "auditing": auditing.measure,
    "audit_page": audit_page.measure,
}
_DEFAULT = Path(__file__).parent / "results.json"


@click.command()
@click.option("--quick", is_flag=True, help="fewer repetitions, smaller instances: a check, not a measurement")
@click.option("--json", "path", type=click.Path(path_type=Path, dir_okay=False), default=_DEFAULT, help="the figures")
@click.option("--markdown", "text", type=click.Path(path_type=Path, dir_okay=False), help="the table for docs/")
@click.option("--seed", type=int, default=20260101, show_default=True, help="of the instances and the project's key")
@click.option("--only", multiple=True, type=click.Choice(sorted(_PARTS)), help="leave the other parts out")
def main(quick: bool, path: Path, text: Path | None, seed: int, only: tuple[str, ...]) -> None:
    """Measure Veil on this machine."""
    signal.signal(signal.SIGTERM, _stop)  # so that every started process is ended on the way out
    console, progress = Console(), Console(stderr=True)
    began, load = datetime.now(UTC), os.getloadavg()
    rows: list[Row] = []
    for name, measure in _PARTS.items():
        if not only or name in only:
            progress.print(f"measuring: {name} ...")
            rows.extend(measure(quick, seed))
    about = {
        "date": began.isoformat(timespec="seconds"),
        "seconds": round((datetime.now(UTC) - began).total_seconds(), 1),
        "quick": quick,
        "seed": seed,
        "load_before": load,
        "load_after": os.getloadavg(),
        "machine": machine(),
    }
    console.print(table(rows, f"Veil, {began:%Y-%m-%d}, {machine()['cores']} cores, seed {seed}"))
    write_json(path, rows, about)
    if text is not None:
        text.write_text(markdown(rows), encoding="utf-8")
    progress.print(f"written: {path}")
    sys.exit(1 if any(row.note.startswith(("failed", "held")) for row in rows) else 0)


def _stop(*_: object) -> NoReturn:
    raise SystemExit(143)


if __name__ == "__main__":
    main()
