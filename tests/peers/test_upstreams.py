"""One suite for every kind of PACS that is asked: archive, Orthanc by DICOMweb and C-GET, dcmqrscp by C-GET and C-MOVE.

Whatever the PACS, the same questions have the same answers, and an instance arrives as it was stored.
"""

from __future__ import annotations

import asyncio
import io
import socket
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.data import get_testdata_file

from proxy.archive.archive import EmbeddedArchive
from proxy.archive.upstream import ArchiveUpstream
from proxy.dicomweb.upstream import DicomwebUpstream
from proxy.dimse.acceptor import Routes
from proxy.dimse.moving import Arrivals
from proxy.dimse.requestor import Destination
from proxy.dimse.upstream import DimseUpstream, MoveTo
from proxy.service.upstream import Question, Reference, Upstream, UpstreamError
from proxy.wire.dicom_json import first_value
from proxy.wire.vr import NATIVE
from proxy.workers.arena import Arena
from tests.dicomweb.conftest import instance
from tests.dimse.servers import make
from tests.peers.pacs import Orthanc, run_dcmqrscp, run_orthanc

pytestmark = [pytest.mark.peer, pytest.mark.filterwarnings("ignore::UserWarning")]
STUDY, ONE, TWO = "1.2.3.1", "1.2.3.1.1", "1.2.3.1.2"
CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
RLE = "1.2.840.10008.1.2.5"
FOUND = ["CT_small.dcm", "MR_small_bigendian.dcm", "SC_rgb_rle_2frame.dcm", "JPEG2000.dcm"]
LIMIT = 32 << 20
Make = Callable[[], Any]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def made(uid: str, series: str, number: int, **more: Any) -> bytes:
    """One of three instances of a study in two series."""
    values = {
        "StudyInstanceUID": STUDY, "SeriesInstanceUID": series, "SOPInstanceUID": uid, "InstanceNumber": number,
        "PatientID": "7", "PatientName": "Müller^Änne", "SpecificCharacterSet": "ISO_IR 100", "AccessionNumber": "A1",
        "PatientSex": "F", "PatientBirthDate": "19700101", "StudyTime": "101500", "StudyID": "1", "SeriesNumber": 1,
        "ReferringPhysicianName": "",
    }  # fmt: skip
    return instance(**values | more)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """SOP Instance UID → file."""
    folder = tmp_path_factory.mktemp("files")
    other = {"SOPClassUID": MR, "Modality": "MR", "SeriesNumber": 2}
    of_the_study = [made("1.2.9.2", ONE, 2), made("1.2.9.1", ONE, 1), made("1.2.9.3", TWO, 1, **other)]
    found: dict[str, Path] = {}
    for data in [*of_the_study, *(Path(get_testdata_file(n, download=False)).read_bytes() for n in FOUND)]:
        uid = str(pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True).SOPInstanceUID)
        found[uid] = folder / f"{len(found)}.dcm"
        found[uid].write_bytes(data)
    return found


@pytest.fixture(scope="module")
def orthanc_with(
    files: dict[str, Path], program: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Orthanc]:
    with run_orthanc(program("orthanc"), (free_port(), free_port()), tmp_path_factory.mktemp("orthanc")) as running:
        for file in files.values():
            request = urllib.request.Request(f"{running.rest}/instances", file.read_bytes(), method="POST")
            urllib.request.urlopen(request, timeout=30).read()
        yield running


@pytest.fixture(scope="module")
def dcmqrscp_with(
    files: dict[str, Path], program: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[int, int]]:
    """Its port, and the port of ``VEIL_MOVE``."""
    port, move = free_port(), free_port()
    folder = tmp_path_factory.mktemp("dcmqrscp")
    hosts = {"VEIL_MOVE": move}
    with run_dcmqrscp(program("dcmqrscp"), program("dcmqridx"), port, folder, files.values(), hosts):
        yield port, move


