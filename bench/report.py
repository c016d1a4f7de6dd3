"""What was measured, as rows; one table for people, one JSON for machines."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from rich.table import Table

_PACKAGES = ("dicom-veil", "pydicom", "pynetdicom", "aiohttp", "numpy")


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. ``value`` is a median or a single measurement; None where ``note`` says why there is none."""

    section: str
    name: str
    unit: str = ""
    value: float | None = None
    p95: float | None = None
    p99: float | None = None
    #: what it is compared with → how many times as much
    ratios: Mapping[str, float] = field(default_factory=dict)
    note: str = ""


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that is at least as large as ``share`` of all (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def timed(section: str, name: str, seconds: Sequence[float], ratios: Mapping[str, float], note: str = "") -> Row:
    """A row of milliseconds: median, p95, p99."""
    ms = [1000 * value for value in seconds]
    return Row(
        section, name, "ms", statistics.median(ms), quantile(ms, 0.95), quantile(ms, 0.99), ratios=ratios, note=note
    )


def table(rows: Sequence[Row], title: str) -> Table:
    """All rows; a section's name stands above its first."""
    caption = "value: the median where something was repeated; ratio: so many times what it is compared with"
    out = Table(title=title, title_justify="left", caption=caption, caption_justify="left")
    out.add_column("what")
    for name in ("value", "p95", "p99"):
        out.add_column(name, justify="right")
    for name in ("unit", "ratio", "note"):
        out.add_column(name)
    before = ""
    for row in rows:
        if row.section != before:
            out.add_section()
            out.add_row(f"[bold]{row.section}[/bold]")
        cells = [_figure(row.value), _figure(row.p95), _figure(row.p99)]
        out.add_row(f"  {row.name}", *cells, row.unit, "\n".join(_ratios(row)), row.note)
        before = row.section
    return out


def markdown(rows: Sequence[Row]) -> str:
    """The same rows for docs/performance.md: a table for each section."""
    lines: list[str] = []
    before = ""
    for row in rows:
        if row.section != before:
            heads = f"| {row.section} | value | p95 | p99 | unit | ratio | note |"
            lines += ["", heads, "|---|---:|---:|---:|---|---|---|"]
        cells = [_figure(row.value), _figure(row.p95), _figure(row.p99), row.unit, ", ".join(_ratios(row)), row.note]
        lines.append(f"| {row.name} | " + " | ".join(cells) + " |")
        before = row.section
    return "\n".join(lines).strip() + "\n"


def _ratios(row: Row) -> list[str]:
    return [f"{_figure(times)} x {what}" for what, times in row.ratios.items()]


def _figure(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def machine() -> dict[str, Any]:
    """What the figures were taken on; no names of hosts or paths."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "architecture": platform.machine(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _PACKAGES},
    }


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def write_json(path: Path, rows: Sequence[Row], about: Mapping[str, Any]) -> None:
    """``about`` and the rows, one object."""
    document = {**about, "rows": [dataclasses.asdict(row) for row in rows]}
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
