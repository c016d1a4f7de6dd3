"""Storage commitment with Orthanc as requester: by N-ACTION, told by N-EVENT-REPORT on an association of ours."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.peers.pacs import Orthanc, running_program
from tests.system.harness import Site, quiet_port, until
from tests.system.planting import MARKERS, Planted, fresh

pytestmark = [pytest.mark.peer, pytest.mark.timeout(180)]

UNKNOWN = ("1.2.840.10008.5.1.4.1.1.2", "1.2.826.0.1.999")


@pytest.fixture
def site_of(tmp_path: Path, orthanc: Orthanc) -> Iterator[Callable[..., Site]]:
    """``site_of({...})``: a running site that knows where Orthanc takes reports, and that Orthanc knows."""
    made: list[Site] = []

    def make(changes: dict[str, Any]) -> Site:
        address = {"host": "127.0.0.1", "port": orthanc.dimse_port, "timeout_seconds": 5}
        site = Site(tmp_path / "site", {"commitment_reports.requesters.ORTHANC": address} | changes)
        made.append(site)
        site.secrets.update(MARKERS)
        site.start()
        modality = {"AET": "VEIL", "Host": "127.0.0.1", "Port": site.dimse_port, "AllowStorageCommitment": True}
        sent(orthanc, "/modalities/veil", modality, "PUT")
        return site

    yield make
    for site in made:
        site.end()
        assert site.exposed() == []


def sent(orthanc: Orthanc, path: str, document: Any, method: str = "POST") -> Any:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    with urllib.request.urlopen(urllib.request.Request(orthanc.rest + path, body, method=method), timeout=30) as answer:
        said = answer.read()
    return json.loads(said) if said.strip() else None


def stored(orthanc: Orthanc, *instances: Planted) -> None:
    """By Orthanc, and from there in Veil."""
    keys = [sent(orthanc, "/instances", each.part10)["ID"] for each in instances]
    sent(orthanc, "/modalities/veil/store", keys)


def asked(orthanc: Orthanc, *named: tuple[str, str]) -> str:
    """A request for commitment: where Orthanc keeps what it hears."""
    items = [{"SOPClassUID": kind, "SOPInstanceUID": uid} for kind, uid in named]
    path: str = sent(orthanc, "/modalities/veil/storage-commitment", {"DicomInstances": items, "Timeout": 20})["Path"]
    return path


def named(planted: Planted) -> tuple[str, str]:
    return planted.sop_class_uid, planted.sop_instance_uid


def heard(orthanc: Orthanc, path: str, seconds: float = 20) -> dict[str, Any]:
    until(lambda: orthanc.get(path)["Status"] != "Pending", seconds, "Orthanc has heard")
    found: dict[str, Any] = orthanc.get(path)
    return found


def test_orthanc_hears_what_is_safe_and_what_is_not(site_of: Callable[..., Site], orthanc: Orthanc) -> None:
    site, here, held = site_of({}), fresh(), fresh("held")
    stored(orthanc, here, held)
    site.drain()
    report = heard(orthanc, asked(orthanc, named(here)))
    assert report["Status"] == "Success"
    assert [item["SOPInstanceUID"] for item in report["Success"]] == [here.sop_instance_uid]
    report = heard(orthanc, asked(orthanc, named(here), named(held), UNKNOWN))
    assert report["Status"] == "Failure"
    assert report["RemoteAET"] == "VEIL"
    failures = {item["SOPInstanceUID"]: item["FailureReason"] for item in report["Failures"]}
    assert failures == {held.sop_instance_uid: 0x0112, UNKNOWN[1]: 0x0112}
    assert site.control("/status")["commitment"]["reports"] == {"reported": 2}


def test_a_kill_while_instances_are_under_way_loses_no_report(
    site_of: Callable[..., Site], orthanc: Orthanc, program: Callable[[str], Path], tmp_path: Path
) -> None:
    port, folder = quiet_port(), tmp_path / "pacs"
    folder.mkdir()
    pacs = {"type": "dimse", "host": "127.0.0.1", "port": port, "called_ae": "PACS", "calling_ae": "VEIL"}
    site = site_of({"destinations.pacs": pacs, "projects.research.destinations": ["pacs"]})
    here = fresh()
    site.secrets.add(here.sop_instance_uid)
    stored(orthanc, here)
    path = asked(orthanc, named(here))
    assert site.control("/status")["commitment"]["reports"] == {"waiting": 1}
    assert orthanc.get(path)["Status"] == "Pending"
    site.kill()
    site.start()
    said = site.veil("status", "-c", str(site.config), check=True).stdout
    assert "reports of storage commitment: 1 waiting" in said
    with running_program(
        [str(program("storescp")), "--promiscuous", "-od", str(folder), str(port)], tmp_path / "storescp.log"
    ):
        report = heard(orthanc, path, 60)
    assert [item["SOPInstanceUID"] for item in report["Success"]] == [here.sop_instance_uid]
    assert "whole" in site.veil("audit", "verify", str(site.data / "audit"), check=True).stdout
