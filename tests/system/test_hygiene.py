"""What Veil says to anyone but the sender holds no identifier: web answers, error bodies, logs, audit, core dumps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.system.harness import Site
from tests.system.modality import c_store
from tests.system.planting import MARKERS, forms, planted
from tests.system.stow import CONTENT_TYPE, post, stow
from tests.system.watch import tree

BASE = "/dicomweb/research"


def hits(content: bytes) -> list[str]:
    lower = content.lower()
    return [marker for marker in MARKERS if any(form in lower for form in forms(marker))]


@pytest.fixture(scope="module")
def filled(bounded: Site) -> Site:
    """Released, held and refused instances, by both transports."""
    site = bounded
    assert c_store(site.dimse_port, planted(1).part10).status == 0
    assert c_store(site.dimse_port, planted(2, "held").part10).status == 0
    assert stow(site.http_port, planted(3).part10, planted(4, "held").part10).status == 200
    assert stow(site.http_port, planted(5).part10[:-3000]).status == 409
    assert c_store(site.dimse_port, planted(6).part10[:-3000]).status == 0xC000
    site.drain()
    return site


def test_the_web_answers_show_pseudonyms_only(filled: Site) -> None:
    status, studies = filled.get(f"{BASE}/studies?includefield=all", "application/dicom+json")
    assert (status, len(json.loads(studies))) == (200, 2)
    paths = ["/series?includefield=all", "/instances?includefield=all"]
    for study in json.loads(studies):
        uid = study["0020000D"]["Value"][0]
        paths += [f"/studies/{uid}/metadata", f"/studies/{uid}", f"/studies/{uid}/series", f"/studies/{uid}/instances"]
    for path in paths:
        accept = "*/*" if path.count("/") == 2 else "application/dicom+json"
        status, body = filled.get(BASE + path, accept)
        assert status == 200, path
        assert len(body) > 100
        assert hits(body) == [], path


@pytest.mark.parametrize(
    "path",
    [
        f"{BASE}/studies?PatientName=Zqxplant*",
        f"{BASE}/studies?PatientID=ZQXIDENT100000001",
        f"{BASE}/studies?ReferringPhysicianName=Zqxplant^Referrer",
        f"{BASE}/studies?StudyInstanceUID=1.2.826.0.1.3680043.10.1511.1.100000001",
        f"{BASE}/studies/1.2.826.0.1.3680043.10.1511.1.100000001",
        f"{BASE}/studies/1.2.826.0.1.3680043.10.1511.1.100000001/metadata",
        f"{BASE}/studies?Zqxplant=1",
        "/Zqxplant",
        "/dicomweb/Zqxplant/studies",
    ],
)
def test_an_original_value_finds_nothing_and_is_not_repeated(filled: Site, path: str) -> None:
    status, body = filled.get(path)
    assert status in (200, 204, 400, 404), status
    assert status != 200 or json.loads(body) == []
    assert hits(body) == []


def test_error_bodies_do_not_quote_the_request(filled: Site) -> None:
    for content_type, body in (
        ("text/Zqxplant", b"x"),
        (CONTENT_TYPE, b"Zqxplant ZQXIDENT1"),
        (f"{CONTENT_TYPE}-Zqxplant", b""),
    ):
        assert hits(post(filled.http_port, body, content_type).body) == []


def test_held_instances_are_described_without_values(filled: Site) -> None:
    assert len(filled.held()) == 4
    assert hits(json.dumps(filled.held(), ensure_ascii=False).encode()) == []
    assert hits(json.dumps(filled.control("/status"), ensure_ascii=False).encode()) == []


def test_no_process_leaves_a_core_dump(filled: Site) -> None:
    processes = tree(filled.pid)
    assert len(processes) >= 2
    for pid in processes:
        limits = Path(f"/proc/{pid}/limits").read_text().splitlines()
        (core,) = [line.split() for line in limits if line.startswith("Max core file size")]
        assert core[4] == "0", f"core dumps hold clear instances: {core}"


def test_the_data_folder_is_closed_to_others(filled: Site) -> None:
    assert filled.data.stat().st_mode & 0o077 == 0
