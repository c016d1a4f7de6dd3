"""Programs that the bench starts: found by name, logged to a file, bounded in time, always ended."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
Once = Callable[[Path], T]
_ALSO = ("/usr/sbin", "/usr/local/sbin", "/usr/local/bin")


class Skipped(Exception):
    """This part cannot be measured here; the message says what is missing."""


class Failed(Exception):
    """A measurement went wrong: too slow, or something was lost. Its row says so; there is no figure."""


def program(name: str) -> str:
    """The path of a peer; `Skipped` where it is not installed."""
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *_ALSO]))
    if found is None:
        raise Skipped(f"{name} not installed")
    return found


def free_port() -> int:
    """A loopback port that nothing listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def in_turns(folder: Path, contestants: Mapping[str, Once[T]], rounds: int) -> dict[str, list[T] | str]:
    """What each round gave each contestant, or why there is nothing; every one has a fresh folder below ``folder``."""
    seen: dict[str, list[T] | str] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, once in contestants.items():
            so_far = seen[name]
            if isinstance(so_far, str):
                continue
            with tempfile.TemporaryDirectory(prefix="leg-", dir=folder) as leg:
                try:
                    so_far.append(once(Path(leg)))
                except Skipped as missing:
                    seen[name] = f"skipped: {missing}"
                except Failed as wrong:
                    seen[name] = f"failed: {wrong}"
    return seen


@contextlib.contextmanager
def running(
    arguments: Sequence[str], log: Path, environment: Mapping[str, str] | None = None, grace: float = 20.0
) -> Iterator[subprocess.Popen[bytes]]:
    """Start in a process group of its own; SIGTERM to it, and SIGKILL to what is left of the group afterwards.

    What is left: the program itself when ``grace`` seconds were not enough, and children that outlived it.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ | dict(environment or {}),
            start_new_session=True,
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            _await_exit(process.pid, grace)
            os.killpg(process.pid, signal.SIGKILL)  # not reaped yet, so the number is still its own
            process.wait(grace)


def _await_exit(pid: int, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            return
        time.sleep(0.02)


def wait_until(condition: Callable[[], bool], seconds: float, what: str, every: float = 0.02) -> None:
    """Poll ``condition``; `Failed` when it does not come true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise Failed(f"{what}: not within {seconds:.0f} s")
        time.sleep(every)


def listening(port: int, process: subprocess.Popen[bytes], seconds: float, what: str) -> None:
    """Wait until ``process`` listens on ``port``, without connecting to it."""

    def ready() -> bool:
        if process.poll() is not None:
            raise Failed(f"{what} ended with status {process.returncode}")
        return _listens(port)

    wait_until(ready, seconds, f"{what} does not listen")


def _listens(port: int) -> bool:
    wanted = f":{port:04X}"
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = (line.split() for line in table)
        return any(row[1].endswith(wanted) and row[3] == "0A" for row in rows)
