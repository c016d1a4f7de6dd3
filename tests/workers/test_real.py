"""Workers and the inline twin with the real engine, gate and rules."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pydicom.data
import pytest

from proxy.deid.profile import Policy, PolicySpec, compile_policy
from proxy.deid.types import Claimed, materialise
from proxy.deid.verify import Gate
from proxy.errors import Reason
from proxy.service.ports import Deidentifier, Held, Released
from proxy.store.rulebook import load_profile, load_tables
from proxy.workers.arena import Arena
from proxy.workers.inline import InlineDeidentifier
from proxy.workers.judge import Judge
from proxy.workers.pool import WorkerPool
from proxy.workers.warmup import specimen

KEY = b"g" * 32


@pytest.fixture(scope="module")
def policy() -> Policy:
    return compile_policy(load_tables(), PolicySpec("research", load_profile("research"), b"k" * 32))


@pytest.fixture
async def pool(policy: Policy) -> AsyncIterator[WorkerPool]:
    made = WorkerPool({"research": policy}, KEY, 1, 512, 30.0, tables=load_tables())
    await made.start()
    yield made
    await made.close()


def test_the_specimen_goes_all_the_way(policy: Policy) -> None:
    verdict = Judge(KEY).judge(specimen(), Claimed(), policy)
    assert isinstance(verdict, Released), verdict


@pytest.mark.parametrize("name", ["CT_small.dcm", "JPEG2000.dcm", "image_dfl.dcm", "MR_small_bigendian.dcm"])
async def test_a_worker_and_the_inline_twin_agree_to_the_byte(pool: WorkerPool, policy: Policy, name: str) -> None:
    path = pydicom.data.get_testdata_file(name, download=False)
    assert isinstance(path, str)
    data = Path(path).read_bytes()
    answers, nonces = [], list[bytes]()
    inline: Deidentifier = InlineDeidentifier({"research": policy}, KEY)
    for deidentifier in (pool, inline, pool):
        with Arena(1 << 24) as arena:
            arena.write(data)
            verdict = await deidentifier.run("research", arena, Claimed())
            if isinstance(verdict, Released):
                output = materialise(verdict.chunks, arena.view())
                assert Gate(KEY).admits(verdict.release, output)
                assert not Gate(b"x" * 32).admits(verdict.release, output)
                nonces.append(verdict.release.nonce)
                answers.append((output, verdict.report))
            else:
                answers.append((verdict.reason, verdict.detail, verdict.original))
    assert len(set(nonces)) == len(nonces)  # two outputs under one would give the key's hash away (SP 800-38D, 8)
    assert answers[0] == answers[1] == answers[2]


async def test_the_sender_of_a_held_instance_can_be_told_which_one(pool: WorkerPool) -> None:
    data = bytes(specimen()).replace(b"\x10\x00\x20\x00LO\x02\x001 ", b"")  # no Patient ID
    with Arena(1 << 20) as arena:
        arena.write(data)
        verdict = await pool.run("research", arena, Claimed())
    assert isinstance(verdict, Held)
    assert verdict.reason is Reason.BLANK_PATIENT_ID
    assert verdict.original is not None
    assert verdict.original.sop_instance_uid == "2.25.1"
