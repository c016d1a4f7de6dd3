"""One instance's bytes in anonymous memory (memfd), shared with a worker by file descriptor.

Received bytes are clear PHI: they live here and nowhere else, never in a named file. `freeze` seals them against any
change before a worker sees them: a worker that went wrong can neither alter what quarantine keeps nor shrink the file
under the parent's feet (SIGBUS). Linux only (memfd_create(2)).
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import mmap
import os
from types import TracebackType
from typing import Self

_KEEP_SIZE = 1  # FALLOC_FL_KEEP_SIZE of fallocate(2)
_LIBC = ctypes.CDLL(None, use_errno=True)
_FROZEN = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL


class ArenaFull(Exception):
    """More bytes were written than the arena's limit allows."""


class Arena:
    """An append-only byte buffer with a hard limit. Close it when the instance has an outcome."""

    def __init__(self, limit: int) -> None:
        """``limit`` in bytes; `write` beyond it raises `ArenaFull`."""
        self.fd = os.memfd_create("veil-instance", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        self.limit = limit
        self.size = 0
        self._reserved = 0
        self._keepers, self._closed = 0, False
        self._map: mmap.mmap | None = None

    def reserve(self, size: int) -> None:
        """Have the kernel find memory for ``size`` bytes now. OSError where it has none."""
        if _LIBC.fallocate(self.fd, _KEEP_SIZE, ctypes.c_int64(0), ctypes.c_int64(size)) != 0:
            raise OSError(ctypes.get_errno(), "fallocate")
        self._reserved = size

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Append ``data``; returns the number of bytes written, always all of them."""
        view = memoryview(data)
        if self.size + len(view) > self.limit:
            raise ArenaFull(f"more than {self.limit} bytes")
        done = 0
        while done < len(view):
            done += os.write(self.fd, view[done:])
        self.size += done
        return done

    def adopt(self) -> None:
        """Take the size from the descriptor, after someone else wrote through it."""
        self.size = os.fstat(self.fd).st_size

    def freeze(self) -> None:
        """From now on nobody can change the bytes, through this or any other descriptor. Harmless when repeated."""
        if self._reserved > self.size:
            os.ftruncate(self.fd, self.size)  # what was reserved and is not needed
            self._reserved = 0
        if fcntl.fcntl(self.fd, fcntl.F_GET_SEALS) & _FROZEN != _FROZEN:
            fcntl.fcntl(self.fd, fcntl.F_ADD_SEALS, _FROZEN)

    def view(self) -> memoryview:
        """The bytes, read-only and uncopied; valid until `close`."""
        if self.size == 0:
            return memoryview(b"")
        if self.fd < 0:  # mmap would give anonymous memory for it, all zeros
            raise ValueError("the arena is closed")
        if self._map is None:
            # private: a shared mapping of a writable descriptor would forbid the seal against writing
            self._map = mmap.mmap(self.fd, self.size, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)
        return memoryview(self._map)

    def keep(self) -> None:
        """For work that goes on when the owner has closed it; `release` must follow."""
        self._keepers += 1

    def release(self) -> None:
        """The counterpart of `keep`."""
        self._keepers -= 1
        if self._closed:
            self.close()

    def close(self) -> None:
        """Give the memory back, or have the last keeper do so. Safe to repeat.

        Views still held elsewhere keep their pages until they are dropped.
        """
        self._closed = True
        if self._keepers:
            return
        if self._map is not None:
            with contextlib.suppress(BufferError):  # a view is still alive somewhere; its owner drops the pages
                self._map.close()
            self._map = None
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.close()