@asynccontextmanager
async def archive(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[Upstream]:
    opened = EmbeddedArchive(folder / "archive")
    await opened.start()
    for file in request.getfixturevalue("files").values():
        await opened.store("research", file)
    yield ArchiveUpstream("pacs", opened, "research")
    await opened.close()


@asynccontextmanager
async def dicomweb(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[Upstream]:
    yield DicomwebUpstream("pacs", request.getfixturevalue("orthanc_with").dicomweb, {})


@asynccontextmanager
async def by_get(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[Upstream]:
    port, _ = request.getfixturevalue("dcmqrscp_with")
    yield DimseUpstream("pacs", Destination("127.0.0.1", port, "PACS", "VEIL", 10.0), 20.0)


@asynccontextmanager
async def by_move(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[Upstream]:
    port, ours = request.getfixturevalue("dcmqrscp_with")
    arrivals = Arrivals()
    routes = Routes({"VEIL_MOVE": "upstream:pacs"})
    server = make(arrivals, port=ours, gatekeeper=routes, instance_limit=LIMIT, memory_limit=4 * LIMIT)
    await server.start()
    to = Destination("127.0.0.1", port, "PACS", "VEIL", 10.0)
    yield DimseUpstream("pacs", to, 20.0, 4, MoveTo("VEIL_MOVE", "upstream:pacs", arrivals))
    await server.stop(0)


@asynccontextmanager
async def orthanc_by_get(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[Upstream]:
    port = request.getfixturevalue("orthanc_with").dimse_port
    yield DimseUpstream("pacs", Destination("127.0.0.1", port, "ORTHANC", "VEIL", 10.0), 20.0)


@pytest.fixture(params=[archive, dicomweb, orthanc_by_get, by_get, by_move], ids=lambda make: make.__name__)
async def pacs(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Upstream]:
    async with request.param(request, tmp_path) as upstream:
        yield upstream
        await upstream.close()


def is_dcmqrscp(pacs: Upstream) -> bool:
    """It does not say of which SOP class an instance is, and may transcode."""
    return isinstance(pacs, DimseUpstream) and pacs._to.called_ae == "PACS"


def can_send(pacs: Upstream, syntax: str) -> bool:
    """dcmqrscp sends by C-MOVE what is uncompressed, and by C-GET one compressed syntax beside: here RLE."""
    moves = isinstance(pacs, DimseUpstream) and pacs._move_to is not None
    return not is_dcmqrscp(pacs) or syntax in NATIVE or (syntax == RLE and not moves)


def uids(found: list[dict[str, Any]], tag: str) -> list[str]:
    return sorted(first_value(match, tag) for match in found)


async def test_search_at_each_level(pacs: Upstream, files: dict[str, Path]) -> None:
    studies = await pacs.search(Question("study", {"PatientID": "7"}))
    assert uids(studies, "0020000D") == [STUDY]
    assert first_value(studies[0], "00100010") == "Müller^Änne"
    assert first_value(studies[0], "00200010") == "1"
    assert len(await pacs.search(Question("study", {}))) == 5
    series = await pacs.search(Question("series", {"StudyInstanceUID": STUDY}))
    assert uids(series, "0020000E") == [ONE, TWO]
    assert uids(series, "00080060") == ["CT", "MR"]
    instances = await pacs.search(Question("instance", {"StudyInstanceUID": STUDY, "SeriesInstanceUID": ONE}))
    assert uids(instances, "00080018") == ["1.2.9.1", "1.2.9.2"]
    assert uids(instances, "00080016") == (["", ""] if is_dcmqrscp(pacs) else [CT, CT])
    assert uids(await pacs.search(Question("instance", {"StudyInstanceUID": STUDY})), "00080018")[2:] == ["1.2.9.3"]


async def test_search_across_levels_with_keys_lists_and_fields(pacs: Upstream) -> None:
    series = await pacs.search(Question("series", {"PatientID": "7", "Modality": "MR"}, ("StudyDate",)))
    assert uids(series, "0020000E") == [TWO]
    assert uids(series, "0020000D") == [STUDY]
    assert uids(series, "00080020") == ["20200103"]
    listed = Question("instance", {"StudyInstanceUID": STUDY, "SOPInstanceUID": "1.2.9.1\\1.2.9.3\\1.2.9.7"})
    assert uids(await pacs.search(listed), "00080018") == ["1.2.9.1", "1.2.9.3"]
    assert uids(await pacs.search(Question("study", {"StudyDate": "20200101-20200131"})), "0020000D") == [STUDY]
    assert uids(await pacs.search(Question("study", {"PatientName": "M*", "PatientID": "7"})), "0020000D") == [STUDY]
    assert await pacs.search(Question("study", {"PatientID": "nobody"})) == []
    assert await pacs.search(Question("series", {"StudyInstanceUID": "1.2.3.99"})) == []


async def test_pages_together_are_the_whole(pacs: Upstream) -> None:
    whole = await pacs.search(Question("study", {}))
    pages = [await pacs.search(Question("study", {}, limit=2, offset=offset)) for offset in (0, 2, 4)]
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [first_value(m, "0020000D") for page in pages for m in page] == [first_value(m, "0020000D") for m in whole]


async def test_references(pacs: Upstream) -> None:
    ct, mr = ("", "") if is_dcmqrscp(pacs) else (CT, MR)
    expected = [Reference(STUDY, ONE, "1.2.9.1", ct), Reference(STUDY, ONE, "1.2.9.2", ct)]
    expected.append(Reference(STUDY, TWO, "1.2.9.3", mr))
    assert await pacs.instances(STUDY) == expected
    assert await pacs.instances(STUDY, TWO) == expected[2:]
    assert await pacs.instances(STUDY, ONE, "1.2.9.2") == expected[1:2]
    assert await pacs.instances(STUDY, TWO, "1.2.9.2") == []
    assert await pacs.instances("1.2.3.99") == []


async def test_metadata_or_nothing(pacs: Upstream) -> None:
    found = [each async for each in pacs.metadata(STUDY)]
    if not isinstance(pacs, DimseUpstream):
        assert uids(found, "00080018") == ["1.2.9.1", "1.2.9.2", "1.2.9.3"]
        assert all("Value" not in each["7FE00010"] for each in found)
    else:
        assert found == []
    assert [each async for each in pacs.metadata("1.2.3.99")] == []


async def fetched(pacs: Upstream, reference: Reference) -> bytes | None:
    with Arena(LIMIT) as arena:
        return bytes(arena.view()) if await pacs.fetch(reference, arena) else None


async def test_instances_arrive_as_they_were_stored(pacs: Upstream, files: dict[str, Path]) -> None:
    for uid, file in files.items():
        stored = pydicom.dcmread(file)
        path = (str(stored.StudyInstanceUID), str(stored.SeriesInstanceUID), uid)
        (reference,) = await pacs.instances(*path)
        if not can_send(pacs, str(stored.file_meta.TransferSyntaxUID)):
            with pytest.raises(UpstreamError, match="upstream pacs: A702"):
                await fetched(pacs, reference)
            continue
        data = await fetched(pacs, reference)
        assert data is not None
        arrived = pydicom.dcmread(io.BytesIO(data))
        assert arrived.SOPInstanceUID == arrived.file_meta.MediaStorageSOPInstanceUID == uid
        if stored.file_meta.TransferSyntaxUID.is_compressed or not is_dcmqrscp(pacs):
            assert arrived.file_meta.TransferSyntaxUID == stored.file_meta.TransferSyntaxUID
            assert arrived.PixelData == stored.PixelData
        assert (arrived.pixel_array == stored.pixel_array).all()


async def test_what_is_not_there(pacs: Upstream) -> None:
    assert await fetched(pacs, Reference(STUDY, ONE, "1.2.9.99", CT)) is None
    assert await fetched(pacs, Reference("1.2.3.99", "1.2.3.99.1", "1.2.9.99", CT)) is None


async def test_many_at_once(pacs: Upstream, files: dict[str, Path]) -> None:
    references = (await pacs.instances(STUDY)) * 4
    results = await asyncio.gather(
        *(fetched(pacs, reference) for reference in references),
        *(pacs.search(Question("series", {"StudyInstanceUID": STUDY})) for _ in range(4)),
    )
    for reference, data in zip(references, results, strict=False):
        assert isinstance(data, bytes)
        assert pydicom.dcmread(io.BytesIO(data)).SOPInstanceUID == reference.instance
    assert all(len(found or ()) == 2 for found in results[len(references) :])


async def test_cancelled_calls_leave_nothing_behind(pacs: Upstream) -> None:
    (reference,) = await pacs.instances(STUDY, TWO)
    arenas = [Arena(LIMIT) for _ in range(6)]
    tasks = [asyncio.ensure_future(pacs.fetch(reference, arena)) for arena in arenas]
    tasks += [asyncio.ensure_future(pacs.search(Question("study", {}))) for _ in range(3)]  # type: ignore[arg-type]
    await asyncio.sleep(0.02)
    for task in tasks:
        task.cancel()
    assert all(r is not None for r in await asyncio.gather(*tasks, return_exceptions=True))
    sizes = [arena.size for arena in arenas]
    assert await fetched(pacs, reference)
    assert [arena.size for arena in arenas] == sizes
    for arena in arenas:
        arena.close()
