"""One sink besides the file: a thread of its own that reads the log by offset and hands it to an `Outlet`.

Nobody waits for it: a receiver that hangs, is gone or is full leaves its sink behind, never the intake. It goes on
where the receiver is known to have read, so a record may arrive twice and none is left out.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from proxy.audit.follow import Batch, Cursor, CursorFile, Follower, Line
from proxy.errors import VeilError

_POLL = 0.2
_BACKOFF, _BACKOFF_MOST = 0.5, 30.0
#: seconds between two writes of a cursor: what a crash sends twice
_SAVE = 1.0
#: any sleep gives the interpreter's lock away at once; without it whoever waits for it waits for 5 ms, each time
_YIELD = 1e-6


class SinkDown(VeilError):
    """The receiver did not take what it was sent. The text is a short code, never what the receiver said."""


def break_off(connection: object) -> None:
    """Let whatever waits on a socket fail, from any thread; nothing where there is none yet."""
    if isinstance(connection, socket.socket):
        with contextlib.suppress(OSError):
            socket.socket.shutdown(connection, socket.SHUT_RDWR)  # not that of TLS, which would say goodbye first


def gently(lines: Iterable[Line]) -> Iterator[bytes]:
    """Each record, letting other threads run before it: a sink that catches up must not slow those who record."""
    for line in lines:
        time.sleep(_YIELD)
        yield line.data


class Outlet(Protocol):
    """How records get to one receiver. Blocking; used from one thread, but for `abort`."""

    batch: int  # records for one `send`
    unconfirmed: int  # records, and
    seconds: float  # time, after which `confirm` is due; 0: `send` itself confirms
    rejected: int  # records that the receiver has answered it will never take

    def send(self, lines: Sequence[Line]) -> None:
        """Hand ``lines`` over. `SinkDown` where that failed: then any number of them may have arrived."""
        ...

    def confirm(self) -> None:
        """Returns when the receiver has read all that was sent. `SinkDown` where that is not known."""
        ...

    def abort(self) -> None:
        """Let a `send` or `confirm` under way fail. From any thread."""
        ...

    def close(self) -> None:
        """Give the connection back."""
        ...


@dataclass(frozen=True, slots=True)
class SinkStatus:
    """For operators: how far a sink is, and whether its receiver takes what it is sent."""

    state: str  # starting, up, down, ended
    confirmed: int  # number of the last record that the receiver has
    lag_records: int
    lag_seconds: float  # since it last had all there was
    failures: int  # in a row
    rejected: int  # records that it has answered it will never take
    last_error: str


class Forwarder:
    """The thread of one sink. ``notice``: told (name, code) when the receiver fails, and (name, "") when it is back."""

    def __init__(
        self,
        name: str,
        folder: Path,
        cursors: Path,
        durable: Callable[[], int],
        outlet: Outlet,
        notice: Callable[[str, str], None] | None = None,
        backoff: float = _BACKOFF,
    ) -> None:
        """``folder``: of the log; ``cursors``: where `CursorFile` keeps this sink's; ``backoff``: the first wait."""
        self.name = name
        self._outlet, self._notice, self._backoff = outlet, notice, backoff
        self._file, self._durable = CursorFile(cursors / f"{name}.json"), durable
        self._kept = self._confirmed = self._file.load()
        if self._confirmed.seq > durable():  # the log was put back to an older state: all of it, once more
            self._confirmed = Cursor()
        self._follower = Follower(folder, durable, self._confirmed)
        self._held: Batch | None = None
        self._first_unconfirmed = 0.0
        self._count = self._failures = 0
        self._error, self._state, self._level = "", "starting", time.monotonic()
        self._stop = threading.Event()
        self._until = self._saved = 0.0
        self._thread = threading.Thread(target=self._run, name=f"veil-audit-{name}", daemon=True)

    @property
    def confirmed_segment(self) -> int:
        """Segments below this one are not needed here any more."""
        return self._confirmed.segment

    def status(self) -> SinkStatus:
        """How it stands, now."""
        lag = max(0, self._durable() - self._confirmed.seq)
        seconds = round(time.monotonic() - self._level, 1) if lag else 0.0
        state = self._state if self._thread.is_alive() or not self._thread.ident else "ended"
        return SinkStatus(state, self._confirmed.seq, lag, seconds, self._failures, self._outlet.rejected, self._error)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Send what there is for up to ``seconds``, then break off. Blocking."""
        self._until = time.monotonic() + seconds
        self._stop.set()
        if not self._thread.is_alive():
            return
        self._thread.join(seconds)
        self._outlet.abort()
        self._thread.join(1.0)

    def _run(self) -> None:
        while not self._over():
            try:
                idle = self._round()
            except (SinkDown, OSError) as error:
                self._fail(error)
                continue
            if self._stop.is_set() and idle and not self._count:
                break
            if idle:
                self._stop.wait(_POLL)
        self._outlet.close()

    def _over(self) -> bool:
        return self._stop.is_set() and (self._failures > 0 or time.monotonic() >= self._until)

    def _round(self) -> bool:
        """Send the next batch, confirm when that is due; whether there was nothing to send."""
        batch = self._held or self._follower.next(self._outlet.batch)
        if batch.lines:
            self._held = batch
            self._outlet.send(batch.lines)
            self._first_unconfirmed = self._first_unconfirmed or time.monotonic()
            self._count += len(batch.lines)
        self._held = None
        if self._count and self._due():
            self._outlet.confirm()
            self._took()
        if not batch.lines and not self._count:
            self._level = time.monotonic()
        self._save()
        return not batch.lines

    def _due(self) -> bool:
        outlet = self._outlet
        waited = time.monotonic() - self._first_unconfirmed
        return self._count >= outlet.unconfirmed or waited >= outlet.seconds or self._stop.is_set()

    def _took(self) -> None:
        self._confirmed, self._count, self._first_unconfirmed = self._follower.cursor, 0, 0.0
        if self._state != "up" and self._failures and self._notice is not None:
            self._notice(self.name, "")
        self._state, self._failures, self._error = "up", 0, ""

    def _save(self) -> None:
        now = time.monotonic()
        if self._kept != self._confirmed and (self._stop.is_set() or now - self._saved >= _SAVE):
            self._file.save(self._confirmed)
            self._kept, self._saved = self._confirmed, now

    def _fail(self, error: Exception) -> None:
        """Back to what is known to have arrived; the same batch again where that is all there was."""
        self._outlet.close()
        if self._held is None or self._count:
            self._held, self._follower.cursor = None, self._confirmed
        self._count, self._first_unconfirmed = 0, 0.0
        self._failures += 1
        self._error = str(error) if isinstance(error, SinkDown) else "disk"
        if self._state != "down" and self._notice is not None:
            self._notice(self.name, self._error)
        self._state = "down"
        most = min(_BACKOFF_MOST, self._backoff * 2 ** min(self._failures - 1, 16))
        self._stop.wait(most * (0.5 + secrets.randbelow(501) / 1000))
