"""One SQLite connection in one thread owns every read, write and checkpoint. WAL, synchronous=FULL, locking EXCLUSIVE.

One connection, because SQLite 3.7.0 to 3.51.2 can lose committed transactions when two connections write and
checkpoint a WAL (the WAL-reset bug); the exclusive lock makes a second one impossible. Whoever awaits `Database.run`
is resumed after the commit is on disk. Functions that wait together share one commit.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

import sqlalchemy as sa

from proxy.errors import Unavailable
from proxy.store.sqlite import cannot_open, connect, translated

T = TypeVar("T")

_BATCH = 64  # functions that share a commit at most
_PATIENCE = 0.02  # seconds that patient functions wait for others to share a commit with
_CHECKPOINT_IDLE, _CHECKPOINT_BUSY = 100, 2000  # commits after which the WAL goes into the database


@dataclass(slots=True)
class _Job(Generic[T]):
    work: Callable[[sa.Connection], T]
    future: asyncio.Future[T]  # of the caller's event loop
    patient: bool = False
    undo: Callable[[], None] | None = None
    result: Any = None
    error: Exception | None = None

    def settle(self) -> None:
        """On the event loop."""
        if self.future.done():
            return  # the caller has gone
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)


class Database:
    """``await Database.open(path)``, then `run`, then `close`. Needs the `DataLock` of its folder to be held."""

    def __init__(self, path: Path) -> None:
        """Use `open`."""
        self._path = path
        self._jobs: queue.SimpleQueue[_Job[Any] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="veil-database", daemon=True)
        self._ready: Future[None] = Future()
        self._closed = False
        self._commits = 0
        self._connection: sa.Connection

    @classmethod
    async def open(cls, path: Path) -> Database:
        """Open or make the database (0600) and bring its schema up to date. `ConfigError` when it cannot be used."""
        database = cls(path)
        database._thread.start()
        await asyncio.wrap_future(database._ready)
        return database

    async def run(
        self, work: Callable[[sa.Connection], T], patient: bool = False, undo: Callable[[], None] | None = None
    ) -> T:
        """``work(connection)`` in a transaction on the database's thread; returns after the commit is durable.

        ``work`` may be called a second time: when one of the functions that share a commit fails, each is run again by
        itself. It touches nothing but the connection, or what ``undo`` puts back as it was before: that is called when
        the transaction was rolled back, on the same thread, before anything else. Exceptions come back to the caller;
        those of the database as `SpoolFull` (disk full) or `Unavailable`. A failed fsync ends the process.
        ``patient``: no sender waits for it, so that it may wait a little for others to share a commit with.
        """
        if self._closed:
            raise Unavailable("database is closed")
        job: _Job[T] = _Job(work, asyncio.get_running_loop().create_future(), patient, undo)
        self._jobs.put(job)
        return await job.future

    async def close(self) -> None:
        """Finish what waits, checkpoint, close."""
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
            await asyncio.to_thread(self._thread.join)

    # ---- everything below runs on the database's own thread ----

    def _serve(self) -> None:
        try:
            self._connection = connect(self._path)
        except Exception as error:  # noqa: BLE001 - carried to whoever awaits `open`, not handled here
            self._ready.set_exception(cannot_open(self._path, error))
            return
        self._ready.set_result(None)
        while batch := self._next():
            if not self._attempt(batch) and len(batch) > 1:
                for job in batch:
                    self._attempt([job])
            _settle(batch)
            if self._commits >= (_CHECKPOINT_IDLE if self._jobs.empty() else _CHECKPOINT_BUSY):
                self._checkpoint()
        self._checkpoint()
        self._connection.close()

    def _next(self) -> list[_Job[Any]]:
        """Wait for a job, take along what waits behind it; [] when it is time to close."""
        batch: list[_Job[Any]] = []
        until = 0.0  # while all that is there is patient
        while True:
            patient = all(job.patient for job in batch)
            if batch and self._jobs.empty() and not (patient and time.monotonic() < until):
                return batch
            if len(batch) >= _BATCH:
                return batch
            try:
                job = self._jobs.get(timeout=max(until - time.monotonic(), 0) if batch else None)
            except queue.Empty:
                return batch
            until = until or time.monotonic() + _PATIENCE
            if job is None:
                self._jobs.put(None)  # what was taken before it is still served; the next call ends
                return batch
            if not job.future.cancelled():
                batch.append(job)

    def _attempt(self, jobs: list[_Job[Any]]) -> bool:
        try:
            with self._connection.begin():
                for job in jobs:
                    job.result, job.error = job.work(self._connection), None
        except Exception as error:  # noqa: BLE001 - carried to whoever awaits it, not handled here
            for job in jobs:
                job.error = translated(error)
                if job.undo is not None:
                    job.undo()
            return False
        self._commits += 1
        return True

    def _checkpoint(self) -> None:
        """Move the WAL into the database. A failure is not lost: the WAL keeps everything until one succeeds."""
        # past SQLAlchemy, which would begin a transaction first
        raw = cast(sqlite3.Connection, self._connection.connection.driver_connection)
        try:
            raw.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            self._commits = 0
        except sqlite3.Error as error:
            translated(error)


def _settle(batch: list[_Job[Any]]) -> None:
    """Tell the callers, from the database's thread; an event loop wakes up once for all of its own."""
    for loop in {job.future.get_loop() for job in batch}:
        mine = [job for job in batch if job.future.get_loop() is loop]
        with suppress(RuntimeError):  # it is closed: nobody waits any more
            loop.call_soon_threadsafe(_tell, mine)


def _tell(jobs: list[_Job[Any]]) -> None:
    for job in jobs:
        job.settle()
