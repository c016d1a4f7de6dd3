"""Small helpers that make bytes durable: write all of them, fsync the file, rename, fsync the folder.

A failed fsync ends the process and is never retried: the kernel may have dropped the dirty pages, so a second fsync
that succeeds would prove nothing. What a full disk does is told as `SpoolFull`, other trouble as `Unavailable`.
Messages name the operation and the errno, never a path from the wire or a value.
"""

from __future__ import annotations

import errno
import os
import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn, TypeVar

from proxy.errors import SpoolFull, Unavailable

T = TypeVar("T")

#: BSD sysexits EX_SOFTWARE: the supervisor starts us again, and recovery reads what really is on disk.
EXIT_NOT_DURABLE = 70
#: Every temporary file starts so; the janitors know them by it.
TEMP_PREFIX = ".tmp-"
#: No space, quota reached, RLIMIT_FSIZE reached.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def end_process(what: str) -> NoReturn:
    """One line on stderr, then the end, without cleanup: nothing later may be acknowledged on a broken promise."""
    with suppress(OSError):
        sys.stderr.write(f"veil: {what}: durability can no longer be promised, ending the process\n")
        sys.stderr.flush()
    os._exit(EXIT_NOT_DURABLE)


def fsync(fd: int, what: str) -> None:
    """fsync(2) of a file or a folder. Does not return when it fails."""
    try:
        os.fsync(fd)
    except OSError as error:
        end_process(f"fsync of {what} failed ({_name(error)})")


def write_all(fd: int, pieces: Sequence[bytes | bytearray | memoryview]) -> int:
    """Write every piece, in order, whatever short writes the kernel makes; returns the number of bytes."""
    total = 0
    for piece in pieces:
        view = memoryview(piece).cast("B")
        done = 0
        while done < len(view):
            done += os.write(fd, view[done:])
        total += done
    return total


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn an `OSError` of the block into `SpoolFull` or `Unavailable`."""
    try:
        yield
    except OSError as error:
        kind = SpoolFull if error.errno in _FULL else Unavailable
        raise kind(f"{what}: {_name(error)}") from None


class Folder:
    """One private folder (0700) in which files appear whole or not at all. Thread-safe."""

    def __init__(self, root: Path, what: str, durable: bool = True) -> None:
        """Make ``root`` if it is missing; ``what`` names it in messages ("spool").

        Not ``durable``: nothing is fsynced, for files that can be made again and are not trusted after a start.
        """
        self.root, self.what, self._durable = root, what, durable
        with translated(what):
            make_folder(root)
            self._fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def publish(self, name: str, fill: Callable[[int], T]) -> T:
        """Let ``fill`` write a temporary file, fsync it, rename it to ``name``, fsync the folder.

        Whatever goes wrong before the rename leaves no file behind. An existing ``name`` is replaced, whole or not.
        """
        temp = TEMP_PREFIX + secrets.token_hex(12)
        with translated(self.what):
            fd = self._new(temp)
            try:
                try:
                    result = fill(fd)
                    self._fsync(fd)
                finally:
                    os.close(fd)
                self._rename(temp, name)
            except BaseException:
                self.drop(temp)
                raise
        self.sync()
        return result

    def place(self, fill: Callable[[int], str]) -> tuple[str, int]:
        """Let ``fill`` write a temporary file and say what its name is to be, one that was never used; rename it.

        Returns the name and the descriptor. Nothing is durable, and nothing may refer to the name, until `settle`.
        """
        temp = TEMP_PREFIX + secrets.token_hex(12)
        with translated(self.what):
            fd = self._new(temp)
            try:
                name = fill(fd)
                self._rename(temp, name)
            except BaseException:
                os.close(fd)
                self.drop(temp)
                raise
        return name, fd

    def settle(self, fd: int) -> None:
        """Make a file of `place` durable, its bytes and its name, and close it.

        After the rename, so that a journalling file system writes both with one commit: nothing depends on the order,
        because nothing refers to the name before this returns, and a janitor removes what nothing refers to.
        """
        try:
            self._fsync(fd)
        finally:
            os.close(fd)
        self.sync()

    def _new(self, temp: str) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(temp, flags, 0o600, dir_fd=self._fd)

    def _rename(self, temp: str, name: str) -> None:
        os.rename(temp, name, src_dir_fd=self._fd, dst_dir_fd=self._fd)

    def _fsync(self, fd: int) -> None:
        if self._durable:
            fsync(fd, self.what)

    def sync(self) -> None:
        """fsync the folder: the names in it are durable."""
        if self._durable:
            fsync(self._fd, f"folder of {self.what}")

    def open(self, name: str) -> int:
        """A descriptor to read ``name`` with; `FileNotFoundError` when it is not there."""
        return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._fd)

    def drop(self, name: str) -> bool:
        """Unlink ``name`` if it can be; a file that stays is the next janitor's."""
        try:
            os.unlink(name, dir_fd=self._fd)
        except OSError:
            return False
        return True

    def size(self, name: str) -> int:
        """Bytes in ``name``, 0 when it is not there."""
        try:
            return os.stat(name, dir_fd=self._fd, follow_symlinks=False).st_size
        except OSError:
            return 0

    def files(self) -> dict[str, int]:
        """Every file's name and size, temporary ones included."""
        found: dict[str, int] = {}
        with translated(self.what), os.scandir(self.root) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # purged by another process meanwhile
                    found[entry.name] = entry.stat(follow_symlinks=False).st_size
        return found

    def close(self) -> None:
        """Give the descriptor back."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def make_folder(path: Path) -> None:
    """Make ``path`` and what is missing above it, 0700, and make each new name durable."""
    if path.is_dir():
        return
    make_folder(path.parent)
    with suppress(FileExistsError):
        os.mkdir(path, 0o700)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Open, fsync and close a folder."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fsync(fd, "folder")
    finally:
        os.close(fd)


def _name(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, "unknown error")
