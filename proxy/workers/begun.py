"""Worker processes that were begun and know nothing yet: they import the engine, warm up and wait for a set-up.

Light, so that `veil serve` can begin them before it imports anything itself: on two processors both get ready at once.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import proxy

#: one thread per worker: the pool runs several workers instead
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
_PACKAGE = str(Path(proxy.__file__).resolve().parent.parent)


@dataclass(frozen=True, slots=True)
class Begun:
    """A process, and our end of the socket that it listens to."""

    process: subprocess.Popen[bytes]
    socket: socket.socket

    def end(self) -> None:
        """End the process and wait for its end."""
        self.socket.close()
        self.process.kill()
        self.process.wait()


def begin() -> Begun:
    """One more process; OSError when there is none to be had."""
    ours, theirs = socket.socketpair()
    try:
        with theirs:
            return Begun(_spawn(theirs.fileno()), ours)
    except BaseException:
        ours.close()
        raise


@contextmanager
def ahead(count: int) -> Iterator[list[Begun]]:
    """``count`` processes, to be taken out of the list; those that nobody took end with the block."""
    begun: list[Begun] = []
    try:
        begun += (begin() for _ in range(count))
        yield begun
    finally:
        for each in begun:
            each.end()


def _spawn(fd: int) -> subprocess.Popen[bytes]:
    # -P: a file called like one of our imports in the current folder must not be imported
    command = [sys.executable, "-P", "-m", "proxy.workers.child", str(fd), str(os.getpid())]
    inherited = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([_PACKAGE, inherited] if inherited else [_PACKAGE])
    return subprocess.Popen(
        command,
        pass_fds=(fd,),
        env={**os.environ, **_ENVIRONMENT, "PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,  # a traceback may quote the data set
    )
