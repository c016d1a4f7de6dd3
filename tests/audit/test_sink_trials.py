"""A receiver over HTTP hangs, is full or is gone: nobody who records waits for it, and it gets everything afterwards.

`make test` takes a small share; ``VEIL_TRIALS=1000 python -m pytest -s tests/audit/test_sink_trials.py`` is the whole.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from proxy.audit.forward import Forwarder
from proxy.audit.sink_http import HttpPush
from proxy.audit.trail import AuditLog
from proxy.service.ports import AuditEvent
from tests.peers.loopback import Quiet, serving

TRIALS = max(9, int(os.environ.get("VEIL_TRIALS", "30")))
SEED = int(os.environ.get("VEIL_SEED", "20261121"))
#: what whoever records may wait while the disk is well
SECONDS = 2.0


class Receiver:
    """What is wrong with it now: "", "hung", "full" (507), "gone" (it hangs up)."""

    def __init__(self) -> None:
        self.wrong, self.mended = "", threading.Event()
        self.numbers: set[int] = set()
        self.met: set[str] = set()

    def take(self, body: bytes) -> int:
        """A status; 0 for none."""
        wrong = self.wrong
        self.met |= {wrong}
        if wrong == "hung":
            self.mended.wait(20)
            return 0
        if wrong:
            return 507 if wrong == "full" else 0
        self.numbers |= {json.loads(line)["seq"] for line in body.splitlines()}
        return 204

    def spoil(self, wrong: str) -> None:
        self.mended.clear()
        self.wrong, self.met = wrong, set()

    def mend(self) -> None:
        self.wrong = ""
        self.mended.set()


@contextmanager
def receiving(receiver: Receiver) -> Iterator[int]:
    """Yields its port."""

    class Handler(Quiet):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            status = receiver.take(self.rfile.read(int(self.headers["Content-Length"])))
            if not status:
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

    with serving(Handler) as port:
        yield port


async def until(log: AuditLog, sink: Forwarder, receiver: Receiver, wrong: str) -> float:
    """Record until the receiver has shown what is wrong with it; returns the longest that one record took."""
    slowest = 0.0
    async with asyncio.timeout(30):
        while wrong not in receiver.met:
            began = time.monotonic()
            await log.record(AuditEvent("received", object={"kind": "instance"}), AuditEvent("held", "failure"))
            slowest = max(slowest, time.monotonic() - began)
            await asyncio.sleep(0.005)
    return slowest


@pytest.mark.timeout(90 + 3 * TRIALS)
async def test_nobody_waits_for_a_receiver(tmp_path: Path) -> None:
    chance, receiver, slowest = random.Random(SEED), Receiver(), 0.0
    log = AuditLog(tmp_path / "audit", "veil")
    await log.open()
    with receiving(receiver) as port:
        outlet = HttpPush(f"http://127.0.0.1:{port}/", "json", {}, patience=0.3)
        sink = Forwarder("one", tmp_path / "audit", tmp_path / "c", lambda: log.position.seq, outlet, backoff=0.01)
        sink.start()
        for number in range(TRIALS):
            wrong = ("hung", "full", "gone")[number % 3]
            receiver.spoil(wrong)
            slowest = max(slowest, await until(log, sink, receiver, wrong))
            assert log.healthy
            await asyncio.sleep(chance.uniform(0, 0.02))
            receiver.mend()
            async with asyncio.timeout(30):  # by itself
                while sink.status().lag_records:
                    await asyncio.sleep(0.01)
        await asyncio.to_thread(sink.stop, 5)
    await log.close()
    print(json.dumps({"trials": TRIALS, "records": log.position.seq, "slowest": slowest}))
    assert receiver.numbers == set(range(1, log.position.seq + 1))
    assert slowest < SECONDS
