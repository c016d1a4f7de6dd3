"""What one instance does to a worker costs that instance only."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from proxy.deid.types import Claimed, Slice
from proxy.errors import Reason, WorkersUnavailable
from proxy.service.ports import Held, Released, Verdict
from proxy.workers.arena import Arena
from proxy.workers.pool import WorkerPool


async def ask(pool: WorkerPool, data: bytes) -> Verdict:
    with Arena(1 << 30) as arena:
        arena.write(data)
        return await pool.run("research", arena, Claimed())


async def test_a_released_instance(pool: Callable[..., Any]) -> None:
    verdict = await ask(await pool(), b"fine\n" + bytes(1000))
    assert isinstance(verdict, Released)
    assert verdict.chunks == (b"out:", Slice(0, 1005))
    assert verdict.release.tag == b"k" * 32
    assert verdict.report.patient_id == "P1"
    assert verdict.original.sop_instance_uid == "1.2.4"
    assert verdict.milliseconds > 0


@pytest.mark.parametrize(
    ("order", "reason", "detail"),
    [
        (b"held", Reason.TOO_DEEP, "64 levels"),
        (b"raise", Reason.ENGINE_ERROR, "ValueError"),
        (b"recursion", Reason.ENGINE_ERROR, "RecursionError"),
        (b"bomb", Reason.ENGINE_ERROR, "MemoryError"),
        (b"write", Reason.ENGINE_ERROR, "TypeError"),
        (b"crash", Reason.WORKER_CRASHED, "the worker died"),
        (b"kill-me", Reason.WORKER_CRASHED, "the worker died"),
        (b"class", Reason.WORKER_CRASHED, "the worker's reply makes no sense"),
    ],
)
async def test_a_bad_instance_is_held_and_the_next_one_passes(
    pool: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    order: bytes,
    reason: Reason,
    detail: str,
) -> None:
    monkeypatch.setenv("EVIL", str(tmp_path / "evil"))
    workers = await pool()
    verdict = await ask(workers, order)
    assert isinstance(verdict, Held)
    assert (verdict.reason, verdict.detail) == (reason, detail)
    # whose it is, is found out for the sender, but not from what has just broken the engine
    assert (verdict.original is not None) == (order == b"held")
    assert isinstance(await ask(workers, b"fine"), Released)
    assert not (tmp_path / "evil").exists()


async def test_the_gates_refusal_names_the_original(pool: Callable[..., Any]) -> None:
    verdict = await ask(await pool(), b"gate")
    assert isinstance(verdict, Held)
    assert verdict.reason is Reason.IDENTIFIER_REMAINS
    assert verdict.original is not None


async def test_an_empty_arena_is_not_dicom(pool: Callable[..., Any]) -> None:
    verdict = await ask(await pool(), b"")
    assert isinstance(verdict, Held)
    assert verdict.reason is Reason.NOT_DICOM


async def test_a_hang_is_killed_at_the_deadline(pool: Callable[..., Any]) -> None:
    workers = await pool(seconds=0.5)
    before = workers.pids
    started = time.monotonic()
    verdict = await ask(workers, b"hang")
    assert isinstance(verdict, Held)
    assert verdict.reason is Reason.WORKER_TIMEOUT
    assert time.monotonic() - started < 5
    assert isinstance(await ask(workers, b"fine"), Released)
    assert workers.pids != before


async def test_a_worker_killed_during_a_job_costs_that_job(pool: Callable[..., Any]) -> None:
    workers = await pool(count=2)
    pids = workers.pids
    hanging = asyncio.ensure_future(ask(workers, b"hang"))
    await asyncio.sleep(0.2)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    await asyncio.sleep(0.1)
    verdict = await asyncio.wait_for(hanging, 10)
    assert isinstance(verdict, Held)
    assert verdict.reason is Reason.WORKER_CRASHED
    # the other worker died while idle: nobody's instance pays for that
    for _ in range(4):
        assert isinstance(await ask(workers, b"fine"), Released)


async def test_a_large_replacement_comes_whole(pool: Callable[..., Any]) -> None:
    verdict = await ask(await pool(), b"big\n" + bytes(60))
    assert isinstance(verdict, Released)
    head, kept, large, tail = verdict.chunks
    assert (head, kept, tail) == (b"head", Slice(0, 4), b"tail")
    assert large == b"\x07" * (40 << 20)


async def test_eight_at_once_and_the_loop_stays_awake(pool: Callable[..., Any]) -> None:
    workers = await pool(count=2)
    late: list[float] = []

    async def heartbeat() -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.01)
            late.append(time.monotonic() - before - 0.01)

    beat = asyncio.ensure_future(heartbeat())
    verdicts = await asyncio.gather(*(ask(workers, b"sleep\n" + bytes([n])) for n in range(8)))
    beat.cancel()
    assert all(isinstance(verdict, Released) for verdict in verdicts)
    assert max(late) < 0.25
    assert len(late) > 40  # four rounds of 0.3 s on two workers: the loop ran meanwhile


async def test_nobody_waits_for_ever(pool: Callable[..., Any]) -> None:
    workers = await pool(wait_seconds=0.2, waiting=1)
    busy = asyncio.ensure_future(ask(workers, b"hang"))
    await asyncio.sleep(0.05)
    waiting = asyncio.ensure_future(ask(workers, b"fine"))
    await asyncio.sleep(0.05)
    with pytest.raises(WorkersUnavailable, match="too many"):
        await ask(workers, b"fine")
    with pytest.raises(WorkersUnavailable, match="no worker became free"):
        await waiting
    await workers.close()
    assert isinstance(await busy, Held)


async def test_a_caller_who_goes_away_leaves_the_worker_usable(pool: Callable[..., Any]) -> None:
    workers = await pool()
    with Arena(100) as arena:
        arena.write(b"sleep")
        call = asyncio.ensure_future(workers.run("research", arena, Claimed()))
        await asyncio.sleep(0.1)
        call.cancel()
    # the descriptor number is free again, and the next arena takes it: the worker must not see that one
    verdict = await ask(workers, b"fine")
    assert isinstance(verdict, Released)
    assert verdict.chunks[1] == Slice(0, 4)


async def test_a_worker_is_replaced_when_it_is_old_or_has_grown(pool: Callable[..., Any]) -> None:
    old = await pool(jobs_per_worker=2)
    first = await ask(old, b"pid")
    assert await ask(old, b"pid") == _same(first)
    assert (await ask(old, b"pid")).chunks != first.chunks
    grown = await pool(memory_mib=256)
    before = grown.pids
    await ask(grown, b"grow")
    assert isinstance(await ask(grown, b"fine"), Released)
    assert grown.pids != before


def _same(verdict: Verdict) -> Any:
    class Same:
        def __eq__(self, other: object) -> bool:
            return isinstance(other, Released) and isinstance(verdict, Released) and other.chunks == verdict.chunks

    return Same()


async def test_garbage_is_collected_once_a_worker_has_started(pool: Callable[..., Any]) -> None:
    verdict = await ask(await pool(), b"collected")
    assert isinstance(verdict, Released)
    assert verdict.chunks == (b"True",)


async def test_a_worker_leaves_no_core_and_ends_with_the_pool(pool: Callable[..., Any]) -> None:
    workers = await pool()
    limits = Path(f"/proc/{workers.pids[0]}/limits").read_text()
    core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"]
    pid = workers.pids[0]
    await workers.close()
    assert not Path(f"/proc/{pid}").exists()
    assert workers.ready is False


_PARENT = """
import asyncio
from proxy.deid.types import Claimed
from proxy.workers.arena import Arena
from proxy.workers.pool import WorkerPool

