"""Room on the disk that is kept for the last records: given back in steps, as the log needs it when the disk is full.

So that what is refused because the disk is full is recorded all the same. In steps, because whoever else fills the
disk would take a large piece at once; what the log needs now is rarely enough for an instance.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_STEP = 64 << 10


class Ballast:
    """A file of ``size`` bytes in ``folder`` that holds nothing."""

    def __init__(self, folder: Path, size: int = 8 << 20) -> None:
        """Nothing is reserved before `reserve`."""
        self._path, self._size = folder / "ballast", size

    def reserve(self) -> None:
        """Take the room, as far as there is any."""
        with contextlib.suppress(OSError):
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(fd, 0, self._size)
            finally:
                os.close(fd)

    def give(self, need: int) -> bool:
        """Room for ``need`` bytes and a little more; False where no more is left."""
        try:
            left = self._path.stat().st_size
            os.truncate(self._path, max(0, left - need - _STEP))
        except OSError:
            return False
        return left > 0

    def drop(self) -> None:
        """All of it: nobody writes here any more."""
        with contextlib.suppress(OSError):
            self._path.unlink()
