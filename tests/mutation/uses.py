"""Which modules of the core are made of which: by what they import from each other, however indirectly."""

from __future__ import annotations

import ast
from pathlib import Path

_PACKAGE = "proxy.deid"


def made_of(path: Path) -> set[str]:
    """The module of ``path`` and those beside it that use it."""
    imported = {each.stem: _imported(each) for each in path.parent.glob("*.py")}
    found, fresh = {path.stem}, [path.stem]
    while fresh:
        name = fresh.pop()
        using = {each for each, names in imported.items() if name in names} - found
        found |= using
        fresh += using
    return found


def _imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == _PACKAGE:
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{_PACKAGE}."):
            names.add(str(node.module).removeprefix(f"{_PACKAGE}."))
    return names
