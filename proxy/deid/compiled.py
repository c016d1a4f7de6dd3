"""How the core compiles its kernels: numba, without the interpreter lock, cached beside the source or in the home.

Where nothing can be cached (a read-only image without a home) they are compiled at each start; the result is the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(function: Callable[..., Any], **more: Any) -> Callable[..., Any]:
    """Decorator: ``function`` as machine code, compiled when it is first called with its types."""
    kernel: Callable[..., Any]
    try:
        kernel = njit(cache=True, nogil=True, **more)(function)
    except RuntimeError:  # numba finds no folder that it may write to
        kernel = njit(nogil=True, **more)(function)
    return kernel


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: a part of a kernel, compiled into whatever calls it; parting a long kernel costs nothing then.

    It may make no arrays. numba counts the references of each array that goes into a part and comes back, by atomic
    instructions that take longer than most parts: what makes no array needs no counting.
    """
    return compiled(function, forceinline=True, _nrt=False)
