"""Small files that only their owner may read (mode 0600): read with doubt, changed by one at a time, read again."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar

from proxy.errors import ConfigError
from proxy.service.callers import CannotJudge
from proxy.store.durable import Folder, write_all

T = TypeVar("T")

_MOST_BYTES = 1 << 20


def read_private(path: Path, hint: str) -> bytes:
    """What ``path`` holds; `ConfigError` for a file that others can read, that is none, or that is too large."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise ConfigError(str(path), error.strerror or "cannot be read", hint) from None
    with os.fdopen(fd, "rb") as file:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise ConfigError(str(path), "no regular file")
        if status.st_mode & 0o077:
            raise ConfigError(str(path), "others can read or change it", f"chmod 600 {path}")
        text = file.read(_MOST_BYTES + 1)
    if len(text) > _MOST_BYTES:
        raise ConfigError(str(path), "too large")
    return text


def read_secret(path: Path) -> str:
    """The one line of ``path``, which only its owner may read; `ConfigError` for anything else."""
    line = read_private(path, "what a provider gave to Veil, in one line").removesuffix(b"\n").removesuffix(b"\r")
    if not line or not line.isascii() or not line.decode("ascii").isprintable():
        raise ConfigError(str(path), "it holds one line of printable ASCII characters")
    return line.decode("ascii")


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Two who change a file of ``folder`` at the same time wait for each other."""
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def publish(path: Path, text: str) -> None:
    """``text`` becomes the file, whole and durably."""
    folder = Folder(path.parent, path.stem)
    try:
        folder.publish(path.name, lambda fd: write_all(fd, [text.encode()]))
    finally:
        folder.close()


class Reread(Generic[T]):
    """What ``load`` makes of ``path``, made again when the file has changed (inode, time, size, mode)."""

    def __init__(self, path: Path, load: Callable[[Path], T], what: str) -> None:
        """`ConfigError` as ``load``; ``what``: named by `CannotJudge`."""
        self._path, self._load, self._what = path, load, what
        self._seen = self._signature()
        self._value = load(path)

    def read(self) -> T:
        """As it is now; `CannotJudge` while the file is not in order."""
        now = self._signature()
        if now is None or now != self._seen:
            try:
                self._value = self._load(self._path)
            except ConfigError:
                self._seen = None
                raise CannotJudge(f"the {self._what} cannot be read") from None
            self._seen = now
        return self._value

    def _signature(self) -> tuple[int, ...] | None:
        try:
            status = os.stat(self._path)
        except OSError:
            return None  # ``load`` says what is wrong
        return (status.st_ino, status.st_mtime_ns, status.st_size, status.st_mode)
