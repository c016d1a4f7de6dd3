"""Memory of a process and its descendants, sampled from /proc while something happens.

Counted: for every process of the tree Pss_Anon + Pss_File of smaps_rollup (its own pages, and its share of mapped
files), and once for the tree every memfd that any of them holds open, by the pages it really has. Pss_Shmem is left
out, because those pages are the memfd's and would count twice. Not counted: page cache of files that were written,
kernel buffers of sockets.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

_INTERVAL = 0.05


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes at one moment."""

    private: int  # Pss_Anon + Pss_File over the tree
    shared: int  # memfd pages, each once
    resident: int  # plain sum of Rss, for comparison

    @property
    def total(self) -> int:
        """What counts."""
        return self.private + self.shared


def tree(root: int) -> list[int]:
    """``root`` and its descendants that live now."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue
            parents.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry.name))
    found, wave = [root], [root]
    while wave:
        wave = [child for pid in wave for child in parents.get(pid, [])]
        found += wave
    return found


def usage(root: int) -> Usage:
    """One sample; processes that end meanwhile count as far as they were read."""
    private = resident = 0
    memory_files: dict[tuple[int, int], int] = {}
    for pid in tree(root):
        fields = _rollup(pid)
        private += fields.get("Pss_Anon", 0) + fields.get("Pss_File", 0)
        resident += fields.get("Rss", 0)
        memory_files |= _memory_files(pid)
    return Usage(private, sum(memory_files.values()), resident)


def _rollup(pid: int) -> dict[str, int]:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return {}
    rows = (line.split() for line in text.splitlines()[1:])
    return {row[0].rstrip(":"): int(row[1]) * 1024 for row in rows if len(row) == 3}


def _memory_files(pid: int) -> dict[tuple[int, int], int]:
    found = {}
    folder = f"/proc/{pid}/fd"
    try:
        names = os.listdir(folder)
    except OSError:
        return {}
    for name in names:
        try:
            if os.readlink(f"{folder}/{name}").startswith("/memfd:"):
                stat = os.stat(f"{folder}/{name}")
                found[(stat.st_dev, stat.st_ino)] = stat.st_blocks * 512
        except OSError:
            continue
    return found


@dataclass
class Sampler:
    """``with Sampler(pid) as memory: ...; memory.peak``: a thread that samples every 50 ms."""

    root: int
    baseline: Usage = field(init=False)
    peak: Usage = field(init=False)
    samples: int = 0

    def __enter__(self) -> Sampler:
        self.baseline = self.peak = usage(self.root)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            now = usage(self.root)
            self.samples += 1
            if now.total > self.peak.total:
                self.peak = now
            self._stop.wait(max(0.0, _INTERVAL - (time.monotonic() - began)))
