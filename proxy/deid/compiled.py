"""How the core compiles its kernels: numba, without the interpreter lock, cached beside the source or in the home.

Where nothing can be cached (a read-only image without a home) they are compiled at each start; the result is the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(function: Callable[..., Any], *, inside: bool = False) -> Callable[..., Any]:
    """Decorator: ``function`` as machine code, compiled when it is first called with its types."""
    try:
        return njit(cache=True, nogil=True, forceinline=inside)(function)
    except RuntimeError:  # numba finds no folder that it may write to
        return njit(nogil=True, forceinline=inside)(function)


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: a part of a kernel, compiled into whatever calls it; parting a long kernel costs nothing then."""
    return compiled(function, inside=True)
