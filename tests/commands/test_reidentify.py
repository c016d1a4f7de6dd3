"""``veil reidentify`` against a site: an instance comes in, two officers with key files read whose it was."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file

from proxy.app import App
from proxy.commands import officers
from proxy.config import load_config
from proxy.control import ControlServer
from proxy.deid.types import Claimed
from proxy.errors import VeilError
from proxy.service.ports import Peer
from proxy.service.reidentify_words import REVEAL
from proxy.workers.arena import Arena
from tests.commands.conftest import Veil
from tests.security_officers import person

PLANTED = "ZQXIDENT1"


class Running:
    """A site whose operator's socket is open, on a loop of its own."""

    def __init__(self, config_path: Path) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        config = load_config(config_path)
        self.data = config.data_dir
        self.app = App(config)
        self.wait(self.app.start(servers=False))
        self._control = ControlServer(config.data_dir, self.app.operator)
        self.wait(self._control.start())

    def wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(150)

    def receive(self, data: bytes) -> str:
        with Arena(1 << 24) as arena:
            arena.write(data)
            outcome = self.wait(self.app.works.ingest.receive("research", arena, Claimed(), Peer("dimse")))
        assert outcome.stored, outcome.reason
        return str(outcome.report.patient_id)

    def stop(self) -> None:
        self.wait(self._control.stop())
        self.wait(self.app.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture
def keys(site: Path) -> Path:
    folder = site.parent / "keys"
    for name in ("anna", "ben", "mallory"):
        (folder / f"{name}.pem").write_text(person(name).certificate)
        (folder / f"{name}.key").write_bytes(person(name).key_file())
    text = site.read_text().replace(
        "    destinations: [archive]",
        "    identity_drawer: {officers: {anna: keys/anna.pem, ben: keys/ben.pem}, requests_per_day: 3}\n"
        "    destinations: [archive]",
    )
    site.write_text(text)
    return folder


@pytest.fixture
def running(site: Path, keys: Path) -> Iterator[Running]:
    made = Running(site)
    yield made
    made.stop()


def instance(tmp_path: Path, patient_id: str = PLANTED) -> bytes:
    found = get_testdata_file("CT_small.dcm")
    dataset = dcmread(str(found))
    dataset.PatientID, dataset.IssuerOfPatientID = patient_id, "Hospital"
    dataset.save_as(tmp_path / "in.dcm")
    return (tmp_path / "in.dcm").read_bytes()


def test_from_the_instance_to_the_patient(run_veil: Veil, running: Running, keys: Path, tmp_path: Path) -> None:
    pseudonym = running.receive(instance(tmp_path))
    at = ("--data", running.data)
    anna, ben = (("--as", name, "--key", keys / f"{name}.key", *at) for name in ("anna", "ben"))
    why = ("--project", "research", "--purpose", "safety", "--ticket", "INC-17")

    asked = run_veil("reidentify", "request", pseudonym, *why, *anna)
    assert asked.status == 0
    request = asked.text.strip()
    with pytest.raises(VeilError, match="self-approval"):
        run_veil("reidentify", "approve", request, *anna, "--requester", keys / "anna.pem", "--yes")
    false = run_veil("reidentify", "approve", request, *ben, "--requester", keys / "mallory.pem", "--yes")
    assert (false.status, "not signed" in false.text) == (1, True)
    assert run_veil("reidentify", "approve", request, *ben, "--requester", keys / "anna.pem", "--yes").status == 0
    assert "approved" in run_veil("reidentify", "list", *at).text

    shown = run_veil("reidentify", "reveal", request, *anna)
    assert shown.status == 0
    assert PLANTED in shown.text
    assert "Hospital" in shown.text
    with pytest.raises(VeilError, match="spent"):
        run_veil("reidentify", "reveal", request, *anna)
    assert [each["state"] for each in json.loads(run_veil("reidentify", "list", "--json", *at).text)] == ["revealed"]

    types = [record["type"] for record in records(running.data)]
    assert [t for t in types if t.startswith("reident")] == [
        f"reidentification-{step}" for step in ("asked", "refused", "approved", "revealed", "refused")
    ]
    for path in running.data.rglob("*"):
        assert not path.is_file() or PLANTED.encode() not in path.read_bytes(), path


def test_many_patients_only_as_a_file_that_its_requester_opens(
    run_veil: Veil, running: Running, keys: Path, tmp_path: Path
) -> None:
    originals = [f"{PLANTED}-{n}" for n in range(3)]
    pseudonyms = [running.receive(instance(tmp_path, each)) for each in originals]
    listed, out = tmp_path / "list.txt", tmp_path / "export.json"
    listed.write_text("\n".join(reversed(pseudonyms)) + "\n\n")
    at = ("--data", running.data)
    anna, ben = (("--as", name, "--key", keys / f"{name}.key", *at) for name in ("anna", "ben"))
    why = ("--project", "research", "--purpose", "quality", "--ticket", "QA-1")

    asked = run_veil("reidentify", "export", listed, *why, *anna)
    assert asked.status == 0
    request = asked.text.split()[0]
    assert "3 patients (list " in run_veil("reidentify", "list", *at).text.replace("\n", " ")
    own = ("--requester", keys / "anna.pem", "--yes")
    with pytest.raises(VeilError, match="self-approval"):
        run_veil("reidentify", "approve", request, *anna, *own)
    approved = run_veil("reidentify", "approve", request, *ben, *own)
    assert (approved.status, "anna asks for 3 patients (list " in approved.text) == (0, True)
    with pytest.raises(VeilError, match="bulk"):
        reveal_anyway(request, anna)
    assert run_veil("reidentify", "collect", request, *anna, "--out", out).status == 0
    assert run_veil("reidentify", "collect", request, *anna, "--out", out).status != 0  # it is not written over
    with pytest.raises(VeilError, match="spent"):
        run_veil("reidentify", "collect", request, *anna, "--out", tmp_path / "again.json")
    assert not (tmp_path / "again.json").exists()
    assert not any(each in out.read_text() for each in originals)

    opened = run_veil("reidentify", "open", out, "--key", keys / "anna.key", "--approver", keys / "ben.pem")
    assert sorted(opened.text.split()) == sorted(
        ["pseudonym,patient_id,issuer", *(f"{p},{o},Hospital" for p, o in zip(pseudonyms, originals, strict=True))]
    )
    for key, approver in (("ben", "ben"), ("anna", "mallory")):
        with pytest.raises(VeilError, match="signed"):
            run_veil("reidentify", "open", out, "--key", keys / f"{key}.key", "--approver", keys / f"{approver}.pem")
    told = json.loads(out.read_text())
    told["entries"][0]["pseudonym"], told["entries"][1]["pseudonym"] = sorted(pseudonyms)[1::-1]
    out.write_text(json.dumps(told))
    with pytest.raises(VeilError, match="altered"):
        run_veil("reidentify", "open", out, "--key", keys / "anna.key", "--approver", keys / "ben.pem")
    out.write_text("{}")
    assert run_veil("reidentify", "open", out, "--key", keys / "anna.key", "--approver", keys / "ben.pem").status == 1

    found = [record for record in records(running.data) if record["type"].startswith("reidentification-export")]
    assert [(r["type"].rpartition("-")[2], r["counts"]) for r in found] == [
        (step, {"patients": 3}) for step in ("asked", "approved", "made")
    ]
    for path in running.data.rglob("*"):
        assert not path.is_file() or PLANTED.encode() not in path.read_bytes(), path


def reveal_anyway(request: str, anna: tuple[object, ...]) -> None:
    """The statement for one patient, for a list."""
    key, data = Path(str(anna[3])), Path(str(anna[5]))
    private = officers.private_key(key)
    message = officers.signed(private, REVEAL, project="research", by="anna", request=request)
    officers.ask(data, lambda client: client.reidentify(REVEAL, message))


def records(data: Path) -> list[dict[str, Any]]:
    files = sorted((data / "audit").glob("*.jsonl"))
    return [json.loads(line) for path in files for line in path.read_text().splitlines()]


def test_without_a_proxy_there_is_nobody_to_ask(run_veil: Veil, tmp_path: Path) -> None:
    said = run_veil("reidentify", "list", "--data", tmp_path)
    assert (said.status, "no proxy answers" in said.text) == (1, True)


def test_a_site_whose_officers_share_a_key_does_not_start(run_veil: Veil, site: Path, keys: Path) -> None:
    (keys / "ben.pem").write_text(person("anna").certificate)
    said = run_veil("check", "-c", site)
    assert (said.status, "same key" in said.text) == (2, True)
