"""Query/Retrieve with real peers over an archive: DCMTK and pynetdicom's applications."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pydicom
import pytest

from proxy.archive.archive import EmbeddedArchive
from proxy.service.retrieve import Retrieve
from proxy.service.search import Search
from tests.dimse.conversation import part10
from tests.dimse.test_query_find import Search as Many
from tests.peers.querying import Peers, Program, Run, querying, read
from tests.peers.test_dcmtk_dimse import bundled, storescp
from tests.service.fakes import Audit
from tests.service.viewing import ROOT, small

pytestmark = [pytest.mark.peer, pytest.mark.filterwarnings("ignore::UserWarning")]

STUDY, SERIES = f"{ROOT}1.100000001", f"{ROOT}2.100000001"
FILES = [small(1, SOPInstanceUID=f"{ROOT}3.{n}", InstanceNumber=n) for n in range(1, 4)]
COMPRESSED = {"MR_small_RLE.dcm": "+xr", "SC_rgb_jpeg_dcmtk.dcm": "+xy", "MR_small_jp2klossless.dcm": "+xv"}


@pytest.fixture
def asking(program: Program, run: Run, tmp_path: Path) -> Callable[..., Any]:
    @asynccontextmanager
    async def make(search: Any, retrieve: Any, audit: Any, **to: int) -> AsyncIterator[Peers]:
        folder = tmp_path / "received"
        folder.mkdir()
        async with querying(search, retrieve, audit, to) as port:
            yield Peers(port, program, run, folder, audit)

    return make


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[EmbeddedArchive]:
    kept = EmbeddedArchive(tmp_path / "archive")
    await kept.start()
    for number, data in enumerate([*FILES, *(small(patient) for patient in range(2, 30))]):
        await kept.store("research", part10(tmp_path, data, (str(number),)))
    yield kept
    await kept.close()


@pytest.fixture
async def peers(
    archive: EmbeddedArchive, asking: Any, free_port: Callable[[], int]
) -> AsyncIterator[tuple[Peers, int]]:
    """Whoever asks the archive; the port of ``THIRD``, where C-MOVE may send."""
    audit, third = Audit(), free_port()
    async with asking(Search(archive, audit), Retrieve(archive, audit), audit, THIRD=third) as made:
        yield made, third


async def test_findscu(peers: tuple[Peers, int]) -> None:
    veil, _ = peers
    (study,) = await veil.find("STUDY", f"StudyInstanceUID={STUDY}", "PatientID", "NumberOfStudyRelatedInstances")
    assert (study.RetrieveAETitle, study.NumberOfStudyRelatedInstances) == ("VEIL", 3)
    (patient,) = await veil.find(
        "PATIENT", f"PatientID={study.PatientID}", "NumberOfPatientRelatedInstances", options=("-P",)
    )
    assert patient.NumberOfPatientRelatedInstances == 3
    assert len(await veil.find("STUDY", "PatientID=*", options=("-S", "-xi"))) == 29
    (series,) = await veil.find("SERIES", f"StudyInstanceUID={STUDY}", "SeriesInstanceUID", "Modality")
    assert series.SeriesInstanceUID == SERIES
    within = (f"StudyInstanceUID={STUDY}", f"SeriesInstanceUID={SERIES}")
    instances = await veil.find("IMAGE", *within, "SOPInstanceUID", "InstanceNumber", options=("-S", "-xd"))
    assert [one.InstanceNumber for one in instances] == [1, 2, 3]
    _, output = await veil.ask("findscu", "IMAGE", f"StudyInstanceUID={STUDY}", "SOPInstanceUID")
    assert "0xa900" in output.lower()
    assert "a unique key above the level is missing" in output


async def test_findscu_that_cancels(asking: Any) -> None:
    async with asking(Many(20_000), None, Audit()) as veil:
        _, output = await veil.ask("findscu", "STUDY", "StudyInstanceUID", options=("-S", "--cancel", "3"))
    assert re.search(r"DIMSE Status +: 0xfe00", output)


@pytest.mark.parametrize("prefer", ["+xe", "+xi"])
async def test_getscu(peers: tuple[Peers, int], prefer: str) -> None:
    veil, _ = peers
    status, output = await veil.ask("getscu", "STUDY", f"StudyInstanceUID={STUDY}", options=("-S", prefer, "+B"))
    assert status == 0, output
    received = read(veil.folder)
    assert [one.SOPInstanceUID for one in received] == [f"{ROOT}3.{n}" for n in (1, 2, 3)]
    originals = [pydicom.dcmread(pydicom.filebase.DicomBytesIO(data)) for data in FILES]
    assert [one.PixelData for one in received] == [one.PixelData for one in originals]


@pytest.mark.parametrize("name", COMPRESSED)
async def test_getscu_of_what_is_compressed(archive: EmbeddedArchive, peers: tuple[Peers, int], name: str) -> None:
    veil, _ = peers
    await archive.store("research", bundled(name))
    original = pydicom.dcmread(bundled(name))
    key = f"StudyInstanceUID={original.StudyInstanceUID}"
    _, output = await veil.ask("getscu", "STUDY", key, options=("-S", "+xe", "+B"))
    assert "0xa702" in output.lower()
    assert read(veil.folder) == []
    status, output = await veil.ask("getscu", "STUDY", key, options=("-S", COMPRESSED[name], "+B"))
    assert status == 0, output
    (received,) = read(veil.folder)
    assert received.file_meta.TransferSyntaxUID == original.file_meta.TransferSyntaxUID
    assert received.PixelData == original.PixelData


async def test_movescu_to_a_third_party(archive: EmbeddedArchive, peers: tuple[Peers, int], program: Program) -> None:
    veil, port = peers
    for name in COMPRESSED:
        await archive.store("research", bundled(name))
    studies = [STUDY, *(str(pydicom.dcmread(bundled(name)).StudyInstanceUID) for name in COMPRESSED)]
    async with storescp(program, port, veil.folder, "+xa", "+B"):
        for study in studies:
            options = ("-S", "-aem", "THIRD")
            status, output = await veil.ask("movescu", "STUDY", f"StudyInstanceUID={study}", options=options)
            assert status == 0, output
            assert re.search(r"DIMSE Status +: 0x0000", output)
    assert len(read(veil.folder)) == len(studies) + 2
    options = ("-S", "-aem", "NOBODY")
    _, output = await veil.ask("movescu", "STUDY", f"StudyInstanceUID={STUDY}", options=options)
    assert "0xa801" in output.lower()
    _, output = await veil.ask("movescu", "STUDY", f"StudyInstanceUID={STUDY}", options=("-S", "-aem", "THIRD"))
    assert "0xa702" in output.lower()  # it has gone
    assert "Failed Suboperations          : 3" in output


async def test_pynetdicoms_applications(peers: tuple[Peers, int], program: Program) -> None:
    veil, port = peers
    keys = ("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={STUDY}")
    _, output = await veil.app("findscu", "-S", *keys, "-k", "PatientID=")
    assert "Result: 0x0000 (Success)" in output, output
    _, output = await veil.app("getscu", "-S", *keys, "-od", str(veil.folder))
    assert "Result: 0x0000 (Success)" in output, output
    assert len(read(veil.folder)) == 3
    (veil.folder / "moved").mkdir()
    async with storescp(program, port, veil.folder / "moved", "+xa"):
        _, output = await veil.app("movescu", "-S", *keys, "-aem", "THIRD")
    assert "Result: 0x0000 (Success)" in output, output
    assert len(read(veil.folder / "moved")) == 3
