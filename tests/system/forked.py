"""Processes forked from `tests.system.template`: what a `Site` needs of `subprocess.Popen` and `subprocess.run`."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

_REPOSITORY = Path(__file__).resolve().parents[2]
_LOCK = threading.Lock()
_template: list[socket.socket] = []


def _asked() -> socket.socket:
    """The socket of this process's own template, which is started by the first who needs it."""
    if not _template:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        path = os.pathsep.join(filter(None, [str(_REPOSITORY), os.environ.get("PYTHONPATH")]))
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.system.template", str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                cwd=_REPOSITORY,
                env={**os.environ, "PYTHONPATH": path},
                start_new_session=True,  # not interrupted where the tests are
            )
        _template.append(ours)
        atexit.register(_over, ours, process)
    return _template[0]


def _over(ours: socket.socket, process: subprocess.Popen[bytes]) -> None:
    ours.close()
    process.wait(10)


class Forked:
    """`veil` with ``arguments``, running. `poll`, `wait` and `send_signal` are those of `subprocess.Popen`."""

    def __init__(
        self,
        arguments: tuple[str, ...],
        output: tuple[IO[Any], IO[Any]],
        folder: Path,
        environment: Mapping[str, str],
        session: bool = False,
    ) -> None:
        wanted = {
            "arguments": arguments, "folder": str(folder), "environment": dict(environment), "session": session,
        }  # fmt: skip
        self._told, tell = os.pipe2(os.O_CLOEXEC)
        try:
            with _LOCK:
                fds = [output[0].fileno(), output[1].fileno(), tell]
                socket.send_fds(_asked(), [json.dumps(wanted).encode()], fds)
        finally:
            os.close(tell)
        self.returncode: int | None = None
        self._said = b""
        while b"\n" not in self._said:
            self._hear()
        first, _, self._said = self._said.partition(b"\n")
        self.pid = int(first)

    def poll(self) -> int | None:
        """The exit status; None while it runs."""
        while self.returncode is None and select.select([self._told], [], [], 0)[0]:
            self._hear()
            if b"\n" in self._said:
                self._end()
        return self.returncode

    def wait(self, timeout: float) -> int:
        """The exit status, when it is over."""
        deadline = time.monotonic() + timeout
        while (status := self.poll()) is None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise subprocess.TimeoutExpired("veil", timeout)
            select.select([self._told], [], [], left)
        return status

    def send_signal(self, number: int) -> None:
        """Nothing, where it is over."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def _hear(self) -> None:
        said = os.read(self._told, 100)
        assert said, "the template of the processes under test is gone"
        self._said += said

    def _end(self) -> None:
        self.returncode = int(self._said)
        os.close(self._told)


def run(
    arguments: tuple[str, ...], folder: Path, environment: Mapping[str, str], timeout: float
) -> subprocess.CompletedProcess[str]:
    """To its end, with what it said."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = Forked(arguments, (out, err), folder, environment)
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait(10)
            raise
        texts = [file.read().decode() for file in (out, err) if not file.seek(0)]
    return subprocess.CompletedProcess(arguments, status, *texts)
