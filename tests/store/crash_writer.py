"""A program that crash tests run and kill: stores instances, says so after each promise, recovers at each start.

`python crash_writer.py once ROOT NUMBER keep hold` spools and seals one instance and says "ack" after each. `... kills
ROOT LOG N SEED` forks N times a process that works until it is killed; each start checks every promise in LOG.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from pathlib import Path

from proxy.deid.seal import Seal
from proxy.deid.types import Claimed, Report, Slice
from proxy.deid.verify import Gate, Release
from proxy.errors import Reason
from proxy.service.ports import Arena, Peer
from proxy.store.database import Database
from proxy.store.lock import DataLock
from proxy.store.quarantine import QuarantineFolder
from proxy.store.queue import Queue
from proxy.store.schema import DELIVERED
from proxy.store.spool import DiskSpool

CLEAR = b"PLANTED^NAME"
KEY = bytes(range(32))
PEER = Peer("dimse", "10.11.12.13", "CALLINGMODALITY", "CALLEDVEIL")


def instance(number: int) -> tuple[Arena, tuple[bytes | Slice, ...], bytes, str]:
    """A received instance with a clear name in it, and its de-identified form without."""
    body = random.Random(number).randbytes((300_000, 100, 5_000, 70_000)[number % 4])
    arena = Arena(1 << 20)
    arena.write(CLEAR + body)
    uid = f"2.25.{number}"
    head = uid.encode()
    return arena, (head, Slice(len(CLEAR), len(body))), head + body, uid


class Store:
    """Everything under one data folder."""

    async def open(self, root: Path) -> None:
        self.lock = DataLock(root)
        self.lock.acquire()
        self.database = await Database.open(root / "veil.db")
        self.spool = DiskSpool(root / "spool", Gate(KEY), 1 << 34)
        self.queue = await Queue.open(self.database, self.spool.remove)
        self.missing = (await self.spool.sweep(await self.queue.referenced())).missing
        self.quarantine = QuarantineFolder(root / "quarantine", KEY, 1 << 34)
        await self.quarantine.sweep()

    async def keep(self, number: int) -> str:
        arena, chunks, output, uid = instance(number)
        with arena:
            seal = Seal(KEY, number.to_bytes(12, "big"))
            seal.add(output)
            release = Release(seal.size, seal.nonce, seal.tag())
            item = await self.spool.write(release, chunks, arena)
            report = Report("1.2.3", "1.2.840.10008.1.2.1", "CT", "P", "1", "2", uid, "", "d", 1)
            await self.queue.enqueue("research", ["pacs"], item, report)
        return uid

    async def hold(self, number: int) -> str:
        arena, _, _, uid = instance(number)
        with arena:
            entry = await self.quarantine.seal(arena, "research", PEER, Claimed("", uid, ""), Reason.BURNED_IN, "")
        return entry.id

    async def close(self) -> None:
        await self.database.close()
        self.spool.close()
        self.quarantine.close()
        self.lock.release()


async def once(root: Path, number: int, steps: list[str]) -> None:
    store = Store()
    await store.open(root)
    os.write(1, b"begin\n")
    for step in steps:
        await getattr(store, step)(number)
        os.write(1, f"ack {step}\n".encode())
    await store.close()
    os.write(1, b"ack closed\n")


async def check(store: Store, log: Path) -> list[str]:
    """What of the promises in ``log`` does not hold."""
    said = [line.split() for line in log.read_text().splitlines()]
    promised = {int(words[1]) for words in said if words[0] == "queued"}
    arrived = {words[1] for words in said if words[0] == "arrived"}
    sealed = {words[2]: int(words[1]) for words in said if words[0] == "sealed"}
    wrong = [f"missing {name}" for name in store.missing]
    query = "SELECT sop_instance_uid, state, spool_name FROM delivery"
    rows = await store.database.run(lambda c: {r[0]: r for r in c.exec_driver_sql(query).all()})
    for number in promised:
        arena, _, output, uid = instance(number)
        arena.close()
        row = rows.get(uid)
        if row is None:
            wrong.append(f"no row {uid}")
        elif row[1] == DELIVERED:
            wrong += [] if uid in arrived else [f"delivered but never arrived {uid}"]
        elif store.spool.path(row[2]).read_bytes() != output:
            wrong.append(f"other bytes {uid}")
    for entry_id, number in sealed.items():
        with instance(number)[0] as arena, Arena(1 << 20) as opened:
            await store.quarantine.open(entry_id, opened)
            if bytes(opened.view()) != bytes(arena.view()):
                wrong.append(f"other sealed bytes {entry_id}")
    return wrong


async def work(root: Path, log: Path, start: int, forever: bool) -> None:
    store = Store()
    await store.open(root)
    out = os.open(log, os.O_WRONLY | os.O_APPEND)
    for line in await check(store, log):
        os.write(out, f"LOST {line}\n".encode())
    os.write(out, b"recovered\n")
    if not forever:
        return await store.close()

    async def receive(lane: int) -> None:
        for number in range(start + lane, start + 100_000, 8):
            if lane == 7:
                os.write(out, f"sealed {number} {await store.hold(number)}\n".encode())
            else:
                await store.keep(number)
                os.write(out, f"queued {number}\n".encode())

    async def deliver() -> None:
        while True:
            for row in await store.queue.claim("pacs", 2, time.time()):
                if store.spool.path(row.spool_name).stat().st_size == row.size:
                    os.write(out, f"arrived {row.sop_instance_uid}\n".encode())
                if await store.queue.done(row):
                    await store.spool.remove(row.spool_name)
            await asyncio.sleep(0.004)

    await asyncio.gather(deliver(), *(receive(lane) for lane in range(8)))
    return None


def kills(root: Path, log: Path, most: int, seed: int) -> None:
    rng = random.Random(seed)
    log.touch()
    for turn in range(most + 1):
        child = os.fork()
        if child == 0:
            asyncio.run(work(root, log, (turn + 1) * 1_000_000, turn < most))
            os._exit(0)
        if turn < most:
            # early kills hit the recovery; the others wait until this process has made some promises
            enough, patience = (0, 0.05) if rng.random() < 0.3 else (log.stat().st_size + rng.randint(20, 300), 5.0)
            deadline = time.monotonic() + patience
            while log.stat().st_size < enough and time.monotonic() < deadline:
                time.sleep(0.001)
            time.sleep(rng.uniform(0, 0.02))
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


if __name__ == "__main__":
    if sys.argv[1] == "once":
        asyncio.run(once(Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]))
    else:
        kills(Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))
