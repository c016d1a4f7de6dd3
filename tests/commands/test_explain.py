"""``veil explain``: every element, its action, rule and section; values only when asked for; why it is held."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileDataset
from pydicom.sequence import Sequence

from proxy.commands import explain as command
from proxy.deid import explained, walk
from proxy.errors import InstanceHeld, Reason


def planted() -> FileDataset:
    ds = dcmread(get_testdata_file("CT_small.dcm"))
    ds.PatientName, ds.PatientID, ds.StudyDescription = "Zqxplant^Jane", "ZQX4711", "Thorax of Zqxplant"
    ds.OtherPatientIDs = "ZQX4712"
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = ds.SOPClassUID, "1.2.3.44"
    item.add_new(0x00291010, "LO", "Zqxprivate")
    ds.ReferencedImageSequence = Sequence([item])
    return ds


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a[b].dcm"
    planted().save_as(path)
    return path


def explain(run_veil: Any, site: Path, file: Path, *options: str) -> Any:
    return run_veil("explain", file, "-c", site, "--project", "research", *options)


def elements(said: Any) -> dict[str, dict[str, str]]:
    return {row["place"]: row for row in json.loads(said.text)["elements"]}


def test_every_element_is_told_of_and_no_value(run_veil: Any, site: Path, file: Path) -> None:
    said = explain(run_veil, site, file, "--json")
    assert said.status == 0
    assert json.loads(said.text)["verdict"] == "released"
    found = elements(said)
    places = {f"({int(e.tag) >> 16:04X},{int(e.tag) & 0xFFFF:04X})" for e in planted()}
    assert places <= found.keys()
    nested = found["(0008,1140)[0].(0008,1155)"]
    assert (nested["action"], nested["rule"], nested["section"]) == ("remap", "E.1-1 U", "E.2")
    assert found["(0008,1140)[0].(0029,1010)"]["action"] == "remove"
    assert found["(0010,0020)"] == {
        "place": "(0010,0020)", "keyword": "PatientID", "vr": "LO", "action": "pseudonym",
        "rule": found["(0010,0020)"]["rule"], "section": found["(0010,0020)"]["section"],
    }  # fmt: skip
    assert (found["(0008,0020)"]["action"], found["(0008,0020)"]["section"]) == ("shift", "E.3.6")
    for text in (said.text, explain(run_veil, site, file).text):
        for value in ("Zqx", "ZQX", "Thorax", "1.2.3.44", "GE MEDICAL"):
            assert value not in text


def test_values_before_and_after_when_asked_for(run_veil: Any, site: Path, file: Path) -> None:
    found = elements(explain(run_veil, site, file, "--json", "--show-values"))
    name = found["(0010,0010)"]
    assert name["before"] == "Zqxplant^Jane"
    assert name["after"] == found["(0010,0020)"]["after"] != ""
    uid = found["(0008,1140)[0].(0008,1155)"]
    assert uid["before"] == "1.2.3.44"
    assert uid["after"].startswith("2.25.")
    assert (found["(0028,0010)"]["before"], found["(0028,0010)"]["after"]) == ("128", "128")
    assert (found["(0010,1000)"]["before"], found["(0010,1000)"]["after"]) == ("ZQX4712", "")
    table = explain(run_veil, site, file, "--show-values").text
    assert "Zqxplant^Jane" in table
    assert f"{file}: released" in table


def test_a_held_instance_says_why(run_veil: Any, site: Path, file: Path) -> None:
    ds = planted()
    ds.BurnedInAnnotation = "YES"
    ds.save_as(file)
    said = explain(run_veil, site, file)
    assert said.status == 3
    assert "held: text-undecided" in said.text
    assert "at (0028,0301)" in said.text
    document = json.loads(explain(run_veil, site, file, "--json").text)
    assert (document["verdict"], document["reason"], document["tag"]) == ("held", "text-undecided", "(0028,0301)")
    file.write_bytes(b"no instance")
    assert "held: not-dicom" in explain(run_veil, site, file).text


def test_what_only_the_gate_holds_is_explained_and_held(
    run_veil: Any, site: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Any, *_: Any) -> None:
        raise InstanceHeld(Reason.IDENTIFIER_REMAINS, "an identifier of the input is in the output", 0x00081030)

    monkeypatch.setattr(explained.Gate, "verify", refuse)
    said = explain(run_veil, site, file, "--json", "--show-values")
    assert said.status == 3
    document = json.loads(said.text)
    assert (document["reason"], document["tag"]) == ("identifier-remains", "(0008,1030)")
    assert {row["after"] for row in document["elements"]} == {""}
    assert len(document["elements"]) > 100


def test_a_fault_of_the_engine_quotes_nothing(
    run_veil: Any, site: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise KeyError("Zqxplant^Jane")

    monkeypatch.setattr(command, "examine", broken)
    said = explain(run_veil, site, file)
    assert (said.status, said.text) == (3, f"{file}: held: engine-error: KeyError\n")


def test_control_characters_do_not_reach_the_terminal(run_veil: Any, site: Path, file: Path) -> None:
    data = file.read_bytes()
    file.write_bytes(data.replace(b"Thorax of Zqxplant", b"Thorax\x1b[31m\r\n quux"))
    text = explain(run_veil, site, file, "--show-values").text
    assert "Thorax·[31m··" in text
    assert "\x1b[31m" not in text


def test_the_document_names_every_action() -> None:
    page = (Path(__file__).parents[2] / "docs" / "administration.md").read_text(encoding="utf-8")
    table = page.split("| action | what happens |\n", 1)[1].split("\n\n", 1)[0]
    stated = {word for line in table.splitlines()[1:] for word in line.split("|")[1].strip().split(", ")}
    assert stated == {walk._NAMES.get(action, action) for action in walk._ACTIONS} | {"add"}


def test_a_project_that_is_none(run_veil: Any, site: Path, file: Path) -> None:
    said = run_veil("explain", file, "-c", site, "--project", "nonsense")
    assert said.status == 2
    assert "no project is called 'nonsense'" in said.text
