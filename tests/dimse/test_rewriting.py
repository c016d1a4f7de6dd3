"""Instances for a destination that refuses their transfer syntax: the same values in one that it takes, or nothing."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.filereader import read_dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, MRImageStorage, RLELossless

from proxy.deid.verify import Gate
from proxy.dimse.rewriting import Rewriting
from proxy.errors import DeliveryError, DeliveryTransient, InstanceRejected, Reason, WorkersUnavailable
from proxy.service.decoding import Decoding
from proxy.service.ports import Held, QueueRow, Verdict
from proxy.workers.judge import Judge
from tests.deid.pixels.headers import policy
from tests.dimse.arenas import arenas
from tests.dimse.test_scu import pacs as pacs
from tests.dimse.test_scu import row
from tests.dimse.test_scu import sender as sender

KEY = b"k" * 32
MR = ("MR_small_RLE.dcm", "MR_small_bigendian.dcm", "MR_small_jp2klossless.dcm", "MR_small_implicit.dcm")


class Worker:
    """The judge of a worker, in this process; or what it should answer instead."""

    def __init__(self, instead: Any = None) -> None:
        self.asked = 0
        self._instead = instead

    async def decode(self, project: str, fd: int) -> Verdict:
        self.asked += 1
        if isinstance(self._instead, Exception):
            raise self._instead
        if self._instead is not None:
            return self._instead  # type: ignore[no-any-return]  # what the test says
        return Judge(KEY).decode(memoryview(os.pread(fd, os.fstat(fd).st_size, 0)), policy())


def rewriting(worker: Worker, key: bytes = KEY, limit: int = 1 << 20) -> Rewriting:
    return Rewriting(Decoding(worker, Gate(key), limit))


def bundled(name: str) -> tuple[Path, QueueRow]:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    meta = pydicom.dcmread(path, stop_before_pixels=True).file_meta
    return Path(path), row(meta.MediaStorageSOPInstanceUID, meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID)


@pytest.mark.parametrize("name", MR)
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
async def test_what_it_refuses_comes_in_what_it_takes(pacs: Any, sender: Any, name: str, syntax: str) -> None:
    path, wanted = bundled(name)
    there, worker = pacs(classes=(MRImageStorage,), syntaxes=(syntax,)), Worker()
    await sender(there.port, rewriting=rewriting(worker)).send(wanted, path)
    ((uid, used, data),) = there.stored
    assert (uid, used) == (wanted.sop_instance_uid, syntax)
    before = pydicom.dcmread(path)
    after = read_dataset(io.BytesIO(data), syntax == ImplicitVRLittleEndian, True)
    after.file_meta = pydicom.dataset.FileMetaDataset()
    after.file_meta.TransferSyntaxUID = syntax
    assert np.array_equal(before.pixel_array, after.pixel_array)
    assert {e.tag for e in before} == {e.tag for e in after}
    assert worker.asked == (name in ("MR_small_RLE.dcm", "MR_small_jp2klossless.dcm"))


async def test_what_it_takes_is_sent_as_it_lies_there(pacs: Any, sender: Any) -> None:
    path, wanted = bundled("MR_small_RLE.dcm")
    there, worker = pacs(syntaxes=(RLELossless, ExplicitVRLittleEndian)), Worker()
    await sender(there.port, rewriting=rewriting(worker)).send(wanted, path)
    ((_, used, data),) = there.stored
    assert used == RLELossless
    assert path.read_bytes().endswith(data)
    assert worker.asked == 0


async def test_many_share_what_was_proposed_once(pacs: Any, sender: Any) -> None:
    there = pacs()
    out = sender(there.port, rewriting=rewriting(Worker()))
    for name in MR:
        path, wanted = bundled(name)
        await out.send(wanted, path)
    assert len(there.stored) == len(MR)
    assert len(there.associations) <= 3  # a new transfer syntax each, but for those that were proposed already


@pytest.mark.parametrize(
    ("worker", "more", "error", "word"),
    [
        (Worker(Held(Reason.NO_CODEC)), {}, InstanceRejected, "no-transcoding no-codec"),
        (Worker(Held(Reason.WORKER_CRASHED)), {}, DeliveryTransient, "no-transcoding worker-crashed"),
        (Worker(WorkersUnavailable("all busy")), {}, DeliveryTransient, "no-worker"),
        (Worker(), {"key": b"x" * 32}, InstanceRejected, "was not released"),
        (Worker(), {"limit": 5000}, InstanceRejected, "too-large"),
    ],
)
async def test_what_cannot_be_rewritten_blames_whom_it_should(
    pacs: Any, sender: Any, worker: Worker, more: Any, error: type[DeliveryError], word: str
) -> None:
    path, wanted = bundled("MR_small_RLE.dcm")
    there = pacs()
    with pytest.raises(error, match=word):
        await sender(there.port, rewriting=rewriting(worker, **more)).send(wanted, path)
    assert there.stored == []
    assert arenas() == 0


async def test_a_destination_that_takes_nothing_of_it(pacs: Any, sender: Any) -> None:
    path, wanted = bundled("MR_small_RLE.dcm")
    there, worker = pacs(classes=()), Worker()
    with pytest.raises(InstanceRejected, match="no-context"):
        await sender(there.port, rewriting=rewriting(worker)).send(wanted, path)
    assert worker.asked == 0
