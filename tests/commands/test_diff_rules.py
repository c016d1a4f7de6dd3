"""``veil diff-rules``: exactly the places whose treatment differs, by file and in sum; no values."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from proxy.store.rulebook import load_profile

CHANGE = re.compile(r"^ (\(\S+\))\s+(\w*)\s+(.*)$")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    for number in (1, 2):
        ds = dcmread(get_testdata_file("CT_small.dcm"))
        ds.PatientName, ds.SeriesDescription, ds.ProtocolName = "Zqxplant^Jane", "Zqxseries", "Zqxprotocol"
        items = []
        for _ in range(number):
            item = Dataset()
            item.CodeMeaning, item.CodeValue = "Zqxmeaning", "T1"
            items.append(item)
        ds.AnatomicRegionSequence = Sequence(items)
        ds.save_as(folder / f"{number}.dcm")
    return folder


def changed(tmp_path: Path, **changes: Any) -> Path:
    """The research profile with other words for single VRs or attributes."""
    document = {**load_profile("research")}
    unlisted = {**document["unlisted"]}
    unlisted["by_vr"] = {**unlisted["by_vr"], **changes.get("by_vr", {})}
    unlisted["attributes"] = {**unlisted["attributes"], **changes.get("attributes", {})}
    path = tmp_path / "new.yaml"
    path.write_text(yaml.safe_dump({**document, "name": "new", "unlisted": unlisted}))
    return path


def rows(text: str) -> list[tuple[str, str]]:
    found = (CHANGE.match(line) for line in text.splitlines())
    return [(m[1], " ".join(m[3].split())) for m in found if m]


def test_the_same_rules_change_nothing(run_veil: Any, files: Path) -> None:
    said = run_veil("diff-rules", "research", "research", files)
    assert (said.status, rows(said.text)) == (0, [])
    assert "2 files, 0 changes at 0 kinds of places, 0 held" in said.text


def test_one_attribute(run_veil: Any, files: Path, tmp_path: Path) -> None:
    new = changed(tmp_path, attributes={"(0008,0104)": "dummy"})
    said = run_veil("diff-rules", "research", new, files)
    found = rows(said.text)
    each, total = found[:-1], found[-1]
    assert [place for place, _ in each] == [f"(0008,2218)[{n}].(0008,0104)" for n in (0, 0, 1)]
    assert {re.sub(" profile.*", "", words) for _, words in each} == {"keep dummy"}
    assert total == ("(0008,2218).(0008,0104)", "keep dummy 3")
    assert "2 files, 3 changes at 1 kinds of places, 0 held" in said.text
    assert "Zqx" not in said.text


def test_a_removed_sequence_takes_its_elements_along(run_veil: Any, files: Path, tmp_path: Path) -> None:
    new = changed(tmp_path, attributes={"(0008,2218)": "remove"})
    found = dict(rows(run_veil("diff-rules", "research", new, files / "1.dcm").text))
    assert found["(0008,2218)"] == "walk remove 1"
    assert found["(0008,2218).(0008,0104)"] == "keep absent 1"


def test_a_profile_that_extends_another(run_veil: Any, files: Path, tmp_path: Path) -> None:
    rule = {"match": {"keyword": "ProtocolName"}, "do": "replace", "with": "CONSTANT"}
    new = tmp_path / "new.yaml"
    new.write_text(yaml.safe_dump({"version": 1, "name": "new", "extends": "research", "rules": [rule]}))
    said = run_veil("diff-rules", "research", new, files)
    found = dict(rows(said.text))
    assert found["(0018,1030)"].startswith("remove"), said.text
    assert "rule 1 of profile new" in said.text
    assert "Zqx" not in said.text


def test_two_profiles_by_name(run_veil: Any, files: Path) -> None:
    found = dict(rows(run_veil("diff-rules", "basic", "research", files).text))
    assert found["(0008,0020)"] == "empty shift 2"
    assert found["(0028,0303)"] == "add add, another value 2"
    assert "(0010,0020)" not in found, "the key is the same, and so are pseudonyms"


def test_what_one_profile_holds(run_veil: Any, files: Path) -> None:
    (files / "3.dcm").write_bytes(b"no instance")
    said = run_veil("diff-rules", "basic", "research", files)
    assert said.status == 3
    assert "3.dcm: held: not-dicom" in said.text
    assert "3 files" in said.text
    assert "1 held" in said.text


def test_a_profile_that_does_not_load(run_veil: Any, files: Path, tmp_path: Path) -> None:
    assert run_veil("diff-rules", "research", "nonsense", files).status == 2
    assert run_veil("diff-rules", "research", tmp_path / "missing.yaml", files).status == 2
    broken = changed(tmp_path, by_vr={"PN": "keep"})
    said = run_veil("diff-rules", "research", broken, files)
    assert said.status == 2
    assert "PN" in said.text
