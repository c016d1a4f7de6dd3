"""DCMTK's programs as real peers: echoscu, dcmsend and storescu into our SCP, our SCU into storescp."""

from __future__ import annotations

import asyncio
import hashlib
import re
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.data import get_testdata_file

from proxy.dimse.requestor import Destination
from proxy.dimse.scu import DimseSender
from proxy.errors import DeliveryTransient, DestinationRefuses, InstanceRejected
from proxy.service.ports import QueueRow
from tests.dimse.servers import Serve

pytestmark = pytest.mark.peer

Run = Callable[..., Awaitable[tuple[int, str]]]
Program = Callable[[str], Path]

DATA = Path(pydicom.__file__).parent / "data"
FOLDERS = (DATA / "test_files", DATA / "charset_files")
SYNTAXES = {  # bundled file → its transfer syntax, and what makes storescu propose that
    "CT_small.dcm": ("1.2.840.10008.1.2.1", "-xe"),
    "MR_small_bigendian.dcm": ("1.2.840.10008.1.2.2", "-xb"),
    "rtplan.dcm": ("1.2.840.10008.1.2", "-xi"),
    "image_dfl.dcm": ("1.2.840.10008.1.2.1.99", "-xd"),
    "MR_small_RLE.dcm": ("1.2.840.10008.1.2.5", "-xr"),
    "SC_rgb_jpeg_dcmtk.dcm": ("1.2.840.10008.1.2.4.50", "-xy"),
    "JPEG-lossy.dcm": ("1.2.840.10008.1.2.4.51", "-xx"),
    "JPGLosslessP14SV1_1s_1f_8b.dcm": ("1.2.840.10008.1.2.4.70", "-xs"),
    "MR_small_jpeg_ls_lossless.dcm": ("1.2.840.10008.1.2.4.80", "-xt"),
    "MR_small_jp2klossless.dcm": ("1.2.840.10008.1.2.4.90", "-xv"),
    "JPEG2000.dcm": ("1.2.840.10008.1.2.4.91", "-xw"),
}


def data_set(part10: bytes) -> bytes:
    assert part10[128:132] == b"DICM"
    return part10[144 + int.from_bytes(part10[140:144], "little") :]


def digests(files: list[bytes]) -> Counter[str]:
    return Counter(hashlib.sha256(data_set(f)).hexdigest() for f in files)


def bundled(name: str) -> Path:
    path = get_testdata_file(name, download=False)
    assert path is not None, name
    return Path(str(path))


def to(port: int, seconds: float = 10.0) -> Destination:
    return Destination("127.0.0.1", port, "STORESCP", "VEIL", seconds)


def queue_row(path: Path) -> QueueRow:
    meta = pydicom.dcmread(path, stop_before_pixels=True).file_meta
    uids = (str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID))
    return QueueRow(1, "r", "d", path.name, "0", 0, *uids, "1", "1", str(meta.MediaStorageSOPInstanceUID), "P", 0, 0.0)


@asynccontextmanager
async def storescp(program: Program, port: int, folder: Path, *options: str) -> AsyncIterator[Any]:
    command = [str(program("storescp")), *options, "-od", str(folder), "--unique-filenames", str(port)]
    process = await asyncio.create_subprocess_exec(*command, stdout=-3, stderr=-3)
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except ConnectionRefusedError:
            assert time.monotonic() < deadline, "storescp does not listen"
            await asyncio.sleep(0.02)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_echoscu(serve: Serve, program: Program, run: Run) -> None:
    status, output = await run(program("echoscu"), "-aec", "VEIL", "127.0.0.1", (await serve()).port)
    assert status == 0, output


async def test_echoscu_with_an_unknown_called_ae_title(serve: Serve, program: Program, run: Run) -> None:
    status, output = await run(program("echoscu"), "-aec", "WRONG", "127.0.0.1", (await serve()).port)
    assert status != 0
    assert "Called AE Title Not Recognized" in output


