"""300 MB through the server in both directions, in a few megabytes of the process's own memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import AsyncIterator, Iterator

import pytest

from proxy.dicomweb.server import DicomwebServer
from proxy.service.retrieve import Retrieve
from proxy.service.search import Search

MIB = 1 << 20
SIZE = 300 * MIB


@pytest.fixture
def peak() -> Iterator[list[int]]:
    """Starts tracing; the test reads the peak from `tracemalloc`."""
    tracemalloc.start()
    yield []
    tracemalloc.stop()


async def test_a_part_of_300_mb_is_not_buffered(site, peak) -> None:
    sizes: list[int] = []

    class Counting:
        async def receive(self, project, arena, claimed, peer):
            sizes.append(arena.size)
            return await site.ingest.receive(project, arena, claimed, peer)

    site.ingest.received.clear()
    server = DicomwebServer(
        "127.0.0.1", 0, None, {"research": "research"}, Counting(), Search(site.archive, site.audit),
        Retrieve(site.archive, site.audit), site.audit, lambda: None, 2 * SIZE, 2 * SIZE,
    )  # fmt: skip
    await server.start()

    async def body() -> AsyncIterator[bytes]:
        yield b"--b0\r\nContent-Type: application/dicom\r\n\r\n" + site.instance(SOPInstanceUID="1.2.3")
        block = bytes(64 * 1024)
        for _ in range(SIZE // len(block)):
            yield block
        yield b"\r\n--b0--\r\n"

    url = f"http://127.0.0.1:{server.port}/dicomweb/research/studies"
    headers = {"Content-Type": "multipart/related; type=application/dicom; boundary=b0"}
    async with site.http.post(url, data=body(), headers=headers) as response:
        assert response.status == 200
    await server.stop(1)
    assert sizes[0] > SIZE
    assert tracemalloc.get_traced_memory()[1] < 24 * MIB


async def test_an_instance_of_300_mb_is_streamed(site, peak) -> None:
    whole = site.instance(PixelData=bytes(1 << 10))
    path = site.folder / "large"
    with path.open("wb") as file:
        file.write(whole[: -(1 << 10) - 4] + SIZE.to_bytes(4, "little"))
        file.truncate(file.tell() + SIZE)  # sparse: pixel data that costs no disk
    await site.archive.store("research", path)
    received = 0
    for resource in ("", "/bulkdata/7FE00010"):
        url = f"{site.base}/studies/2.25.1/series/2.25.2/instances/2.25.3{resource}"
        async with site.http.get(url) as response:
            assert response.status == 200
            async for block in response.content.iter_chunked(MIB):
                received += len(block)
    assert received > 2 * SIZE
    async with site.http.get(f"{site.base}/studies/2.25.1/metadata") as response:
        assert len(await response.read()) < 4096
    assert tracemalloc.get_traced_memory()[1] < 24 * MIB
