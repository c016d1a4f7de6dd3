"""Rows become a table and JSON; a figure that is missing says why."""

from __future__ import annotations

import io
import json
from pathlib import Path

from rich.console import Console

from bench.report import Row, machine, markdown, quantile, table, timed, write_json

ROWS = [
    Row("transport", "straight", "s", 0.5),
    Row("transport", "Veil", "s", 2.0, ratios={"straight": 4.0}, note="200/s"),
    Row("memory", "peak", note="skipped: storescp not installed"),
]


def test_the_table_shows_figures_ratios_and_what_was_skipped() -> None:
    console = Console(file=io.StringIO(), width=200)
    console.print(table(ROWS, "title"))
    text = console.file.getvalue()
    for part in ("title", "0.5", "4 x straight", "200/s", "skipped: storescp not installed"):
        assert part in text
    assert text.count("transport") == 1


def test_the_json_holds_the_same(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write_json(path, ROWS, {"seed": 7, "machine": machine()})
    document = json.loads(path.read_text())
    assert document["seed"] == 7
    assert [row["name"] for row in document["rows"]] == ["straight", "Veil", "peak"]
    assert document["rows"][1]["ratios"] == {"straight": 4.0}
    assert document["machine"]["cores"] >= 1


def test_the_page_for_the_docs_has_a_table_for_each_section() -> None:
    lines = markdown(ROWS).splitlines()
    assert [line for line in lines if line.startswith("|---")] == ["|---|---:|---:|---:|---|---|---|"] * 2
    assert "| Veil | 2 | - | - | s | 4 x straight | 200/s |" in lines
    assert all(line.count("|") == 8 for line in lines if line)


def test_quantiles_are_values_that_occurred() -> None:
    values = [float(n) for n in range(1, 101)]
    assert [quantile(values, share) for share in (0.5, 0.95, 0.99, 1.0)] == [50, 95, 99, 100]
    assert quantile([3.0], 0.99) == 3.0


def test_times_are_told_in_milliseconds() -> None:
    row = timed("s", "n", [0.001, 0.002, 0.009], {})
    assert (row.value, row.p95, row.unit) == (2.0, 9.0, "ms")
