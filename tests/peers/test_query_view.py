"""Query/Retrieve with real peers: Orthanc asks and is sent to; a view of an Orthanc, in pseudonyms."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from proxy.archive.archive import EmbeddedArchive
from proxy.dicomweb.upstream import DicomwebUpstream
from proxy.service.retrieve import Retrieve
from proxy.service.search import Search
from tests.peers.pacs import Orthanc
from tests.peers.querying import Program, read
from tests.peers.test_dcmtk_dimse import storescp
from tests.peers.test_query import archive as archive
from tests.peers.test_query import asking as asking
from tests.service.fakes import Audit
from tests.service.viewing import ROOT, small, viewing
from tests.system.planting import MARKERS, found_in

pytestmark = [pytest.mark.peer, pytest.mark.filterwarnings("ignore::UserWarning")]

STUDY, SERIES = f"{ROOT}1.100000001", f"{ROOT}2.100000001"
FILES = [small(1, SOPInstanceUID=f"{ROOT}3.{n}", InstanceNumber=n) for n in range(1, 4)]
COMPRESSED = {"MR_small_RLE.dcm": "+xr", "SC_rgb_jpeg_dcmtk.dcm": "+xy", "MR_small_jp2klossless.dcm": "+xv"}


def rest(orthanc: Orthanc, method: str, path: str, body: Any) -> Any:
    request = urllib.request.Request(orthanc.rest + path, json.dumps(body).encode(), method=method)
    with urllib.request.urlopen(request, timeout=60) as response:
        text = response.read()
    return json.loads(text) if text else None


async def through(orthanc: Orthanc, port: int, query: dict[str, str]) -> Any:
    """Orthanc asks by C-FIND, and fetches every match to itself by C-MOVE; what it found."""

    def ask() -> Any:
        rest(orthanc, "PUT", "/modalities/veil", {"AET": "VEIL", "Host": "127.0.0.1", "Port": port})
        found = rest(orthanc, "POST", "/modalities/veil/query", {"Level": "Study", "Query": query})
        rest(orthanc, "POST", f"{found['Path']}/retrieve", {"TargetAet": "ORTHANC", "Synchronous": True})
        return orthanc.get(f"{found['Path']}/answers?expand&simplify")

    return await asyncio.to_thread(ask)


async def test_orthanc_asks_and_is_sent_to(archive: EmbeddedArchive, asking: Any, orthanc: Orthanc) -> None:
    audit = Audit()
    async with asking(Search(archive, audit), Retrieve(archive, audit), audit, ORTHANC=orthanc.dimse_port) as veil:
        (found,) = await through(orthanc, veil.port, {"StudyInstanceUID": STUDY, "PatientName": ""})
    assert found["StudyInstanceUID"] == STUDY
    assert set(orthanc.instances()) == {f"{ROOT}3.{n}" for n in (1, 2, 3)}


async def test_a_view_of_an_orthanc(
    asking: Any, orthanc: Orthanc, tmp_path: Path, program: Program, free_port: Callable[[], int]
) -> None:
    """Pseudonyms in, pseudonyms out; whatever a peer sees, nothing planted is in it."""
    for data in (*FILES, small(2)):
        request = urllib.request.Request(f"{orthanc.rest}/instances", data, method="POST")
        urllib.request.urlopen(request, timeout=30).read()
    upstream, port = DicomwebUpstream("pacs", orthanc.dicomweb, {}), free_port()
    said = []
    async with (
        viewing(tmp_path / "veil", pacs=upstream) as site,  # type: ignore[arg-type]
        asking(site.search, site.retrieve, site.audit, THIRD=port) as veil,
    ):
        view = site.view("research")
        keys = ("PatientName", "PatientID", "PatientBirthDate", "StudyDescription", "AccessionNumber", "StudyDate")
        matches = await veil.find("STUDY", "StudyInstanceUID", *keys)
        assert {one.StudyInstanceUID for one in matches} == {view.uid(STUDY), view.uid(f"{ROOT}1.100000002")}
        (mine,) = (one for one in matches if one.StudyInstanceUID == view.uid(STUDY))
        (again,) = await veil.find("PATIENT", f"PatientID={mine.PatientID}", options=("-P",))
        assert again.PatientID == mine.PatientID
        for key, tag in (("PatientName=Zqx*", "0010,0010"), ("PatientBirthDate=1950-", "0010,0030")):
            _, output = await veil.ask("findscu", "STUDY", key, "StudyInstanceUID")
            assert "0xc001" in output.lower()
            assert "refused: this key would match what identifies somebody" in output
            assert f"({tag})" in output
        for original in (f"StudyInstanceUID={STUDY}", "PatientID=Zqxplant"):
            assert await veil.find("STUDY", original) == []
        own = (f"PatientID={mine.PatientID}",)
        for name, level, model, more, options in (
            ("getscu", "STUDY", "-S", (f"StudyInstanceUID={mine.StudyInstanceUID}",), ("+B",)),
            ("movescu", "PATIENT", "-P", own, ("-aem", "THIRD")),
        ):
            place = veil.folder / name
            place.mkdir()
            veil.folder, before = place, veil.folder
            async with storescp(program, port, place, "+xa", "+B"):
                status, output = await veil.ask(name, level, *more, options=(model, *options))
            assert status == 0, output
            said.append(output)
            assert {one.SOPInstanceUID for one in read(place)} == {view.uid(f"{ROOT}3.{n}") for n in (1, 2, 3)}
            veil.folder = before
        _, output = await veil.ask("getscu", "STUDY", f"StudyInstanceUID={STUDY}", options=("-S",))
        assert "Completed Suboperations       : 0" in output
        said += [repr(matches), repr(site.audit.events)]
        assert found_in(veil.folder, MARKERS) == []
    everything = "".join(said).lower()
    assert not [marker for marker in MARKERS if marker.lower() in everything]
    await upstream.close()
