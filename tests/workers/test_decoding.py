"""Released files decompressed by worker processes: released anew, or held, and nothing that ends a worker."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydicom.data import get_testdata_file

from proxy.deid.profile import Policy
from proxy.deid.verify import Gate
from proxy.errors import InstanceRejected, Reason
from proxy.service.decoding import Decoding
from proxy.service.ports import Held, Released
from proxy.workers.rotation import Rotation
from proxy.workers.setup import GATE
from tests.deid.pixels.headers import policy

KEY = b"k" * 32


@pytest.fixture(scope="module")
def policies() -> dict[str, Policy]:
    """What the pool of this file knows."""
    return {"research": policy()}


def path_of(name: str) -> Path:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    return Path(path)


async def test_a_worker_decompresses_and_releases_anew(pool: Callable[..., Any]) -> None:
    workers = Rotation(await pool(gate=GATE))
    decoding = Decoding(workers, Gate(KEY), 16 << 20)
    for name in ("SC_rgb_rle_2frame.dcm", "JPEG2000.dcm"):  # the second comes by descriptor
        async with decoding.decompressed("research", path_of(name)) as arena:
            assert b"1.2.840.10008.1.2.1\0" in bytes(arena.view()[:400])
            assert arena.size > path_of(name).stat().st_size
    with pytest.raises(InstanceRejected, match=f"no-transcoding {Reason.UNSUPPORTED_CONTENT}"):
        async with decoding.decompressed("research", path_of("CT_small.dcm")):
            pass
    with pytest.raises(FileNotFoundError):
        async with decoding.decompressed("research", Path("/nowhere")):
            pass
    fd = os.open(path_of("MR_small_RLE.dcm"), os.O_RDONLY)
    try:
        verdict = await workers.decode("research", fd)
    finally:
        os.close(fd)
    assert isinstance(verdict, Released)
    assert verdict.report.sop_instance_uid == verdict.original.sop_instance_uid != ""
    assert not isinstance(verdict, Held)
