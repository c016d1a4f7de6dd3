"""Arenas that this process has open; those of other modules' tests in the same process do not count."""

from __future__ import annotations

import contextlib
import gc
import os

_EARLIER: set[int] = set()


def remember() -> None:
    """What is open now was open before this test."""
    _EARLIER.clear()
    _EARLIER.update(_inodes())


def arenas() -> int:
    """How many were opened since, and are open."""
    gc.collect()  # not in `remember`: what is garbage then was opened before too, and every test would wait for it
    return len(_inodes() - _EARLIER)


def _inodes() -> set[int]:
    found = set()
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            if "veil-instance" in os.readlink(f"/proc/self/fd/{number}"):
                found.add(os.fstat(int(number)).st_ino)
    return found
