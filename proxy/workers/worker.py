"""The parent's side of one worker process: start, one instance at a time, kill. Blocking: for the pool's threads only.

`expire` alone may be called from elsewhere (the event loop, at the deadline): it kills, and the thread that waits for
the reply sees the socket close.
"""

from __future__ import annotations

import socket
import subprocess
import threading

from proxy.deid.pixels.rendering import Rendered
from proxy.deid.previewed import Previewed
from proxy.errors import Reason, WorkersUnavailable
from proxy.service.ports import Held, Released, Verdict
from proxy.workers import protocol
from proxy.workers.begun import Begun, begin
from proxy.workers.describing import Outcome
from proxy.workers.protocol import Job
from proxy.workers.reply import Answer, receive_reply

_NONSENSE = "the worker's reply makes no sense"


class Worker:
    """A slot for one process; `start` fills it, and again after the process is gone."""

    def __init__(
        self, setup: bytes, memory_bytes: int, start_seconds: float, jobs: int, begun: Begun | None = None
    ) -> None:
        """``setup``: a `Setup`, packed; ``jobs``: instances after which the process counts as worn.

        ``begun``: for the first `start`.
        """
        self._setup, self._memory_bytes = setup, memory_bytes
        self._start_seconds, self._most_jobs, self._begun = start_seconds, jobs, begun
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
        grown = self._resident - self._first_resident > self._memory_bytes // 2
        return self._gone() or self._expired.is_set() or self._jobs >= self._most_jobs or grown

    def start(self) -> None:
        """Begin a process in place of any there was, and wait until it is warm. `WorkersUnavailable` if it is not."""
        begun, self._begun = self._begun, None
        self.stop()
        self._expired.clear()
        try:
            begun = begun or begin()
            self._process, self._socket = begun.process, begun.socket
            self._socket.settimeout(self._start_seconds)
            protocol.send(self._socket, self._setup)
            (state, value), _ = protocol.receive(self._socket, plain=True)
            self._socket.settimeout(None)
        except (OSError, EOFError, protocol.ProtocolError) as error:
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
            reply = receive_reply(sock, self._memory_bytes + job.size)
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
        if self._begun is not None:
            self._begun.end()
            self._begun = None
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
