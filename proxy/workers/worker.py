"""The parent's side of one worker process: start, one instance at a time, kill. Blocking: for the pool's threads only.

`expire` alone may be called from elsewhere (the event loop, at the deadline): it kills, and the thread that waits for
the reply sees the socket close.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import proxy
from proxy.deid.pixels.rendering import Rendered
from proxy.deid.previewed import Previewed
from proxy.errors import Reason, WorkersUnavailable
from proxy.service.ports import Held, Released, Verdict
from proxy.workers import protocol
from proxy.workers.child import Setup
from proxy.workers.describing import Outcome
from proxy.workers.protocol import Job
from proxy.workers.reply import Answer, receive_reply

#: one thread per worker: the pool runs several workers instead
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
_PACKAGE = str(Path(proxy.__file__).resolve().parent.parent)
_NONSENSE = "the worker's reply makes no sense"


class Worker:
    """A slot for one process; `start` fills it, and again after the process is gone."""

    def __init__(self, setup: Setup, start_seconds: float, jobs: int) -> None:
        """``jobs``: instances after which the process counts as worn."""
        self._setup, self._start_seconds, self._most_jobs = setup, start_seconds, jobs
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._expired = threading.Event()
        self._jobs = 0
        self._first_resident = self._resident = 0

    @property
    def pid(self) -> int:
        """The process, 0 when there is none."""
        return self._process.pid if self._process else 0

    @property
    def worn(self) -> bool:
        """Whether the process should be replaced before the next instance: gone, killed, old or grown."""
        grown = self._resident - self._first_resident > self._setup.memory_bytes // 2
        return self._gone() or self._expired.is_set() or self._jobs >= self._most_jobs or grown

    def start(self) -> None:
        """Begin a process in place of any there was, and wait until it is warm. `WorkersUnavailable` if it is not."""
        self.stop()
        ours, theirs = socket.socketpair()
        self._expired.clear()
        try:
            with theirs:
                self._process = _spawn(theirs.fileno())
            self._socket = ours
            ours.settimeout(self._start_seconds)
            protocol.send(ours, self._setup)
            (state, value), _ = protocol.receive(ours, plain=True)
            ours.settimeout(None)
        except (OSError, EOFError, protocol.ProtocolError) as error:
            ours.close()
            self.stop()
            raise WorkersUnavailable(f"a worker does not start: {type(error).__name__}") from None
        if state != "ready":
            self.stop()
            raise WorkersUnavailable(f"a worker does not start: {value}")
        self._jobs, self._first_resident, self._resident = 0, value, value

    def run(self, job: Job, fd: int) -> Verdict:
        """The verdict on the instance in ``fd``, whatever becomes of the process."""
        answer = self._ask(job, fd)
        return answer if isinstance(answer, Released | Held) else self._lost(_NONSENSE)

    def render(self, job: Job, fd: int) -> Rendered | Held:
        """The picture of the instance in ``fd``, whatever becomes of the process."""
        answer = self._ask(job, fd)
        return answer if isinstance(answer, Rendered | Held) else self._lost(_NONSENSE)

    def describe(self, job: Job, fd: int) -> list[Outcome] | Held:
        """The outcomes for the objects in ``fd``, whatever becomes of the process."""
        answer = self._ask(job, fd)
        return answer if isinstance(answer, list | Held) else self._lost(_NONSENSE)

    def preview(self, job: Job, fd: int) -> Previewed | Held:
        """The preview of the instance in ``fd``, whatever becomes of the process."""
        answer = self._ask(job, fd)
        return answer if isinstance(answer, Previewed | Held) else self._lost(_NONSENSE)

    def _ask(self, job: Job, fd: int) -> Answer:
        sock = self._socket
        if sock is None:
            raise WorkersUnavailable("the worker is gone")
        self._jobs += 1
        try:
            protocol.send(sock, job, fd)
            reply = receive_reply(sock, self._setup.memory_bytes + job.size)
        except (OSError, EOFError):
            return self._lost("the worker died")
        except protocol.ProtocolError:
            return self._lost(_NONSENSE)
        self._resident = reply.resident
        return reply.verdict

    def expire(self) -> None:
        """The deadline has passed: kill. Does not block."""
        self._expired.set()
        if self._process is not None:
            self._process.kill()

    def stop(self) -> None:
        """End the process and wait for its end."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _gone(self) -> bool:
        return self._socket is None or self._process is None or self._process.poll() is not None

    def _lost(self, detail: str) -> Held:
        expired = self._expired.is_set()
        self.stop()
        if expired:
            return Held(Reason.WORKER_TIMEOUT, "the worker was too slow")
        return Held(Reason.WORKER_CRASHED, detail)


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