async def main():
    pool = WorkerPool({"research": "p"}, b"k", 2, 256, 600.0, engine="fake_engine", gate="fake_engine")
    await pool.start()
    with Arena(100) as arena:
        arena.write(b"hang")
        job = asyncio.ensure_future(pool.run("research", arena, Claimed()))
        await asyncio.sleep(0.2)
        print(*pool.pids, flush=True)
        await job

asyncio.run(main())
"""


def test_workers_die_with_their_parent_even_in_the_middle_of_a_job() -> None:
    here = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(here.parents[1]), str(here)))}
    parent = subprocess.Popen([sys.executable, "-c", _PARENT], stdout=subprocess.PIPE, env=environment)
    assert parent.stdout is not None
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert len(pids) == 2
    deadline = time.monotonic() + 5
    while any(_alive(pid) for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_the_terminals_signals_do_not_end_a_worker(pool: Callable[..., Any]) -> None:
    workers = await pool()
    before = workers.pids
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(before[0], number)
    assert isinstance(await ask(workers, b"fine"), Released)
    assert workers.pids == before


async def test_a_worker_that_cannot_start_says_why(pool: Callable[..., Any]) -> None:
    with pytest.raises(WorkersUnavailable, match="InstanceHeld: engine-error: no gate today"):
        await pool(gate="broken_gate")
    with pytest.raises(WorkersUnavailable, match="ModuleNotFoundError"):
        await pool(engine="no_such_module")


async def test_the_bytes_are_frozen_before_a_worker_sees_them(pool: Callable[..., Any]) -> None:
    workers = await pool()
    with Arena(100) as arena:
        arena.write(b"fine")
        await workers.run("research", arena, Claimed())
        with pytest.raises(PermissionError):
            arena.write(b"more")


async def test_an_unknown_project_has_no_worker(pool: Callable[..., Any]) -> None:
    workers = await pool()
    with Arena(10) as arena, pytest.raises(WorkersUnavailable):
        await workers.run("other", arena, Claimed())
