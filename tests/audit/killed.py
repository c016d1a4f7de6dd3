"""A process that is killed while it works with an audit log, again and again, and what the log has to say of it.

As a program it stays small and forks for each trial: a line ``FOLDER AT SEED`` comes in; the child works in FOLDER,
tells what was done, and is killed at its AT-th call to the disk, or by itself at a random moment (AT 0). The line
``ended`` says that it is dead.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from proxy.audit import sink_file
from proxy.audit.trail import AuditLog
from tests.audit.faulty import Deadly, Disks
from tests.audit.house import KEY, Deed, House, mark, recorded

_REPOSITORY = Path(__file__).parents[2]
_VERDICTS = {"released", "held", "refused"}


@contextmanager
def mother() -> Iterator[subprocess.Popen[str]]:
    """The program that forks."""
    command = [sys.executable, "-m", "tests.audit.killed"]
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}  # whoever forks has one thread
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=_REPOSITORY, env=environment
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(30) == 0


async def trial(process: subprocess.Popen[str], folder: Path, chance: random.Random) -> list[Deed]:
    """One death; afterwards the log goes on, and has a record of all that was done. Returns that."""
    at = 0 if chance.random() < 0.3 else chance.randint(1, 40)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{folder} {at} {chance.random()}\n")
    process.stdin.flush()
    deeds = []
    while (line := process.stdout.readline()) != "ended\n":
        assert line, "the mother of all trials is dead"
        deeds.append(Deed(*json.loads(line)))
    log = AuditLog(folder, "veil", key=KEY)
    await log.open()
    assert log.healthy
    await log.close()
    lines = recorded(folder)
    for deed in deeds:
        assert deed.done
        assert sum(mark(deed.kind, deed.number) in line for line in lines) == 1, deed
    check_ends(lines)
    return deeds


def check_ends(lines: list[str]) -> None:
    """Each instance that arrived has one `received` and one verdict."""
    ends: dict[str, list[str]] = {}
    for record in map(json.loads, lines):
        if "arrival" in record["object"]:
            ends.setdefault(record["object"]["arrival"], []).append(record["type"])
    for types in ends.values():
        assert len(types) == 2, types
        assert (types[0], types[1] in _VERDICTS) == ("received", True), types


async def _work(folder: Path, at: int, chance: random.Random) -> NoReturn:
    def told(deed: Deed) -> None:
        os.write(1, (json.dumps([deed.kind, deed.number, deed.done, deed.seconds]) + "\n").encode())

    house = House(folder, told)
    await house.open()
    if at:
        disks = Disks()
        sink_file.os = disks  # type: ignore[assignment]  # stands in for the module, call by call
        disks.spoil(folder, Deadly(at, chance))
    else:
        signal.setitimer(signal.ITIMER_REAL, chance.uniform(0.001, 0.03))
    while True:
        await house.act_all()


def _child(line: str) -> NoReturn:
    folder, at, seed = line.rsplit(maxsplit=2)
    signal.signal(signal.SIGALRM, lambda number, frame: os.kill(os.getpid(), signal.SIGKILL))
    asyncio.run(_work(Path(folder), int(at), random.Random(seed)))
    raise AssertionError("nobody survives this")


if __name__ == "__main__":
    for order in sys.stdin:
        if (pid := os.fork()) == 0:
            _child(order)
        _, status = os.waitpid(pid, 0)
        if status != signal.SIGKILL:
            sys.exit(f"a child ended with {status}")
        os.write(1, b"ended\n")
