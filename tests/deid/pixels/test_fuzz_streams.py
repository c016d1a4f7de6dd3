"""Mutated code streams through real workers, engine and gate: held, or the box is black. The service stays.

Whatever a codec does to a worker costs the instance that it worked on. ``VEIL_STREAMS=3000`` for the long run.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.encaps import generate_frames

from proxy.deid.pixels import codecs
from proxy.deid.pixels.black import black_of
from proxy.deid.pixels.plan import Layout
from proxy.deid.types import Claimed, materialise
from proxy.errors import Reason
from proxy.service.ports import Held, Released, Verdict
from proxy.workers.arena import Arena
from proxy.workers.pool import WorkerPool
from tests.deid.pixels.code_streams import samples
from tests.deid.pixels.stream_mutants import BOX, Mutant, file_of, mutants, policy

COUNT, SEED = int(os.environ.get("VEIL_STREAMS", "150")), 20261121
#: reasons for which a mutant may be held: what it is, or what it does to the gate's or the worker's limits
REASONS = {
    Reason.PIXELS_UNREADABLE, Reason.NO_CODEC, Reason.PIXELS_NOT_CLEAN, Reason.IDENTIFIER_REMAINS,
    Reason.WORKER_CRASHED, Reason.WORKER_TIMEOUT,
}  # fmt: skip


async def ask(pool: WorkerPool, file: bytes) -> Verdict:
    with Arena(1 << 24) as arena:
        arena.write(file)
        return await pool.run("research", arena, Claimed())


def is_black(file: bytes, like: Layout) -> bool:
    """Whether the box is black in both frames of ``file``, which the engine wrote anew."""
    ds = pydicom.dcmread(io.BytesIO(file))
    uid, name = str(ds.file_meta.TransferSyntaxUID), str(ds.PhotometricInterpretation)
    now = codecs.coded_layout(like, uid) if name != like.photometric else like
    frames = [codecs.decode(stream, now, uid) for stream in generate_frames(ds.PixelData, number_of_frames=2)]
    boxes = [frame[BOX.top : BOX.bottom, BOX.left : BOX.right] for frame in frames]
    return all(np.all(box == np.array(black_of(now), box.dtype)) for box in boxes)


async def one(pool: WorkerPool, mutant: Mutant, tally: Counter[str]) -> None:
    verdict = await ask(pool, file := mutant.file)
    if isinstance(verdict, Held):
        assert verdict.reason in REASONS, (mutant.sample.name, verdict.reason, verdict.detail)
        tally[str(verdict.reason)] += 1
        return
    assert isinstance(verdict, Released)
    assert is_black(materialise(verdict.chunks, file), mutant.sample.layout), mutant.sample.name
    tally["released"] += 1


@pytest.mark.timeout(120 + COUNT // 5)
async def test_mutated_streams() -> None:
    pool = WorkerPool({"research": policy()}, bytes(32), 2, 512, 20.0)
    await pool.start()
    tally: Counter[str] = Counter()
    try:
        waiting = asyncio.Semaphore(4)

        async def bounded(mutant: Mutant) -> None:
            async with waiting:
                await one(pool, mutant, tally)

        await asyncio.gather(*(bounded(mutant) for mutant in mutants(COUNT, SEED)))
        for sample in samples()[:: max(len(samples()) // 10, 1)]:
            verdict = await ask(pool, file_of(sample, [sample.stream] * 2))
            assert isinstance(verdict, Released), "the service stays"
    finally:
        await pool.close()
    print(dict(tally))
    assert sum(tally.values()) == COUNT
    assert tally["released"] > COUNT // 20  # otherwise nothing is compared


@pytest.mark.timeout(180 + COUNT // 5)
def test_kernels_stay_in_their_arrays(tmp_path: Path) -> None:
    """Run lengths, packets and differences of foreign streams, with numba's bounds checks."""
    child = Path(__file__).parent / "stream_fuzz.py"
    environment = {
        **os.environ,
        "NUMBA_BOUNDSCHECK": "1",
        "NUMBA_CACHE_DIR": str(tmp_path),
        "PYTHONPATH": str(child.parents[3]),
    }
    command = [sys.executable, str(child), str(3 * COUNT), str(SEED)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    tally = json.loads(done.stdout)
    print(tally)
    assert sum(tally.values()) == 3 * COUNT
    assert tally["as it was"] + tally["stripped"] > COUNT // 5
