"""The tables of docs/dicomweb.md: made of the table of resources; each row names the tests that stand for it.

``python -m tests.dicomweb.conformance_table`` writes them into the page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import yaml

from proxy.dicomweb.resources import RESOURCES, Resource
from tests.tables import filled

PAGE = Path(__file__).parents[2] / "docs" / "dicomweb.md"
WORDS: dict[str, dict[Any, dict[str, Any]]] = yaml.safe_load(
    (Path(__file__).parent / "conformance.yaml").read_text(encoding="utf-8")
)


def _code(texts: Iterable[str]) -> str:
    return ", ".join(f"`{text}`" for text in texts)


def _tests(table: str, key: Any) -> str:
    return _code(WORDS[table][key]["tests"])


def resources() -> list[str]:
    """A row for each resource."""
    return [
        "| resource | method | PS3.18 | takes | gives | statuses | tests |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *(_resource(row) for row in RESOURCES),
    ]


def _resource(row: Resource) -> str:
    statuses = " ".join(map(str, row.statuses))
    cells = (f"`{row.path}`", row.method, row.section, _code(row.takes), _code(row.gives), statuses)
    return f"| {' | '.join(cells)} | {_tests('operations', row.operation)} |"


def parameters() -> list[str]:
    """A row for each query parameter."""
    used: dict[str, list[str]] = {}
    for row in RESOURCES:
        for name in row.parameters:
            used.setdefault(name, []).append(row.operation)
    kinds = {name: " ".join(dict.fromkeys(o.partition("-")[0] for o in where)) for name, where in used.items()}
    return [
        "| parameter | of | what | tests |",
        "| --- | --- | --- | --- |",
        *(
            f"| `{name}` | {kinds[name]} | {WORDS['parameters'][name]['what']} | {_tests('parameters', name)} |"
            for name in used
        ),
    ]


def statuses() -> list[str]:
    """A row for each status."""
    used = sorted({status for row in RESOURCES for status in row.statuses})
    rows = (f"| {status} | {WORDS['statuses'][status]['what']} | {_tests('statuses', status)} |" for status in used)
    return ["| status | when | tests |", "| --- | --- | --- |", *rows]


def media() -> list[str]:
    """A row for each media type."""
    used = dict.fromkeys(media for row in RESOURCES for media in (*row.takes, *row.gives))
    return ["| media type | tests |", "| --- | --- |", *(f"| `{each}` | {_tests('media', each)} |" for each in used)]


TABLES: dict[str, Callable[[], list[str]]] = {
    "resources": resources,
    "parameters": parameters,
    "statuses": statuses,
    "media": media,
}


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), TABLES), encoding="utf-8")
