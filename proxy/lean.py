"""A start that does nothing needless: no garbage collection, and of other libraries what is used here.

They import for their own convenience what happens to be installed, and each process would wait for it: structlog
formats tracebacks with rich (ours leave none to format), pydicom looks for other decoders than ours, and for what it
downloads its examples with.
"""

from __future__ import annotations

import gc
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


@contextmanager
def uncollected() -> Iterator[None]:
    """No garbage collection in this block: what a start makes stays, and to walk it again and again takes a sixth."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def import_pydicom() -> None:
    """Before any other module does."""
    with without("gdcm", "requests", "tqdm"):
        import pydicom  # noqa: F401 - so that who imports it next finds it, without what is hidden here
