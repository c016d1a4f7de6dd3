"""Orthanc and DCMTK's storescp as destinations: several instances at once, as released or decompressed."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file

from proxy.deid.verify import Gate
from proxy.dimse.requestor import Destination
from proxy.dimse.rewriting import Rewriting
from proxy.dimse.scu import DimseSender
from proxy.service.decoding import Decoding
from proxy.service.ports import Verdict
from proxy.workers.judge import Judge
from tests.deid.pixels.headers import policy
from tests.peers.test_dcmtk_dimse import Program, queue_row, storescp

pytestmark = [pytest.mark.peer, pytest.mark.filterwarnings("ignore::UserWarning")]
FILES = (
    "CT_small.dcm", "MR_small_RLE.dcm", "JPEG2000.dcm", "SC_rgb_jpeg_dcmtk.dcm", "emri_small_jpeg_ls_lossless.dcm",
    "JPGLosslessP14SV1_1s_1f_8b.dcm", "reportsi.dcm", "SC_rgb_rle_2frame.dcm",
)  # fmt: skip
COMPRESSED = ("MR_small_RLE.dcm", "JPEG2000.dcm", "SC_rgb_rle_2frame.dcm", "emri_small_jpeg_ls_lossless.dcm")


class Worker:
    """The judge of a worker, in this process."""

    async def decode(self, project: str, fd: int) -> Verdict:
        data = os.pread(fd, os.fstat(fd).st_size, 0)
        return await asyncio.to_thread(Judge(bytes(32)).decode, memoryview(data), policy())


def file(name: str) -> Path:
    return Path(str(get_testdata_file(name, download=False)))


async def test_orthanc_has_every_value_in_the_same_transfer_syntax(orthanc: Any) -> None:
    to = Destination("127.0.0.1", orthanc.dimse_port, "ORTHANC", "VEIL", 30.0)
    sender = DimseSender(to, associations=3)
    paths = [file(name) for name in FILES]
    await asyncio.gather(*(sender.send(queue_row(path), path) for path in paths))
    await sender.send(queue_row(paths[0]), paths[0])  # a resend is harmless
    await sender.close()
    assert len(await asyncio.to_thread(orthanc.instances)) == len(FILES)
    for path in paths:
        sent = pydicom.dcmread(path)
        kept = pydicom.dcmread(io.BytesIO(await asyncio.to_thread(orthanc.file, str(sent.SOPInstanceUID))))
        assert kept.file_meta.TransferSyntaxUID == sent.file_meta.TransferSyntaxUID
        assert {e.tag for e in kept} == {e.tag for e in sent}
        # lengths of sequences and offsets of fragments are its own
        assert [e.tag for e in kept if e != sent[e.tag] and e.tag != 0x7FE00010] == []
        assert "PixelData" not in sent or np.array_equal(kept.pixel_array, sent.pixel_array)


@pytest.mark.parametrize("option", ["+xe", "+xi"])
async def test_a_storescp_that_knows_no_compression_has_every_value(
    program: Program, tmp_path: Path, free_port: Callable[[], int], option: str
) -> None:
    port = free_port()
    rewriting = Rewriting(Decoding(Worker(), Gate(bytes(32)), 64 << 20))
    async with storescp(program, port, tmp_path, option):
        sender = DimseSender(Destination("127.0.0.1", port, "STORESCP", "VEIL", 20.0), 1, rewriting)
        await asyncio.gather(*(sender.send(queue_row(file(name)), file(name)) for name in COMPRESSED))
        await sender.close()
    arrived = {str(one.SOPInstanceUID): one for one in map(pydicom.dcmread, tmp_path.iterdir())}
    assert len(arrived) == len(COMPRESSED)
    for name in COMPRESSED:
        sent = pydicom.dcmread(io.BytesIO(file(name).read_bytes()))
        got = arrived[str(sent.SOPInstanceUID)]
        assert not got.file_meta.TransferSyntaxUID.is_compressed
        assert np.array_equal(got.pixel_array, sent.pixel_array)
