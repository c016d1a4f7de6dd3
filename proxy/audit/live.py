"""The log as it grows, for those who watch: subscribers get each record once, in order, from any number on.

One thread reads the log for all of them, only while there are any. Nobody waits for a subscriber: who does not take
what is there is dropped, and told so (`SlowReader`), and may subscribe again from the last record that it had.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from proxy.audit.follow import Cursor, Follower, Line, cursor_after

_POLL, _AT_ONCE = 0.2, 500


class SlowReader(Exception):
    """A subscriber was dropped; ``seq``: the last record that it was given."""

    def __init__(self, seq: int) -> None:
        super().__init__(f"dropped after record {seq}: it does not keep up")
        self.seq = seq


class Subscription:
    """``async for line in subscription``; of one event loop. `SlowReader` ends it, or `close`."""

    def __init__(self, follower: Follower, most: int, seq: int) -> None:
        """``most``: records that may wait to be taken."""
        self._follower, self._most, self._given = follower, most, seq
        self._waiting: deque[Line] = deque()
        self._loop, self._wakeup = asyncio.get_running_loop(), asyncio.Event()
        self._full_since = 0.0
        self.dropped = self.closed = False

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Line:
        while not self._waiting:
            if self.dropped:
                raise SlowReader(self._given)
            if self.closed:
                raise StopAsyncIteration
            self._wakeup.clear()
            if not self._waiting and not self.dropped:
                await self._wakeup.wait()
        line = self._waiting.popleft()
        self._given = line.seq
        return line

    def close(self) -> None:
        """No more is read for it."""
        self.closed = True
        self._wakeup.set()

    def feed(self, durable: int, patience: float) -> None:
        """From the thread: read what there is room for; drop who had no room for ``patience`` seconds."""
        room = self._most - len(self._waiting)
        if room > 0:
            self._full_since = 0.0
            lines = self._follower.next(min(room, _AT_ONCE)).lines
            self._waiting.extend(lines)
            if lines:
                self._wake()
        elif durable > self._follower.cursor.seq:
            self._full_since = self._full_since or time.monotonic()
            if time.monotonic() - self._full_since >= patience:
                self._waiting.clear()
                self.dropped = True
                self._wake()

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._wakeup.set)
        except RuntimeError:  # its event loop is gone, and so is its reader
            self.closed = True


class LiveStream:
    """Hands the log of ``folder`` to subscribers."""

    def __init__(self, folder: Path, durable: Callable[[], int], most: int = 1000, patience: float = 10.0) -> None:
        """``durable``: number of the last record on disk; ``most``: records that may wait for one subscriber."""
        self._folder, self._durable, self._most, self._patience = folder, durable, most, patience
        self._lock = threading.Lock()
        self._subscribers: list[Subscription] = []
        self._thread: threading.Thread | None = None

    async def subscribe(self, after: int | None = None) -> Subscription:
        """Records from the one after ``after`` on (0: the whole log); without it, from now on."""
        seq = self._durable() if after is None else after
        cursor = await asyncio.to_thread(cursor_after, self._folder, seq) if seq else Cursor()
        found = Subscription(Follower(self._folder, self._durable, cursor), self._most, seq)
        with self._lock:
            self._subscribers.append(found)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="veil-audit-live", daemon=True)
                self._thread.start()
        return found

    def close(self) -> None:
        """End every subscription; the thread ends by itself."""
        with self._lock:
            for each in self._subscribers:
                each.closed = True
                each._wake()

    def _run(self) -> None:
        while True:
            with self._lock:
                self._subscribers = [each for each in self._subscribers if not (each.closed or each.dropped)]
                if not self._subscribers:
                    self._thread = None
                    return
                current = list(self._subscribers)
            for each in current:
                try:
                    each.feed(self._durable(), self._patience)
                except OSError:  # the disk: the next round tries again
                    continue
            time.sleep(_POLL)
