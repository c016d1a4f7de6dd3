"""Receive-only: the same storescu and files against Veil's Storage SCP, DCMTK's and pynetdicom's, none of which keeps
what it gets; and one hundred associations at once, each of which wants its share.

Every receiver runs in a process of its own. Its CPU time is that process's, by the kernel's clock, association and all.
"""

from __future__ import annotations

import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench import site
from bench.instances import write_series
from bench.peers import MAX_PDU, NO_DELAY, send
from bench.processes import Failed, free_port, in_turns, listening, program, running, wait_until
from bench.report import Row, quantile
from bench.scp import CALLED

_LIMIT = 120.0
_ASSOCIATIONS, _SECONDS = 100, 10.0
Receiver = Callable[[Path], contextlib.AbstractContextManager[tuple[int, int]]]


@dataclass(frozen=True, slots=True)
class Reception:
    """One receiver, once: seconds by the sender's log, and CPU seconds of the receiver."""

    seconds: float
    cpu: float


def measure(quick: bool, seed: int) -> Iterator[Row]:
    """Rows of the receivers, then of the hundred."""
    count, rounds = (50, 1) if quick else (400, 9)
    with tempfile.TemporaryDirectory(prefix="veil-bench-") as name:
        folder = Path(name)
        (folder / "in").mkdir()
        files = write_series(folder / "in", seed, count)
        yield from _rows(f"receive only, {count} CT of 512 KiB, one association", _all(folder, files, rounds), count)
        seconds = 2.0 if quick else _SECONDS
        for what, receiver in (("receive only", veil), ("Veil, into its archive", _whole)):
            yield _together(folder, files[0], seconds, what, receiver)


def _all(folder: Path, files: Sequence[Path], rounds: int) -> dict[str, list[Reception] | str]:
    """Receiver → what each round gave, or why there is nothing. They take turns."""
    return in_turns(folder, {name: partial(reception, one, files=files) for name, one in RECEIVERS.items()}, rounds)


def reception(receiver: Receiver, folder: Path, files: Sequence[Path]) -> Reception:
    """Send a few files that do not count, then all of them; `Failed` unless each is answered with success."""
    with receiver(folder) as (port, pid):
        send(folder, port, CALLED, files[:20], _LIMIT, NO_DELAY)
        (folder / "storescu.log").unlink()
        before = cpu_seconds(pid)
        sent = send(folder, port, CALLED, files, _LIMIT, NO_DELAY)
        return Reception(sent.ended - sent.began, cpu_seconds(pid) - before)


def cpu_seconds(pid: int) -> float:
    """CPU time of a process, all its threads, those that ended too (clock_getcpuclockid(3), CPUCLOCK_SCHED)."""
    return time.clock_gettime((~pid << 3) | 2)


@contextlib.contextmanager
def veil(folder: Path) -> Iterator[tuple[int, int]]:
    """`bench.scp`."""
    log = folder / "scp.out"
    with running([sys.executable, "-m", "bench.scp"], log) as process:
        wait_until(lambda: log.read_text().endswith("\n") or process.poll() is not None, 20, "the SCP")
        line = log.read_text().strip()
        if not line.isdigit():
            raise Failed(f"the SCP ended with status {process.poll()}")
        yield int(line), process.pid


@contextlib.contextmanager
def storescp(folder: Path) -> Iterator[tuple[int, int]]:
    """DCMTK's, which reads and ignores."""
    port = free_port()
    arguments = [program("storescp"), "-q", "-pdu", MAX_PDU, "--ignore", str(port)]
    with running(arguments, folder / "storescp.out", NO_DELAY) as process:
        listening(port, process, 10, "storescp")
        yield port, process.pid


@contextlib.contextmanager
def pynetdicom(folder: Path) -> Iterator[tuple[int, int]]:
    """pynetdicom's own storescp, which reads and ignores."""
    port = free_port()
    arguments = [sys.executable, "-m", "pynetdicom", "storescp", "-q", "-pdu", MAX_PDU, "--ignore", str(port)]
    with running(arguments, folder / "pynetdicom.out") as process:
        listening(port, process, 20, "pynetdicom")
        yield port, process.pid


RECEIVERS: Mapping[str, Receiver] = {"storescp --ignore": storescp, "pynetdicom": pynetdicom, "Veil": veil}


def _rows(section: str, seen: Mapping[str, list[Reception] | str], count: int) -> Iterator[Row]:
    rates: dict[str, float] = {}
    for name, receptions in seen.items():
        if isinstance(receptions, str):
            yield Row(section, name, note=receptions)
            continue
        seconds = min(r.seconds for r in receptions)  # other work on the machine only ever slows it down
        cpu = 1000 * statistics.median(r.cpu for r in receptions) / count
        rates[name] = count / seconds
        spread = ", ".join(f"{count / r.seconds:.0f}" for r in receptions)
        ratios = {other: rates[name] / rate for other, rate in rates.items() if other != name}
        yield Row(section, name, "/s", rates[name], ratios=ratios, note=f"best; CPU {cpu:.2f} ms each; rounds {spread}")


@contextlib.contextmanager
def _whole(folder: Path) -> Iterator[tuple[int, int]]:
    """Veil as it is served, with its archive behind it."""
    with site.veil(folder, changes={"dimse": {"associations": 2 * _ASSOCIATIONS}}) as running_site:
        yield running_site.dimse, running_site.pid


def _together(folder: Path, file: Path, seconds: float, name: str, receiver: Receiver) -> Row:
    """How evenly associations that send as fast as they are answered are served."""
    section = f"{_ASSOCIATIONS} associations at once for {seconds:.0f} s, instances of each"
    with tempfile.TemporaryDirectory(prefix="leg-", dir=folder) as leg, receiver(Path(leg)) as (port, _):
        out = Path(leg) / "senders.out"
        arguments = [sys.executable, "-m", "bench.senders", str(port), str(_ASSOCIATIONS), str(seconds), str(file)]
        with running(arguments, out) as process:
            process.wait(_LIMIT)
        counts = [int(word) for word in out.read_text().split() if word.isdigit()]
    if len(counts) != _ASSOCIATIONS:
        return Row(section, name, note=f"failed: {len(counts)} ended well")
    middle = statistics.median(counts)
    ratios = {"(least)": min(counts) / middle, "(most)": max(counts) / middle}
    note = (
        f"{sum(counts) / seconds:.0f}/s together; 5 % {quantile(counts, 0.05):.0f}, 95 % {quantile(counts, 0.95):.0f}"
    )
    return Row(section, name, "", middle, ratios=ratios, note=note)
