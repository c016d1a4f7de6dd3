"""The counts of a report, which are audited, add up: every element once, and by what the explanation says of it."""

from __future__ import annotations

from collections import Counter
from types import ModuleType

import pytest

from proxy.deid.engine import explain
from proxy.deid.types import Claimed
from tests.deid.canary_files import FILES, base, encoded, item, items
from tests.deid.test_gate_forgotten import POLICIES, policy_of

#: count → actions of an explanation; what is left over may be counted by what became of the value
_SAME = {"removed": ("remove",), "added": ("add",), "emptied": ("empty",), "replaced": ("dummy", "pseudonym", "hash")}
_VALUES = ("kept", "remapped", "shifted", "cleaned", "truncated")
_ACTIONS = ("keep", "walk", "remap", "shift", "clean", "date")


@pytest.mark.parametrize("policy_name", POLICIES)
def test_counts_say_what_the_explanation_says(make: ModuleType, policy_name: str) -> None:
    policy = policy_of(make, policy_name)
    for name in FILES[:20]:
        ds = base(name)
        if ds.get("Modality") in ("US", "CR") and policy_name == "mammography":
            continue  # refused
        data = encoded(ds)
        counts = Counter(make.run(data, policy)[0].report.counts)
        steps = Counter(step.action for step in explain(memoryview(data), Claimed(), policy))
        pixels = int("PixelData" in ds)  # explained, but no element of the walk
        for count, actions in _SAME.items():
            assert counts[count] == sum(steps[action] for action in actions), f"{name}: {count}"
        assert sum(counts[c] for c in _VALUES) == sum(steps[a] for a in _ACTIONS) - pixels, name


def test_counts_of_one_small_instance(make: ModuleType) -> None:
    ds = make.dataset(
        SpecificCharacterSet="ISO_IR 100", Modality="CT", StudyDate="20200101", PatientAddress="Way 1", PatientSex="O",
        ImageType=["ORIGINAL", "PRIMARY"], FrameOfReferenceUID="1.2.3.9", BodyPartExamined="HEAD",
    )  # fmt: skip
    ds.AnatomicRegionSequence = items(CodeValue="1", CodingSchemeDesignator="99X", CodeMeaning="Head")
    ds.ReferencedImageSequence = [item(ReferencedSOPInstanceUID="1.2.3.5", ReferencedSOPClassUID=make.CT)]
    counts = make.run(make.encode(ds), make.policy("research"))[0].report.counts
    assert counts == {
        "added": 4,  # identity removed, method, method codes, longitudinal
        "emptied": 1,  # sex
        "kept": 11,  # character set, SOP class, modality, image type, body part, region (4), reference (2)
        "remapped": 5,  # instance, study, series, frame of reference, reference
        "removed": 1,  # address
        "replaced": 2,  # name and number
        "shifted": 1,
    }
