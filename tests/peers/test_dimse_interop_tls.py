"""DCMTK with TLS at both ends of a running Veil, by the certificates of ``veil certs dev``, each side showing its own.

dcmsend, getscu and movescu of DCMTK 3.6.7 have no TLS.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.peers.pacs import listening
from tests.system.harness import Site, quiet_port
from tests.system.planting import MARKERS, fresh

pytestmark = [pytest.mark.peer, pytest.mark.timeout(120)]


def own(certs: Path, name: str) -> dict[str, str]:
    """Certificate, key and authority, as veil.yaml says it."""
    files = {"certificate_file": f"{name}.pem", "key_file": f"{name}.key", "ca_file": "ca.pem"}
    return {key: str(certs / file) for key, file in files.items()}


def shown(certs: Path, name: str) -> list[str]:
    """The same, as DCMTK's programs say it."""
    files = own(certs, name)
    return ["+tls", files["key_file"], files["certificate_file"], "+cf", files["ca_file"]]


@pytest.fixture
def site(program: Callable[[str], Path], tmp_path: Path) -> Iterator[Site]:
    """It keeps in its archive, and delivers to a storescp that keeps in ``pacs``; one peer is known."""
    certs, port, folder = tmp_path / "certs", quiet_port(), tmp_path / "pacs"
    folder.mkdir()
    there: dict[str, Any] = {"type": "dimse", "host": "localhost", "port": port, "called_ae": "PACS"}
    verbs = ["store", "search", "retrieve"]
    peer = {"ae_titles": ["CT1"], "certificate_names": ["modality"], "projects": {"research": verbs}}
    made = Site(
        tmp_path / "site",
        {
            "dimse.tls": own(certs, "server"),
            "destinations.pacs": there | {"tls": own(certs, "modality"), "associations": 1},
            "projects.research.destinations": ["archive", "pacs"],
            "peers": {"ct-1": peer},
        },
    )
    made.veil("certs", "dev", str(certs), check=True)
    made.secrets.update(MARKERS)
    command = [str(program("storescp")), *shown(certs, "server"), "-od", str(folder), str(port)]
    with listening(command, port, tmp_path / "storescp.log"):
        made.start()
        yield made
        made.end()
    assert made.exposed() == []


def test_dcmtk_with_tls(site: Site, program: Callable[[str], Path], tmp_path: Path) -> None:
    certs, one = tmp_path / "certs", fresh()
    (tmp_path / "one.dcm").write_bytes(one.part10)

    def run(name: str, *options: object, who: str = "modality", calling: str = "CT1") -> tuple[int, str]:
        command = [program(name), "-d", *shown(certs, who), "-aet", calling, "-aec", "VEIL"]
        command += ["127.0.0.1", site.dimse_port, *options]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, errors="replace", timeout=60)
        return done.returncode, done.stdout + done.stderr

    assert run("echoscu")[0] == 0
    assert run("storescu", "-R", tmp_path / "one.dcm")[0] == 0
    site.drain()
    (uid,) = site.archived()
    assert [file.name.endswith(uid) for file in (tmp_path / "pacs").iterdir()] == [True]
    status, said = run("findscu", "-S", "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID", "-k", "PatientID")
    assert status == 0
    assert "DIMSE Status                  : 0xff00" in said
    for stranger in (run("echoscu", who="viewer"), run("echoscu", calling="CT2")):
        assert stranger[0] != 0
        assert "Calling AE Title Not Recognized" in stranger[1]
