"""Disks that are full, read-only, hung or the place where a process is killed, for the files of one folder each.

`Disks` stands in for the module `os` in `proxy.audit.sink_file`; whatever nobody has spoiled is the real thing.
"""

from __future__ import annotations

import contextlib
import errno
import os
import random
import signal
import threading
from pathlib import Path
from typing import Any


class Good:
    """A disk as it should be, and what the others go wrong by."""

    def write(self, fd: int, data: memoryview) -> int:
        return os.write(fd, data)

    def fdatasync(self, fd: int) -> None:
        os.fdatasync(fd)

    def open(self, path: Path, flags: int, mode: int) -> int:
        return os.open(path, flags, mode)

    def mend(self) -> None:
        """It is good from now on."""


class Full(Good):
    """ENOSPC once ``room`` bytes are written; what is cut off again makes no room."""

    def __init__(self, room: int) -> None:
        self._room = room

    def write(self, fd: int, data: memoryview) -> int:
        if self._room <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = os.write(fd, data[: self._room])
        self._room -= written
        return written


class Filled(Good):
    """The file system of ``folder``, a small one of its own, is filled by somebody else: no injection at all."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self._filler = folder / "somebody-elses"
        with self._filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(1 << 16))
        os.truncate(self._filler, self._filler.stat().st_size - chance.randrange(2) * 4096)

    def mend(self) -> None:
        self._filler.unlink()


class ReadOnly(Good):
    """As ext4 after an error of the medium (errors=remount-ro), or a folder whose rights somebody took away."""

    def __init__(self, code: int) -> None:
        self._code = code

    def write(self, fd: int, data: memoryview) -> int:
        raise OSError(self._code, os.strerror(self._code))

    def open(self, path: Path, flags: int, mode: int) -> int:
        raise OSError(self._code, os.strerror(self._code))


class Hung(Good):
    """The write, or the fdatasync behind it, returns when the disk is mended, and then it has been done."""

    def __init__(self, *, in_write: bool) -> None:
        self._in_write, self._mended = in_write, threading.Event()

    def write(self, fd: int, data: memoryview) -> int:
        if self._in_write:
            self._mended.wait()
        return os.write(fd, data)

    def fdatasync(self, fd: int) -> None:
        if not self._in_write:
            self._mended.wait()
        os.fdatasync(fd)

    def mend(self) -> None:
        self._mended.set()


class Deadly(Good):
    """SIGKILL for this process at its ``at``-th call: before it, when a part is written, or after it."""

    def __init__(self, at: int, chance: random.Random) -> None:
        self._left, self._chance = at, chance

    def _strikes(self) -> bool:
        self._left -= 1
        return self._left == 0

    def write(self, fd: int, data: memoryview) -> int:
        if self._strikes():
            os.write(fd, data[: self._chance.randrange(len(data) + 1)])
            os.kill(os.getpid(), signal.SIGKILL)
        return os.write(fd, data)

    def fdatasync(self, fd: int) -> None:
        strikes, after = self._strikes(), self._chance.random() < 0.5
        if after:
            os.fdatasync(fd)
        if strikes:
            os.kill(os.getpid(), signal.SIGKILL)
        if not after:
            os.fdatasync(fd)


class Disks:
    """In the place of `os`: `spoil` the files of a folder, `mend` them."""

    def __init__(self) -> None:
        self._bad: dict[Path, Good] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def spoil(self, folder: Path, fault: Good) -> None:
        self._bad[folder] = fault

    def mend(self, folder: Path) -> None:
        self._bad.pop(folder).mend()

    def _of(self, fd: int) -> Good:
        return self._bad.get(Path(os.readlink(f"/proc/self/fd/{fd}")).parent, _GOOD)

    def write(self, fd: int, data: memoryview) -> int:
        return self._of(fd).write(fd, data)

    def fdatasync(self, fd: int) -> None:
        self._of(fd).fdatasync(fd)

    def open(self, path: Path, flags: int, mode: int = 0o777) -> int:
        return self._bad.get(Path(path).parent, _GOOD).open(path, flags, mode)


_GOOD = Good()
