"""An explanation names every element of the input, decides as the walk decides, and quotes no value."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import ModuleType

import pydicom
import pytest
from pydicom.dataset import Dataset

from proxy.deid.engine import deidentify, explain
from proxy.deid.types import Claimed
from proxy.errors import InstanceHeld

FILES = sorted((Path(pydicom.__file__).parent / "data" / "test_files").glob("*.dcm"))


def item(**attributes: object) -> Dataset:
    ds = Dataset()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def lines(make: ModuleType, ds: Dataset, profile: str) -> dict[tuple[tuple[int, ...], int], tuple[str, str, str]]:
    steps = explain(memoryview(make.encode(ds)), Claimed(), make.policy(profile))
    return {(step.path, step.tag): (step.action, step.rule, step.section) for step in steps}


def test_each_kind_of_rule_is_named(make: ModuleType) -> None:
    ds = make.dataset(
        StudyDate="20240229", AccessionNumber="A1", StudyDescription="Thorax", Rows=1, PatientComments="none",
        AnatomicRegionSequence=[item(CodeValue="1"), item(CodeValue="2", InstanceCreatorUID="1.2.3.9")],
    )  # fmt: skip
    ds.add_new(0x00081190, "UR", "http://planted/")
    found = lines(make, ds, "research")
    region = 0x00082218
    assert found[(), 0x00080020] == ("shift", "option rtn_long_modif C", "E.3.6")
    assert found[(), 0x00080050] == ("empty", "E.1-1 Z", "E.2")
    assert found[(), 0x00081030] == ("remove", "E.1-1 X", "E.2")
    assert found[(), 0x00081190] == ("remove", "profile unlisted UR remove", "")
    assert found[(), 0x00280010] == ("keep", "profile unlisted US keep", "")
    assert found[(), 0x00100020][0] == "pseudonym"
    assert found[(), region] == ("walk", "profile unlisted SQ walk", "")
    assert found[(region, 0), 0x00080100] == ("keep", "profile unlisted SH keep", "")
    assert found[(region, 1), 0x00080014] == ("remap", "E.1-1 U", "E.2")
    assert found[(), 0x00120062][0] == "add"


def test_a_date_that_is_none_is_explained_by_its_row(make: ModuleType) -> None:
    data = make.encode(make.dataset()) + make.raw_element(0x30060008, "DA", b"no date ")
    steps = explain(memoryview(data), Claimed(), make.policy("research"))
    assert [(s.action, s.rule) for s in steps if s.tag == 0x30060008] == [("empty", "E.1-1 Z")]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_the_walk_decides_as_the_explanation_says(make: ModuleType, path: Path) -> None:
    """Same elements at the top, and as many removed as the report of the walk counts there."""
    data = memoryview(path.read_bytes())
    policy = make.policy("research", blank_patient_id="per-study", uninspected_pixels="forward")
    try:
        result = deidentify(data, Claimed(), policy)
    except InstanceHeld:
        with pytest.raises(InstanceHeld):
            explain(data, Claimed(), policy)
        return
    steps = explain(data, Claimed(), policy)
    did = Counter(step.action for step in steps)
    assert did["remove"] == result.report.counts.get("removed", 0)
    assert did["add"] == result.report.counts["added"]
    assert len({(s.path, s.tag) for s in steps if s.action != "add"}) == len([s for s in steps if s.action != "add"])