async def test_dcmsend_every_bundled_file(
    serve: Serve, ingest: Any, program: Program, run: Run, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """What we hand to ingest is, byte for byte, what storescp writes when told to write exactly what it reads."""
    server, port = await serve(), free_port()
    options = ("-v", "-nuc", "-nh", "-dn")
    async with storescp(program, port, tmp_path, "+xa", "+B", "-pm"):
        (_, ours), (_, theirs) = await asyncio.gather(
            *(
                run(program("dcmsend"), *options, "-aec", "VEIL", "127.0.0.1", at, "+sd", "+r", *FOLDERS)
                for at in (server.port, port)
            )
        )
    sent = int(re.findall(r"sent to the peer +: (\d+)", ours)[0])
    assert sent > 150
    assert re.findall(r"with status SUCCESS +: (\d+)", ours) == [str(sent)]
    received = [part10 for _, part10, _, _ in ingest.received]
    assert len(received) == sent
    assert digests(received) == digests([f.read_bytes() for f in tmp_path.iterdir()]), theirs[-400:]


@pytest.mark.parametrize("name", SYNTAXES)
async def test_storescu_hands_over_each_syntax_untranscoded(
    serve: Serve, ingest: Any, program: Program, run: Run, name: str
) -> None:
    file, (syntax, propose) = bundled(name), SYNTAXES[name]
    status, output = await run(program("storescu"), propose, "-aec", "VEIL", "127.0.0.1", (await serve()).port, file)
    assert status == 0, output
    ((_, part10, claimed, _),) = ingest.received
    dataset = pydicom.dcmread(file)
    assert dataset.file_meta.TransferSyntaxUID == syntax
    assert (claimed.sop_class_uid, claimed.sop_instance_uid) == (dataset.SOPClassUID, dataset.SOPInstanceUID)
    assert pydicom.dcmread(BytesIO(part10)).file_meta.TransferSyntaxUID == syntax


async def test_storescu_that_aborts(serve: Serve, ingest: Any, program: Program, run: Run) -> None:
    server = await serve()
    await run(program("storescu"), "--abort", "-aec", "VEIL", "127.0.0.1", server.port, bundled("CT_small.dcm"))
    status, output = await run(program("echoscu"), "-aec", "VEIL", "127.0.0.1", server.port)
    assert status == 0, output


async def test_our_scu_to_storescp(program: Program, tmp_path: Path, free_port: Callable[[], int]) -> None:
    port = free_port()
    files = [bundled(name) for name in SYNTAXES]
    async with storescp(program, port, tmp_path, "+xa", "+B"):
        out = DimseSender(to(port, 10.0), associations=1)
        for file in files:
            await out.send(queue_row(file), file)
        await out.close()
    sent = [f.read_bytes() for f in files]
    even = [raw + bytes(len(data_set(raw)) % 2) for raw in sent]  # image_dfl.dcm lacks the padding of PS3.5 A.5
    assert digests([f.read_bytes() for f in tmp_path.iterdir()]) == digests(even)


async def test_our_scu_to_a_storescp_of_one_syntax_only(
    program: Program, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    port, file = free_port(), bundled("MR_small_RLE.dcm")
    async with storescp(program, port, tmp_path, "+xi"):
        out = DimseSender(to(port, 10.0))
        with pytest.raises(InstanceRejected, match="no-context"):
            await out.send(queue_row(file), file)
        await out.close()


@pytest.mark.parametrize(
    ("option", "error"),
    [
        ("--refuse", DestinationRefuses),
        ("--abort-after", DeliveryTransient),
        ("--abort-during", DeliveryTransient),
    ],
)
async def test_our_scu_to_a_storescp_that_misbehaves(
    program: Program, tmp_path: Path, free_port: Callable[[], int], option: str, error: type[Exception]
) -> None:
    port, file = free_port(), bundled("CT_small.dcm")
    async with storescp(program, port, tmp_path, option):
        out = DimseSender(to(port, 5.0))
        with pytest.raises(error):
            await out.send(queue_row(file), file)
        await out.close()


async def test_our_scu_survives_a_restart_of_storescp(
    program: Program, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    port, file = free_port(), bundled("CT_small.dcm")
    out = DimseSender(to(port, 5.0))
    async with storescp(program, port, tmp_path):
        await out.send(queue_row(file), file)
    with pytest.raises(DeliveryTransient):
        await out.send(queue_row(file), file)
    async with storescp(program, port, tmp_path):
        await out.send(queue_row(file), file)
    await out.close()
    assert len(list(tmp_path.iterdir())) == 2
