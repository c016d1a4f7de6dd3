"""De-identification alone: engine and gate in this process, next to plain pydicom on the same bytes."""

from __future__ import annotations

import hashlib
import statistics
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from io import BytesIO

from pydicom import dcmread

from bench.instances import SHAPES
from bench.modules import encode
from bench.report import Row, timed
from proxy.deid.engine import deidentify
from proxy.deid.profile import Policy, PolicySpec, compile_policy
from proxy.deid.types import Claimed
from proxy.deid.verify import Gate
from proxy.errors import InstanceHeld
from proxy.store.rulebook import load_profile, load_tables

SECTION = "de-identify, in process"
#: seconds by the wall clock and of this thread's CPU, call by call
Times = tuple[list[float], ...]
_WARM, _LEAST, _MOST = 2, 5, 200


def measure(quick: bool, seed: int) -> Iterator[Row]:
    """Rows for each shape: pydicom, engine, gate, and both of ours together."""
    policy = make_policy(seed)
    for name, make in SHAPES.items():
        data = encode(make(seed))
        try:
            yield from _shape(name, data, policy, 3.0 if quick else 20.0)
        except InstanceHeld as held:
            yield Row(SECTION, name, note=f"held: {held.reason}")


@lru_cache(maxsize=4)
def make_policy(seed: int) -> Policy:
    """The research profile under a key made from ``seed``; one object, as a worker has one for each project."""
    key = hashlib.sha256(f"veil bench {seed}".encode()).digest()
    return compile_policy(load_tables(), PolicySpec("research", load_profile("research"), key))


def _shape(name: str, data: bytes, policy: Policy, seconds: float) -> Iterator[Row]:
    gate, view, claimed = Gate(b"\x00" * 32), memoryview(data), Claimed()
    result = deidentify(view, claimed, policy)
    plain, engine, check = repeat(
        seconds,
        lambda: read_walk_write(data),
        lambda: deidentify(view, claimed, policy),
        lambda: gate.verify(view, result, policy),
    )
    about = f"{note(plain)}, {size(len(data))}"
    yield timed(SECTION, f"{name}: pydicom read, walk, write", plain[0], {}, about)
    base = statistics.median(plain[1])
    for part, seen in (("engine", engine), ("gate", check)):
        yield timed(SECTION, f"{name}: {part}", seen[0], _against(base, seen), note(seen))
    both: Times = tuple([a + b for a, b in zip(*pair, strict=True)] for pair in zip(engine, check, strict=True))
    yield timed(SECTION, f"{name}: engine + gate", both[0], _against(base, both), note(both))


def _against(base: float, seen: Times) -> dict[str, float]:
    return {"pydicom's CPU": statistics.median(seen[1]) / base}


def read_walk_write(data: bytes) -> int:
    """What any pydicom program does at least: parse, touch every element at every depth, encode."""
    ds = dcmread(BytesIO(data))
    count = sum(1 for _ in ds.iterall())
    ds.save_as(BytesIO(), enforce_file_format=True)
    return count


def note(seen: Times) -> str:
    """CPU time too: other work on the machine lengthens it less than it lengthens wall time."""
    return f"n = {len(seen[0])}, CPU {1000 * statistics.median(seen[1]):.3g} ms"


def repeat(
    seconds: float, *works: Callable[[], object], warm: int = _WARM, least: int = _LEAST, burst: int = 1
) -> list[Times]:
    """Each of ``works`` timed call by call, taken in turn so that all see the same machine; ``burst`` calls a turn.

    ``warm`` turns that do not count, then for ``seconds`` in all, within ``least`` and `_MOST` turns.
    """
    times: list[Times] = [([], []) for _ in works]
    end = float("inf")
    for turn in range(warm + _MOST):
        if turn == warm:
            end = time.perf_counter() + seconds
        if turn >= warm + least and time.perf_counter() > end:
            break
        for work, (wall, cpu) in zip(works, times, strict=True):
            for _ in range(burst):
                began, spent = time.perf_counter(), time.thread_time()
                work()
                cpu.append(time.thread_time() - spent)
                wall.append(time.perf_counter() - began)
    return [(wall[warm * burst :], cpu[warm * burst :]) for wall, cpu in times]


def size(count: float) -> str:
    """Bytes for people."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.4g} {unit}"
        count /= 1024
    return f"{count:.3g} GiB"
