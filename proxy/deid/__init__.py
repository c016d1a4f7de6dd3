"""The pure core: encoded instance in, de-identified chunks and a report out. No I/O, clock, globals or logging.

``from proxy.deid import Deidentifier`` is the entry for notebooks; it is imported when asked for, not before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from proxy.deid.api import Deidentifier as Deidentifier

__all__ = ["Deidentifier"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from proxy.deid import api

    return getattr(api, name)
