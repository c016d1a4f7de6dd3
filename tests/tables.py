"""Tables in documents that are made of the code: each stands between ``<!-- name -->`` and ``<!-- /name -->``."""

from __future__ import annotations

from collections.abc import Callable, Mapping


def filled(page: str, tables: Mapping[str, Callable[[], list[str]]]) -> str:
    """``page`` with each of ``tables`` as it has to be."""
    for name, make in tables.items():
        head, rest = page.split(f"<!-- {name} -->")
        _, tail = rest.split(f"<!-- /{name} -->")
        table = "\n".join(make())
        page = f"{head}<!-- {name} -->\n{table}\n<!-- /{name} -->{tail}"
    return page
