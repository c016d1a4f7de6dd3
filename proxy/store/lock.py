"""One process owns a data folder. flock(2) on ``<data_dir>/lock``: the kernel gives it back however the owner ends.

The single SQLite connection, the janitors and the recovery of in-flight rows all rely on it.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from proxy.errors import ConfigError
from proxy.store.durable import make_folder


class DataLock:
    """Hold it for as long as the data folder is used: ``with DataLock(data_dir): ...``"""

    def __init__(self, data_dir: Path) -> None:
        """Nothing is taken before `acquire`."""
        self._path = data_dir / "lock"
        self._fd = -1

    def acquire(self) -> None:
        """Take the lock at once, or `ConfigError`."""
        try:
            make_folder(self._path.parent)
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigError(str(self._path), error.strerror or "cannot be opened") from None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(fd)
            raise ConfigError(str(self._path), "already in use by another veil process", "stop it first") from None
        self._fd = fd

    def release(self) -> None:
        """Give it back; the file stays."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.release()
