"""Append-only JSON Lines segments on disk: `audit-000001.jsonl`, ... The source of truth of the audit stream.

Blocking; used from the writer's thread only. `append` returns when the bytes are on disk (fdatasync). A failed write
is cut off again and raises `AuditUnavailable`; a failed fsync ends the process, because the kernel may have dropped
the pages and a second fsync would lie. Nothing here knows what a record means, beyond that it is a line.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from proxy.audit.ballast import Ballast
from proxy.errors import AuditUnavailable

SEGMENT = re.compile(r"audit-(\d{6,})\.jsonl")
#: as the store: the supervisor starts us again, and what is on disk is read afresh
_EX_SOFTWARE = 70
_FULL = (errno.ENOSPC, errno.EDQUOT)


def end_process(what: str) -> NoReturn:
    """A failed fsync is never retried. ``what`` goes to stderr; no cleanup runs that might claim success."""
    os.write(2, f"veil: {what}: the disk cannot be trusted, ending\n".encode())
    os._exit(_EX_SOFTWARE)


def segments(folder: Path) -> list[Path]:
    """The segment files of ``folder`` in the order of their numbers."""
    found = [(int(m.group(1)), p) for p in folder.iterdir() if (m := SEGMENT.fullmatch(p.name))]
    return [path for _, path in sorted(found)]


def segment(folder: Path, number: int) -> Path:
    """The file of a segment."""
    return folder / f"audit-{number:06d}.jsonl"


class FileSink:
    """The segments of one folder. One process at a time: the folder is locked while open."""

    def __init__(self, folder: Path, segment_bytes: int, die: Callable[[str], NoReturn] = end_process) -> None:
        """``segment_bytes``: a batch that finds this much in a segment opens the next one."""
        self._folder, self._segment_bytes, self._die = folder, segment_bytes, die
        self._folder_fd = self._fd = -1
        self._size = 0
        self._number = 0
        self._torn = self._asked = False
        self._ballast = Ballast(folder)
        self._written = segment(folder, 1)

    def open(self) -> tuple[list[Path], int]:
        """Lock the folder, cut an unfinished last line off; returns the segments and how many bytes were cut."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._folder_fd = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(self._folder_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._ballast.reserve()
            known = segments(self._folder)
            if not known:
                self._create(1)
                return segments(self._folder), 0
            self._adopt(known[-1])
            return known, self._cut_unfinished_line()
        except OSError as error:
            self.close()
            text = "another process writes it" if isinstance(error, BlockingIOError) else error.strerror
            raise AuditUnavailable(f"audit folder: {text}") from None

    @property
    def path(self) -> Path:
        """The segment that has the last record."""
        return self._written

    def ends_in(self, path: Path) -> None:
        """What was found by whoever read the segments: newer ones than ``path`` are empty."""
        self._written = path

    def append(self, lines: bytes) -> None:
        """Write whole ``lines`` and wait for the disk."""
        try:
            if self._torn:
                self._truncate(self._size)
            if self._size >= self._segment_bytes or (self._asked and self._size):
                self.rotate()
            self._write_or_make_room(lines)
        except OSError as error:
            self._torn = True  # part of the batch may be in the file; the next append removes it first
            raise AuditUnavailable(f"audit segment: {error.strerror}") from None
        self._sync(self._fd)
        self._size += len(lines)
        self._written = segment(self._folder, self._number)

    def rotate(self) -> None:
        """Begin the next segment."""
        self._create(self._number + 1)
        self._asked = False
        self._ballast.reserve()

    def rotate_soon(self) -> None:
        """From any thread: the next `append` begins the next segment, however little is in this one."""
        self._asked = True

    def close(self) -> None:
        """Give the folder back, without the part of a batch that did not fit and was promised to nobody."""
        if self._fd >= 0:
            self._ballast.drop()
            if self._torn:
                with contextlib.suppress(OSError):
                    self._truncate(self._size)
        for fd in (self._fd, self._folder_fd):
            if fd >= 0:
                os.close(fd)
        self._fd = self._folder_fd = -1

    def _write_or_make_room(self, lines: bytes) -> None:
        """On a full disk the ballast goes, step by step."""
        while True:
            try:
                return self._write(lines)
            except OSError as error:
                if error.errno not in _FULL or not self._ballast.give(len(lines)):
                    raise
                self._truncate(self._size)

    def _write(self, lines: bytes) -> None:
        view = memoryview(lines)
        while view:
            view = view[os.write(self._fd, view) :]

    def _create(self, number: int) -> None:
        path = segment(self._folder, number)
        fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        self._replace(fd, number, 0)
        self._sync(self._folder_fd)

    def _adopt(self, path: Path) -> None:
        match = SEGMENT.fullmatch(path.name)
        assert match is not None  # `segments` returns nothing else
        fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)
        self._replace(fd, int(match.group(1)), os.fstat(fd).st_size)
        self._written = path

    def _replace(self, fd: int, number: int, size: int) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._number, self._size = fd, number, size

    def _cut_unfinished_line(self) -> int:
        """A crash can leave a last line without its newline; it was never acknowledged."""
        end = self._size
        while end > 0:
            start = max(0, end - 65536)
            newline = os.pread(self._fd, end - start, start).rfind(b"\n")
            if newline >= 0:
                end = start + newline + 1
                break
            end = start
        cut = self._size - end
        if cut:
            self._truncate(end)
            self._size = end
        return cut

    def _truncate(self, size: int) -> None:
        os.ftruncate(self._fd, size)
        self._sync(self._fd)
        self._torn = False

    def _sync(self, fd: int) -> None:
        try:
            os.fsync(fd) if fd == self._folder_fd else os.fdatasync(fd)
        except OSError:
            self._die("fsync of the audit log failed")
