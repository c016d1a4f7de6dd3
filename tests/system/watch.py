"""Memory of a process and all its descendants, sampled on a thread: mapped pages and anonymous files (memfd)."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Self


def tree(pid: int) -> list[int]:
    """``pid`` and its descendants."""
    found = [pid]
    for parent in found:
        try:
            threads = list(Path(f"/proc/{parent}/task").iterdir())
            for thread in threads:
                found += [int(child) for child in (thread / "children").read_text().split()]
        except OSError:
            continue
    return found


def resident(pid: int) -> int:
    """Bytes of one process that are its own: anonymous pages, and its share of what it maps with others."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))


def in_memory_files(pids: list[int]) -> int:
    """Bytes of distinct memfds that ``pids`` hold open."""
    sizes: dict[int, int] = {}
    for pid in pids:
        try:
            for link in Path(f"/proc/{pid}/fd").iterdir():
                if os.readlink(link).startswith("/memfd:"):
                    status = link.stat()
                    sizes[status.st_ino] = 512 * status.st_blocks
        except OSError:
            continue
    return sum(sizes.values())


class Memory:
    """``with Memory(pid) as memory: ...``; then ``memory.peak - memory.before`` bytes is what the work inside cost."""

    def __init__(self, pid: int, interval: float = 0.03) -> None:
        self._pid, self._interval = pid, interval
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self.before = self.peak = 0

    def now(self) -> int:
        pids = tree(self._pid)
        return sum(map(resident, pids)) + in_memory_files(pids)

    def __enter__(self) -> Self:
        self.before = self.peak = self.now()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._over.wait(self._interval):
            self.peak = max(self.peak, self.now())
