"""A foregone conclusion is what the walk would have decided: for every row of the table, SOP class and profile."""

from __future__ import annotations

import io
from types import ModuleType

import pytest
from pydicom import dcmread
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from proxy.deid import walk
from proxy.deid.engine import deidentify
from proxy.deid.foregone import foregone, foregone_of
from proxy.deid.profile import Policy, PolicySpec, compile_policy
from proxy.deid.types import Claimed, Deidentified, materialise
from proxy.store.rulebook import load_profile

SYNTAXES = {"little": "1.2.840.10008.1.2.1", "implicit": "1.2.840.10008.1.2", "big": "1.2.840.10008.1.2.2"}
#: CT, MR, US, secondary capture, RT plan, SR, PET
CLASSES = ["2", "4", "6.1", "7", "481.5", "88.22", "128"]
VALUES = {
    "DA": "20200229",
    "TM": "101112",
    "DT": "20200229101112",
    "AS": "042Y",
    "DS": "1.5",
    "IS": "7",
    "UI": "1.2.3.9",
}
POLICIES = {"basic": (), "modified": ("rtn_long_modif",), "kept": ("rtn_dev_id", "rtn_pat_chars", "clean_desc")}


def full(make: ModuleType, policy: Policy, sop_class: str, *, more: bool) -> Dataset:
    """Every row of the table that has a value of characters; ``more``: what shows that optional modules are there."""
    ds: Dataset = make.dataset(f"1.2.840.10008.5.1.4.1.1.{sop_class}")
    for tag, vr in policy.vrs.items():
        if vr in ("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UT", *VALUES) and tag not in ds and tag >> 16 > 8:
            ds[tag] = DataElement(tag, vr, VALUES.get(vr, "ZQX"))
    if more:
        ds.PatientSpeciesDescription, ds.ClinicalTrialSponsorName, ds.ContrastBolusAgent = "CAT", "ZQX", "ZQX"
        ds.ImageType, ds.Rows, ds.SpecimenDescriptionSequence = ["ORIGINAL", "PRIMARY"], 1, []
    return ds


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_it_is_what_the_walk_decides(make: ModuleType, monkeypatch: pytest.MonkeyPatch, syntax: str, name: str) -> None:
    policy = make.optioned(*POLICIES[name], uninspected_pixels="forward")

    def both(data: bytes) -> tuple[Deidentified, Deidentified]:
        monkeypatch.setattr(walk, "foregone_of", foregone_of)
        short = deidentify(memoryview(data), Claimed(), policy)
        monkeypatch.setattr(walk, "foregone_of", lambda *_: foregone({}))
        return short, deidentify(memoryview(data), Claimed(), policy)

    for sop_class in CLASSES:
        for more in (False, True):
            data = make.encode(full(make, policy, sop_class, more=more), SYNTAXES[syntax])
            short, long = both(data)
            assert materialise(short.chunks, data) == materialise(long.chunks, data), sop_class
            assert short.report == long.report


def test_much_is_foregone_and_what_depends_on_the_instance_is_not(make: ModuleType) -> None:
    policy = make.policy("basic")
    found = foregone_of(policy, "1.2.840.10008.5.1.4.1.1.2", False, True).conclusions
    assert len(found) > 200
    assert found[0x00080050].part is not None  # Accession Number, type 2
    assert found[0x00080050].part.data == b"\x08\x00\x50\x00SH\x00\x00"
    assert found[0x00104000].part is None  # Patient Comments, X
    for tag in (0x00100010, 0x00100020, 0x00080005, 0x0020000D, 0x00102297):
        assert tag not in found


def test_a_site_s_rules_come_first(make: ModuleType) -> None:
    ds = make.dataset(AccessionNumber="ZQX")
    rules = [{"match": {"keyword": "AccessionNumber"}, "do": "replace", "with": "NEW"}]
    profile = {**load_profile("basic"), "rules": rules}
    policy = compile_policy(make.tables(), PolicySpec("research", profile, make.KEY))
    assert foregone_of(policy, str(ds.SOPClassUID), False, True).conclusions == {}
    data = make.encode(ds)
    result = deidentify(memoryview(data), Claimed(), policy)
    assert dcmread(io.BytesIO(materialise(result.chunks, data))).AccessionNumber == "NEW"
