"""DCMTK as sender and destination, and the clock that both share: every figure comes from their own logs and files.

Both run with TCP_NODELAY=1. DCMTK's default leaves Nagle's algorithm on, which on loopback can cost some 40 ms an
instance and would hide what lies between; `NAGLE` is measured beside it.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.processes import Failed, free_port, listening, program, running, wait_until

NO_DELAY: Mapping[str, str] = {"TCP_NODELAY": "1"}
NAGLE: Mapping[str, str] = {"TCP_NODELAY": "0"}
MAX_PDU = "131072"
_LOG = """\
log4cplus.rootLogger = INFO, file
log4cplus.appender.file = log4cplus::FileAppender
log4cplus.appender.file.File = {file}
log4cplus.appender.file.layout = log4cplus::PatternLayout
log4cplus.appender.file.layout.ConversionPattern = %D{{%s %Q}} %m%n
"""


@dataclass(frozen=True, slots=True)
class Destination:
    """A running storescp and the folder it writes to."""

    port: int
    folder: Path

    def files(self) -> list[Path]:
        """What has arrived or is arriving."""
        return [path for path in self.folder.iterdir() if path.is_file()]

    def last_write(self, count: int, seconds: float, quiet: float = 0.5) -> float:
        """Wait for ``count`` files and ``quiet`` seconds without a write; the wall-clock time of the last write."""
        wait_until(lambda: len(self.files()) >= count, seconds, f"{count} instances at the destination", 0.1)
        seen: tuple[int, int] = (-1, -1)

        def settled() -> bool:
            nonlocal seen
            states = [path.stat() for path in self.files()]
            now = (sum(s.st_size for s in states), max(s.st_mtime_ns for s in states))
            same, seen = now == seen, now
            return same

        wait_until(settled, seconds, "the destination still writes", quiet)
        return seen[1] / 1e9


@dataclass(frozen=True, slots=True)
class Sent:
    """What storescu logged: seconds since the epoch."""

    began: float  # association requested
    ended: float  # last response
    latencies: tuple[float, ...]  # request sent to response, each instance, seconds


@contextlib.contextmanager
def destination(
    folder: Path, environment: Mapping[str, str] = NO_DELAY, one_at_a_time: bool = False
) -> Iterator[Destination]:
    """Run storescp, writing what it receives bit by bit to ``folder``/received.

    ``one_at_a_time``: a second association waits until the first is released.
    """
    storescp = program("storescp")
    port, received = free_port(), folder / "received"
    received.mkdir(parents=True)
    mode = "--single-process" if one_at_a_time else "--fork"
    arguments = [storescp, "-q", mode, "-pdu", MAX_PDU, "-od", str(received), "+B", str(port)]
    with running(arguments, folder / "storescp.out", environment) as process:
        listening(port, process, 10, "storescp")
        yield Destination(port, received)


def send(
    folder: Path,
    port: int,
    called: str,
    files: Sequence[Path],
    seconds: float,
    environment: Mapping[str, str] = NO_DELAY,
) -> Sent:
    """Run storescu: ``files`` in order on one association. `Failed` unless every response is a success."""
    storescu = program("storescu")
    config, log = folder / "storescu.cfg", folder / "storescu.log"
    config.write_text(_LOG.format(file=log), encoding="ascii")
    arguments = [storescu, "-lc", str(config), "-R", "-xe", "-pdu", MAX_PDU, "-aec", called, "127.0.0.1", str(port)]
    with running([*arguments, *map(str, files)], folder / "storescu.out", environment) as process:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"storescu: not within {seconds:.0f} s") from None
    sent = parse_log(log.read_text(encoding="utf-8"))
    if len(sent.latencies) != len(files):
        raise Failed(f"{len(sent.latencies)} of {len(files)} instances acknowledged with success")
    return sent


def parse_log(text: str) -> Sent:
    """Read a storescu log whose lines begin with seconds and the milliseconds of that second, with a fraction."""
    began = ended = asked = 0.0
    latencies: list[float] = []
    for line in text.splitlines():
        parts = line.split(" ", 2)
        if len(parts) < 3 or not parts[0].isdigit():
            continue
        stamp, message = float(parts[0]) + float(parts[1]) / 1000, parts[2]
        if message.startswith("Requesting Association"):
            began = stamp
        elif message.startswith("Sending Store Request"):
            asked = stamp
        elif message.startswith("Received Store Response (Success)"):
            ended = stamp
            latencies.append(ended - asked)
    return Sent(began, ended, tuple(latencies))
