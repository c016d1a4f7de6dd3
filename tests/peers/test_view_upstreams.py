"""One suite for a view over every kind of PACS: the same pseudonyms, the same instances, whatever is asked and how."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pydicom
import pytest

from proxy.service.upstream import Upstream
from proxy.wire.dicom_json import first_value
from proxy.wire.uri import Query, Target
from tests.peers.test_upstreams import dcmqrscp_with as dcmqrscp_with
from tests.peers.test_upstreams import is_dcmqrscp
from tests.peers.test_upstreams import orthanc_with as orthanc_with
from tests.peers.test_upstreams import pacs as pacs
from tests.service.viewing import PEER, ROOT, Site, small, uid, viewing
from tests.system.planting import MARKERS, found_in

pytestmark = [pytest.mark.peer, pytest.mark.filterwarnings("ignore::UserWarning")]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two instances of one patient, one of another; SOP Instance UID → file."""
    folder = tmp_path_factory.mktemp("identified")
    found: dict[str, Path] = {}
    for data in (small(1), small(1, SOPInstanceUID=f"{ROOT}3.7", InstanceNumber=2), small(2)):
        path = folder / f"{len(found)}.dcm"
        path.write_bytes(data)
        found[str(pydicom.dcmread(path).SOPInstanceUID)] = path
    return found


@pytest.fixture
async def site(pacs: Upstream, tmp_path: Path) -> AsyncIterator[Site]:
    async with viewing(tmp_path / "veil", pacs=pacs) as made:
        yield made


async def test_a_view_is_the_same_over_every_pacs(site: Site) -> None:
    view, search = site.view("research"), site.search.search
    everything = (await search("research", "study", {}, Query(), PEER)).matches
    study = view.uid(f"{ROOT}1.100000001")
    assert {uid(match, "study") for match in everything} == {study, view.uid(f"{ROOT}1.100000002")}
    match = next(match for match in everything if uid(match, "study") == study)
    modalities = [] if is_dcmqrscp(site.pacs) else ["CT"]  # it knows no modalities of a study
    assert match.get("00080061", {}).get("Value", []) == modalities
    keys = {"PatientID": first_value(match, "00100020"), "StudyDate": first_value(match, "00080020")}
    assert (await search("research", "study", {}, Query(keys), PEER)).matches == [match]
    assert (await search("research", "study", {}, Query({"PatientName": "Zqx*"}), PEER)).matches == []
    (series,) = (await search("research", "series", {"study": study}, Query({"Modality": "CT"}), PEER)).matches
    within = {"study": study, "series": uid(series, "series")}
    instances = (await search("research", "instance", within, Query(), PEER)).matches
    assert [first_value(one, "00200013") for one in instances] == ["1", "2"]
    described = await site.describe.described("research", Target(study), PEER)
    assert described is None or len(described) == 2
    read = [pydicom.dcmread(p) for p in await site.retrieve.find("research", Target(study), "instances", PEER)]
    assert {one.SOPInstanceUID for one in read} == {uid(one, "instance") for one in instances}
    assert {one.PatientID for one in read} == {keys["PatientID"]}
    assert not [m for m in MARKERS if m in repr((everything, series, instances, described, site.audit.events))]
    assert found_in(site.folder, MARKERS) == []
