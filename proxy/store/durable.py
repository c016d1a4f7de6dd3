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

        Whatever goes wrong before the rename leaves no file behind. An existing ``name`` is replaced.
        """
        return self._publish(fill, lambda _: name)

    def publish_as(self, fill: Callable[[int], str]) -> str:
        """As `publish`; ``fill`` says what the name is to be."""
        return self._publish(fill, lambda name: name)

    def _publish(self, fill: Callable[[int], T], named: Callable[[T], str]) -> T:
        temp = TEMP_PREFIX + secrets.token_hex(12)
        with translated(self.what):
            fd = os.open(
                temp, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=self._fd
            )
            try:
                try:
                    result = fill(fd)
                    if self._durable:
                        fsync(fd, self.what)
                finally:
                    os.close(fd)
                os.rename(temp, named(result), src_dir_fd=self._fd, dst_dir_fd=self._fd)
            except BaseException:
                self.drop(temp)
                raise
        self.sync()
        return result

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
