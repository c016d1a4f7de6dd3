"""Imports of libraries without what they import for their own convenience, where it happens to be installed.

Nothing here uses it, and each process would wait for it: structlog formats tracebacks with rich (ours leave none to
format), pydicom looks for other decoders than ours, and for what it downloads its examples with.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast


@contextmanager
def without(*names: str) -> Iterator[None]:
    """In this block, packages of these ``names`` that nobody has imported yet are as if they were not installed."""
    modules = cast(dict[str, Any], sys.modules)
    absent = [name for name in names if name not in modules]
    modules.update(dict.fromkeys(absent))
    try:
        yield
    finally:
        for name in absent:
            del modules[name]


def import_pydicom() -> None:
    """Before any other module does."""
    with without("gdcm", "requests", "tqdm"):
        import pydicom  # noqa: F401
