"""Trials of the sink of record: full, read-only, hung. After each, what was done is what is on disk.

``python -m tests.audit.trials full 1000`` from the repository runs as many of one kind and prints what came of them;
``filled`` mounts file systems, so put ``unshare -Urm`` before it.
"""

from __future__ import annotations

import asyncio
import errno
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from proxy.audit import sink_file
from tests.audit.faulty import Disks, Filled, Full, Good, Hung, ReadOnly
from tests.audit.house import House, mark, recorded

#: what a refusal may take
SECONDS = 2.0
FAULTS: dict[str, Callable[[random.Random, Path], Good]] = {
    "full": lambda chance, _: Full(chance.randrange(4000)),
    "filled": lambda chance, folder: Filled(folder, chance),
    "read-only": lambda chance, _: ReadOnly(chance.choice([errno.EROFS, errno.EACCES])),
    "hung": lambda chance, _: Hung(in_write=chance.random() < 0.5),
}


@dataclass
class Figures:
    """Of one kind of trial. ``stall``: how long the event loop itself was late at most."""

    trials: int = 0
    done: int = 0
    refused: int = 0
    delivered: int = 0
    slowest_refusal: float = 0.0
    slowest_recovery: float = 0.0
    stall: float = 0.0
    wrong: list[str] = field(default_factory=list)


async def run(kind: str, trials: int, seed: int, folder: Path, at_once: int = 50) -> Figures:
    """``trials`` of ``kind`` in folders below ``folder``."""
    disks, figures, chance = Disks(), Figures(), random.Random(f"{kind} {seed}")
    real, sink_file.os = sink_file.os, disks  # type: ignore[assignment]  # stands in for the module, call by call
    watch = asyncio.create_task(_stalls(figures))
    places = asyncio.Semaphore(at_once)

    async def one(number: int) -> None:
        async with places:
            with _place(kind, folder / str(number)) as place:
                await trial(kind, disks, place, random.Random(chance.random()), figures)

    try:
        await asyncio.gather(*map(one, range(trials)))
    finally:
        watch.cancel()
        sink_file.os = real
    return figures


@contextmanager
def _place(kind: str, folder: Path) -> Iterator[Path]:
    """Where a trial takes place, and nothing of it afterwards."""
    folder.mkdir()
    if kind == "filled":
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        if kind == "filled":
            subprocess.run(["umount", folder], check=True)
    shutil.rmtree(folder)


async def trial(kind: str, disks: Disks, folder: Path, chance: random.Random, figures: Figures) -> None:
    """Good, bad in the midst of work, good again; then the log is read back."""
    house = House(folder)
    await house.open()
    assert all(deed.done for deed in await house.act_all())
    if chance.random() < 0.3:
        house.log.rotate_soon()
    under_way = [asyncio.ensure_future(house.act_all()) for _ in range(2)]
    await asyncio.sleep(chance.random() * 0.003)
    disks.spoil(folder, FAULTS[kind](chance, folder))
    try:
        await _until_refused(house)
        await asyncio.gather(*under_way)
        done = any(deed.done for deed in await house.act_all())
        if (done or house.log.healthy) and kind != "filled":  # where a short record may fit after a long one did not
            figures.wrong.append("done while nothing can be recorded" if done else "ready meanwhile")
    finally:
        disks.mend(folder)
    mended = time.monotonic()
    async with asyncio.timeout(20):
        while not house.log.healthy:  # nobody asks it to do anything meanwhile
            await asyncio.sleep(0.01)
    figures.slowest_recovery = max(figures.slowest_recovery, time.monotonic() - mended)
    assert all(deed.done for deed in await house.act_all())
    await house.close()
    settle(house, figures)


async def _until_refused(house: House) -> None:
    """What still fits may be done; then nothing is."""
    async with asyncio.timeout(20):
        while all(deed.done for deed in await house.act_all()):
            pass


def settle(house: House, figures: Figures) -> None:
    """Hold what was done against what is on disk."""
    lines = recorded(house.folder)
    for deed in house.deeds:
        found = sum(mark(deed.kind, deed.number) in line for line in lines)
        if found != deed.done:
            figures.wrong.append(f"{deed}: {found} records")
    sent = [str(number) for number in house.sender.sent]
    told = [str(json.loads(line)["object"]["queue_id"]) for line in lines if '"type":"delivered"' in line]
    if sorted(sent) != sorted(told):
        figures.wrong.append(f"delivered {sent}, recorded {told}")
    figures.wrong += [f"{uid} could leave without a record" for uid in house.queue.unrecorded]
    refused = [deed for deed in house.deeds if not deed.done]
    figures.trials += 1
    figures.done += len(house.deeds) - len(refused)
    figures.refused += len(refused)
    figures.delivered += len(sent)
    figures.slowest_refusal = max(figures.slowest_refusal, *(deed.seconds for deed in refused))


async def _stalls(figures: Figures) -> None:
    """How late the event loop is, which is the machine's doing and not the log's."""
    while True:
        began = time.monotonic()
        await asyncio.sleep(0.02)
        figures.stall = max(figures.stall, time.monotonic() - began - 0.02)


if __name__ == "__main__":
    kind, count = sys.argv[1], int(sys.argv[2])
    with tempfile.TemporaryDirectory() as place:
        print(json.dumps(vars(asyncio.run(run(kind, count, 1, Path(place))))))
