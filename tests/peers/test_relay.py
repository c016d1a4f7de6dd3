"""A worklist between DCMTK's findscu and wlmscpfs, with Veil between them and without: the same bytes both ways."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from proxy.dimse.acceptor import Routes
from proxy.dimse.relay import WORKLIST, Relay, System
from proxy.dimse.requestor import Destination
from proxy.dimse.server import Bounds, DimseServer, Patience
from tests.peers.pacs import running_program
from tests.peers.test_dcmtk_dimse import data_set
from tests.service.fakes import Audit

pytestmark = pytest.mark.peer

NAME = "Quastenflosser^Émile"
KEYS = ("PatientName", "PatientID", "ScheduledProcedureStepSequence[0].Modality=CT", "SpecificCharacterSet")


def scheduled(number: int) -> Dataset:
    """What wlmscpfs calls complete (PS3.4 K.6.1.2, type 1 attributes)."""
    step = Dataset()
    step.ScheduledStationAETitle, step.Modality = "CT1", "CT"
    step.ScheduledProcedureStepStartDate, step.ScheduledProcedureStepStartTime = "20260101", "080000"
    step.ScheduledPerformingPhysicianName, step.ScheduledProcedureStepDescription = "", "THORAX"
    step.ScheduledProcedureStepID = str(number)
    found = Dataset()
    found.SpecificCharacterSet = "ISO_IR 100"
    found.PatientName, found.PatientID, found.AccessionNumber = NAME, f"P{number}", str(number)
    found.PatientBirthDate, found.PatientSex, found.StudyInstanceUID = "19700101", "O", f"1.2.826.{number}"
    found.RequestedProcedureID, found.RequestedProcedureDescription = str(number), "THORAX"
    found.ReferringPhysicianName = ""
    found.ScheduledProcedureStepSequence = [step]
    found.file_meta = FileMetaDataset()
    found.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return found


@asynccontextmanager
async def worklists(program: Path, port: int, folder: Path) -> AsyncIterator[None]:
    """wlmscpfs with three entries, called RIS."""
    lists = folder / "worklists" / "RIS"
    lists.mkdir(parents=True)
    (lists / "lockfile").touch()
    for number in range(3):
        scheduled(number).save_as(lists / f"{number}.wl", implicit_vr=False, little_endian=True)
    with running_program([str(program), "-csk", "-dfp", str(lists.parent), str(port)], folder / "wlmscpfs.log"):
        async with asyncio.timeout(10):
            while not _listens(port):
                await asyncio.sleep(0.05)
        yield


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def test_findscu_hears_from_wlmscpfs_what_it_hears_alone(
    program: Callable[[str], Path],
    run: Callable[..., Awaitable[tuple[int, str]]],
    free_port: Callable[[], int],
    tmp_path: Path,
) -> None:
    port, audit = free_port(), Audit()
    relay = Relay(System(Destination("127.0.0.1", port, "RIS", "", 10.0), frozenset({WORKLIST})), audit)
    bounds = Bounds(131072, Patience(20, 10), 5, 5)
    server = DimseServer("127.0.0.1", 0, bounds, Routes({"VEIL": "research"}), lambda project: (relay,))
    await server.start()

    async def found(called: str, where: int) -> list[bytes]:
        folder = tmp_path / called
        folder.mkdir()
        keys = [word for key in KEYS for word in ("-k", key)]
        asked = ("-W", "-X", "-od", folder, "-aet", "CT1", "-aec", called, "127.0.0.1", where)
        status, said = await run(program("findscu"), "-v", "-xi", *asked, *keys)
        assert status == 0, said
        return [data_set(path.read_bytes()) for path in sorted(folder.iterdir())]

    async with worklists(program("wlmscpfs"), port, tmp_path):
        alone, through = await found("RIS", port), await found("VEIL", server.port)
    await server.stop(0)
    assert len(alone) == 3
    assert NAME.encode("latin-1") in alone[0]
    assert through == alone
    assert (audit.events[-1].type, audit.events[-1].object["matches"]) == ("relayed", 3)
