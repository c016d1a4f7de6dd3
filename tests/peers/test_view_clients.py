"""Real clients read a view: dicomweb-client and Orthanc's plug-in, whatever stands behind it.

Behind it: Orthanc by DICOMweb, dcmqrscp by DIMSE only, the archive of another project. What clients are told, and all
that the site keeps, is searched for what was planted.
"""

from __future__ import annotations

import io
import json
import socket
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
import pytest
from dicomweb_client.api import DICOMwebClient
from requests.exceptions import HTTPError

from tests.peers.pacs import Orthanc, run_dcmqrscp, run_orthanc
from tests.system.harness import KEYS, Site
from tests.system.planting import MARKERS, Planted, forms, fresh, planted
from tests.system.stow import stow

pytestmark = [pytest.mark.peer, pytest.mark.filterwarnings("ignore::UserWarning")]
STUDIES = [planted(number) for number in (771, 772, 773)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Viewed:
    """A running site with a view as its project ``research``."""

    site: Site
    client: DICOMwebClient

    def studies(self) -> list[dict[str, Any]]:
        return list(self.client.search_for_studies())


def orthanc(stack: ExitStack, site: Site, folder: Path, program: Callable[[str], Path]) -> dict[str, Any]:
    running = stack.enter_context(run_orthanc(program("orthanc"), (free_port(), free_port()), folder))
    for each in STUDIES:
        posted(f"{running.rest}/instances", each.part10)
    return {"type": "dicomweb", "url": running.dicomweb}


def dcmqrscp(stack: ExitStack, site: Site, folder: Path, program: Callable[[str], Path]) -> dict[str, Any]:
    files, port = [], free_port()
    for number, each in enumerate(STUDIES):
        files.append(folder / f"in{number}.dcm")
        files[-1].write_bytes(each.part10)
    stack.enter_context(run_dcmqrscp(program("dcmqrscp"), program("dcmqridx"), port, folder, files, {}))
    return {"type": "dimse", "host": "127.0.0.1", "port": port, "called_ae": "PACS"}


def archive(stack: ExitStack, site: Site, folder: Path, program: Callable[[str], Path]) -> dict[str, Any]:
    key = site.folder / "keys" / "clinical.key"
    key.write_text(KEYS["b"] + "\n")
    key.chmod(0o600)
    clinical = {"ae_titles": ["CLINICAL"], "path": "clinical", "key_file": "keys/clinical.key"}
    site.edit({"projects.clinical": {**clinical, "destinations": ["archive"]}})
    return {"type": "archive", "project": "clinical"}


@pytest.fixture(scope="module", params=[orthanc, dcmqrscp, archive], ids=lambda make: make.__name__)
def viewed(
    request: pytest.FixtureRequest, program: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Viewed]:
    folder = tmp_path_factory.mktemp("view")
    with ExitStack() as stack:
        site = Site(folder / "site")
        site.secrets.update(MARKERS)
        stack.callback(site.end)
        (folder / "pacs").mkdir()
        upstream = request.param(stack, site, folder / "pacs", program)
        site.edit({"upstreams.pacs": upstream, "projects.research.read": {"from": "pacs", "mode": "view"}})
        site.start()
        if request.param is archive:
            assert stow(site.http_port, *(each.part10 for each in STUDIES), path="clinical").status == 200
            site.drain()
        yield Viewed(site, DICOMwebClient(site.url))
        site.stop()
        assert site.exposed() == []


def posted(url: str, body: bytes) -> Any:
    request = urllib.request.Request(url, body, method="POST")
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read() or b"null")


def first(match: dict[str, Any], tag: str) -> str:
    return str(match[tag]["Value"][0])


def told(*answers: Any) -> None:
    """Nothing that was planted is in them."""
    lower = b"\n".join(each if isinstance(each, bytes) else json.dumps(each).encode() for each in answers).lower()
    assert [secret for secret in MARKERS for form in forms(secret) if form in lower] == []


def test_search(viewed: Viewed) -> None:
    studies = viewed.studies()
    assert len(studies) == len(STUDIES)
    told(studies)
    one = studies[0]
    patient, study = first(one, "00100020"), first(one, "0020000D")
    (same,) = viewed.client.search_for_studies(search_filters={"PatientID": patient})
    assert first(same, "0020000D") == study
    (series,) = viewed.client.search_for_series(study)
    (found,) = viewed.client.search_for_instances(study, first(series, "0020000E"))
    assert first(found, "00080018").startswith("2.25.")
    assert viewed.client.search_for_studies(search_filters={"PatientName": "Zqx*"}) == []
    assert viewed.client.search_for_studies(search_filters={"PatientID": "ZQXIDENT100000771"}) == []
    told(series, found)


def test_retrieval(viewed: Viewed) -> None:
    for match in viewed.studies():
        study = first(match, "0020000D")
        (ds,) = viewed.client.retrieve_study(study)
        assert (ds.PatientID, ds.StudyInstanceUID) == (first(match, "00100020"), study)
        assert ds.PatientIdentityRemoved == "YES"
        assert ds.pixel_array.shape == (128, 128)
        (metadata,) = viewed.client.retrieve_study_metadata(study)
        assert first(metadata, "00080018") == ds.SOPInstanceUID
        where = (study, str(ds.SeriesInstanceUID), str(ds.SOPInstanceUID))
        (frame,) = viewed.client.retrieve_instance_frames(*where, [1])
        assert frame == ds.PixelData
        picture = viewed.client.retrieve_instance_rendered(*where, media_types=("image/png",))
        assert picture.startswith(b"\x89PNG")
        buffer = io.BytesIO()
        pydicom.dcmwrite(buffer, ds)
        told(metadata, buffer.getvalue(), picture)


def test_an_original_uid_is_not_found(viewed: Viewed) -> None:
    with pytest.raises(HTTPError, match="404"):
        viewed.client.retrieve_study(str(pydicom.dcmread(io.BytesIO(STUDIES[0].part10)).StudyInstanceUID))


def test_orthanc_as_client(viewed: Viewed, program: Callable[[str], Path], tmp_path: Path) -> None:
    """Searches and retrieves from the view, and stores into the project."""
    servers = {"veil": [viewed.site.url + "/", "", ""]}
    with run_orthanc(program("orthanc"), (free_port(), free_port()), tmp_path, servers=servers) as client:
        server = f"{client.dicomweb}/servers/veil"
        found = posted(f"{server}/qido", json.dumps({"Uri": "/studies", "Arguments": {}}).encode())
        assert len(found) == len(STUDIES)
        study = viewed.studies()[0]["0020000D"]["Value"][0]
        posted(f"{server}/retrieve", json.dumps({"Resources": [{"Study": study}], "Synchronous": True}).encode())
        (uid,) = client.instances()
        told(found, client.file(uid))
        new = sent_by(client, server, fresh())
        viewed.site.drain()
        assert new not in viewed.site.archived()
        assert len(viewed.site.archived()) == 1
    for path in viewed.site.archived().values():
        path.unlink()


def sent_by(client: Orthanc, server: str, instance: Planted) -> str:
    made = posted(f"{client.rest}/instances", instance.part10)
    posted(f"{server}/stow", json.dumps({"Resources": [made["ID"]], "Synchronous": True}).encode())
    return instance.sop_instance_uid
