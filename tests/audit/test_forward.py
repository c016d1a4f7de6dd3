"""A receiver that hangs, dies or refuses leaves its sink behind: nothing is lost, and nobody waits for it."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from proxy.audit.follow import CursorFile, Line
from proxy.audit.forward import Forwarder, SinkDown, gently
from proxy.audit.trail import AuditLog
from proxy.service.ports import AuditEvent


class Receiver:
    """An outlet into a list. ``wrong``: what the next calls do instead."""

    batch, unconfirmed, seconds = 4, 1, 0.0
    rejected = 0

    def __init__(self) -> None:
        self.got: list[int] = []
        self.fail = False
        self.half = False
        self.hang = threading.Event()
        self.hang.set()
        self.confirmed = 0

    def send(self, lines: Sequence[Line]) -> None:
        self.hang.wait(20)
        if self.fail:
            raise SinkDown("refused")
        if self.half:
            self.half = False
            self.got += [line.seq for line in lines[:2]]
            raise SinkDown("connection")
        self.got += [line.seq for line in lines]

    def confirm(self) -> None:
        if self.fail:
            raise SinkDown("reset")
        self.confirmed = len(self.got)

    def abort(self) -> None:
        self.hang.set()

    def close(self) -> None: ...


async def until(true: Callable[[], object], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        await asyncio.sleep(0.02)


async def opened(folder: Path, count: int = 0) -> AuditLog:
    log = AuditLog(folder / "audit", "veil")
    await log.open()
    await more(log, count)
    return log


async def more(log: AuditLog, count: int) -> None:
    for n in range(count):
        await log.record(AuditEvent("received", object={"size": n}))


def forwarder(folder: Path, log: AuditLog, outlet: Receiver, notices: list[tuple[str, str]] | None = None) -> Forwarder:
    told = None if notices is None else (lambda name, code: notices.append((name, code)))
    durable = lambda: log.position.seq  # noqa: E731 - a property as a function
    made = Forwarder("one", folder / "audit", folder / "cursors", durable, outlet, told, backoff=0.01)
    made.start()
    return made


async def test_all_records_arrive_in_order_and_the_lag_is_told(tmp_path: Path) -> None:
    log, outlet = await opened(tmp_path, 10), Receiver()
    sink = forwarder(tmp_path, log, outlet)
    await more(log, 13)
    await until(lambda: sink.status().lag_records == 0)
    assert outlet.got == list(range(1, log.position.seq + 1))
    assert (sink.status().state, sink.status().lag_seconds, sink.status().failures) == ("up", 0.0, 0)
    sink.stop(2)
    await log.close()


async def test_after_a_restart_it_goes_on_behind_what_was_confirmed(tmp_path: Path) -> None:
    log, outlet = await opened(tmp_path, 9), Receiver()
    for _ in range(3):
        sink = forwarder(tmp_path, log, outlet)
        await until(lambda sink=sink: sink.status().lag_records == 0)
        sink.stop(2)
        await more(log, 5)
    sink = forwarder(tmp_path, log, outlet)
    sink.stop(5)  # sends what there is before it ends
    assert outlet.got == list(range(1, log.position.seq + 1))
    await log.close()


async def test_a_receiver_that_fails_gets_everything_later(tmp_path: Path) -> None:
    log, outlet, notices = await opened(tmp_path, 6), Receiver(), list[tuple[str, str]]()
    outlet.fail = True
    sink = forwarder(tmp_path, log, outlet, notices)
    await until(lambda: sink.status().failures > 2)
    await more(log, 6)
    assert sink.status().state == "down"
    assert sink.status().last_error == "refused"
    assert sink.status().lag_records == log.position.seq
    outlet.fail = False
    await until(lambda: sink.status().lag_records == 0)
    assert outlet.got == list(range(1, log.position.seq + 1))
    assert notices == [("one", "refused"), ("one", "")]
    sink.stop(2)
    await log.close()


async def test_a_batch_that_arrived_in_part_is_sent_again_as_it_was(tmp_path: Path) -> None:
    log, outlet = await opened(tmp_path, 4), Receiver()
    outlet.half = True
    sink = forwarder(tmp_path, log, outlet)
    await until(lambda: sink.status().lag_records == 0)
    assert outlet.got == [1, 2, *range(1, log.position.seq + 1)]
    sink.stop(2)
    await log.close()


async def test_what_was_not_confirmed_is_sent_again(tmp_path: Path) -> None:
    log, outlet = await opened(tmp_path, 8), Receiver()
    outlet.unconfirmed, outlet.seconds = 1000, 0.5
    sink = forwarder(tmp_path, log, outlet)
    await until(lambda: len(outlet.got) >= 8)
    assert sink.status().confirmed == 0
    outlet.fail = True
    await until(lambda: sink.status().failures)
    outlet.fail = False
    await until(lambda: sink.status().lag_records == 0)
    assert sorted(set(outlet.got)) == list(range(1, log.position.seq + 1))
    assert outlet.got.count(1) == 2
    assert CursorFile(tmp_path / "cursors" / "one.json").load().seq <= log.position.seq
    sink.stop(2)
    await log.close()


async def test_a_hung_receiver_keeps_no_record_waiting(tmp_path: Path) -> None:
    log, outlet = await opened(tmp_path), Receiver()
    sink = forwarder(tmp_path, log, outlet)
    outlet.hang.clear()
    slowest = 0.0
    for _ in range(50):
        began = time.monotonic()
        await more(log, 1)
        slowest = max(slowest, time.monotonic() - began)
    assert slowest < 1.5
    assert sink.status().lag_records > 0
    outlet.hang.set()
    await until(lambda: sink.status().lag_records == 0)
    assert outlet.got == list(range(1, log.position.seq + 1))
    sink.stop(2)
    await log.close()


async def test_stopping_does_not_wait_for_a_hung_receiver(tmp_path: Path) -> None:
    log, outlet = await opened(tmp_path, 5), Receiver()
    outlet.hang.clear()
    sink = forwarder(tmp_path, log, outlet)
    await until(lambda: sink.status().lag_records)
    began = time.monotonic()
    await asyncio.to_thread(sink.stop, 0.3)
    assert time.monotonic() - began < 20
    await log.close()


async def test_a_log_put_back_to_an_older_state_is_sent_whole(tmp_path: Path) -> None:
    log, outlet = await opened(tmp_path, 3), Receiver()
    (tmp_path / "cursors").mkdir()
    (tmp_path / "cursors" / "one.json").write_text('{"segment": 7, "offset": 12345, "seq": 999}')
    sink = forwarder(tmp_path, log, outlet)
    await until(lambda: sink.status().lag_records == 0 and outlet.got)
    assert outlet.got == list(range(1, log.position.seq + 1))
    sink.stop(2)
    await log.close()


def test_a_sink_that_catches_up_lets_others_run() -> None:
    """Between two records whoever waits for the interpreter gets it, however long a thread may keep it."""
    done = threading.Event()

    def render() -> None:
        for _ in gently([Line(n, b"") for n in range(300)]):
            sum(range(20_000))
        done.set()

    before = sys.getswitchinterval()
    sys.setswitchinterval(10.0)
    try:
        thread = threading.Thread(target=render)
        thread.start()
        for _ in range(10):
            time.sleep(0.0001)
        early = not done.is_set()
    finally:
        sys.setswitchinterval(before)
    thread.join()
    assert early
