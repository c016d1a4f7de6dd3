"""The walk over one instance: whose pseudonym where, what is counted, and how each step is told to who asks."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from pydicom.dataset import Dataset

from proxy.deid.engine import explain
from proxy.deid.profile import Policy, PolicySpec, compile_policy
from proxy.deid.types import Claimed
from proxy.errors import InstanceHeld, Reason
from proxy.store.rulebook import load_profile
from tests.deid.canary_files import item

ALL = ("rtn_long_modif", "clean_struct", "clean_desc", "rtn_uids")
REGION, TEMPLATE = 0x00082218, 0x0040A504


def study(make: ModuleType, **more: Any) -> Dataset:
    """Four patients beside the instance's own."""
    of = [
        item(CodeValue="1", PatientID="77", PatientName="X^Y"), item(PatientName="X^Y", Rows=2),
        item(PatientID="77", IssuerOfPatientID="THERE"), item(PatientID="77", IssuerOfPatientID="HERE"),
    ]  # fmt: skip
    found: Dataset = make.dataset(
        StudyDate="20240215", AccessionNumber="A1", Manufacturer="Acme", StudyDescription="Knee",
        IssuerOfPatientID="HERE", AnatomicRegionSequence=of,
        ContentTemplateSequence=[item(TemplateIdentifier="2000")], **more,
    )  # fmt: skip
    return found


def steps(make: ModuleType, ds: Dataset, policy: Policy) -> dict[tuple[tuple[int, ...], int], tuple[str, str]]:
    """(path, tag) → what is done, and in which section of PS3.15 that stands."""
    found = explain(memoryview(make.encode(ds)), Claimed(), policy)
    return {(step.path, step.tag): (step.action, step.section) for step in found}


@pytest.mark.parametrize("options", [(), ALL])
def test_every_patient_has_a_pseudonym_of_his_own(make: ModuleType, options: tuple[str, ...]) -> None:
    """By Patient ID and issuer; who has no issuer has that of the instance, who has no ID has no pseudonym."""
    policy = make.optioned(*options)
    out = make.through(study(make), policy)
    ids = policy.pseudonyms()
    one, two, three, four = out.AnatomicRegionSequence
    assert (out.PatientID, str(out.PatientName)) == (ids.patient_id("HERE", "4711"),) * 2
    assert (one.PatientID, str(one.PatientName)) == (ids.patient_id("HERE", "77"),) * 2
    assert (two.PatientName, two.Rows) == ("", 2)
    assert three.PatientID == ids.patient_id("THERE", "77") != one.PatientID
    assert four.PatientID == one.PatientID
    assert all("IssuerOfPatientID" not in each for each in (out, *out.AnatomicRegionSequence))


@pytest.mark.parametrize(
    ("options", "counts"),
    [
        ((), {"added": 4, "emptied": 3, "kept": 5, "remapped": 3, "removed": 5, "replaced": 6}),
        (ALL, {"added": 4, "emptied": 2, "kept": 11, "removed": 3, "replaced": 6, "shifted": 1}),
    ],
)
def test_what_is_counted(make: ModuleType, options: tuple[str, ...], counts: dict[str, int]) -> None:
    result, _ = make.run(make.encode(study(make)), make.optioned(*options))
    assert dict(result.report.counts) == counts


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), {
            ((), 0x00080018): ("remap", "E.2"), ((), 0x00080020): ("empty", "E.2"), ((), REGION): ("walk", ""),
            ((), 0x00081030): ("remove", "E.2"), ((), 0x00080070): ("keep", ""), ((), TEMPLATE): ("remove", "E.2"),
            ((REGION, 0), 0x00100010): ("pseudonym", "E.1.1"), ((REGION, 1), 0x00280010): ("keep", ""),
            ((REGION, 2), 0x00100021): ("remove", "E.2"), ((), 0x00120062): ("add", "E.1.1"),
            ((), 0x00180010): ("empty", "E.2"), ((), 0x00181000): ("dummy", "E.2"), ((), 0x00080005): ("keep", "E.1.1"),
        }),
        (ALL, {
            ((), 0x00080018): ("keep", "E.3.9"), ((), 0x00080020): ("shift", "E.3.6"),
            ((), 0x00081030): ("clean", "E.3.5"), ((), TEMPLATE): ("walk", ""),
            ((TEMPLATE, 0), 0x0040DB00): ("keep", ""),
        }),
        (("rtn_long_full", "rtn_dev_id", "rtn_inst_id", "rtn_pat_chars"), {
            ((), 0x00080020): ("keep", "E.3.6"), ((), 0x00081010): ("keep", "E.3.8"),
            ((), 0x00080080): ("keep", "E.3.11"), ((), 0x00101010): ("keep", "E.3.7"),
        }),
    ],
)  # fmt: skip
def test_how_it_is_told(make: ModuleType, options: tuple[str, ...], told: dict[Any, tuple[str, str]]) -> None:
    ds = study(
        make, SpecificCharacterSet="ISO_IR 100", ContrastBolusAgent="x", StationName="CT1", InstitutionName="Klinikum",
        PatientAge="042Y", SOPClassUID=make.CT,
    )  # fmt: skip
    if ((), 0x00181000) in told:  # type 1 in Enhanced CT
        ds.SOPClassUID, ds.DeviceSerialNumber = "1.2.840.10008.5.1.4.1.1.2.1", "SN1"
    found = steps(make, ds, make.optioned(*options))
    assert {key: found[key] for key in told} == told


def test_pixel_data_inside_a_sequence_is_held(make: ModuleType) -> None:
    ds = study(make)
    ds.AnatomicRegionSequence[0].add_new(0x7FE00010, "OW", b"\1\2")
    with pytest.raises(InstanceHeld) as held:
        make.run(make.encode(ds), make.optioned())
    assert (held.value.reason, held.value.tag) == (Reason.UNSUPPORTED_CONTENT, 0x7FE00010)


def test_a_template_inside_an_item_says_what_the_item_is(make: ModuleType) -> None:
    """Only that of the document goes with the content that was replaced."""
    ds = make.dataset(AnatomicRegionSequence=[item(ContentTemplateSequence=[item(TemplateIdentifier="2000")])])
    (region,) = make.through(ds, make.optioned()).AnatomicRegionSequence
    assert region.ContentTemplateSequence[0].TemplateIdentifier == "2000"


@pytest.mark.parametrize(
    ("stated", "value", "left"),
    [("ISO_IR 100", b"M\xfcller", b"M\xfcller"), ("ISO_IR 192", b"M\xc3\xbcller", b"M\xc3\xbcller")],
)
def test_the_character_set_of_what_stays(make: ModuleType, stated: str, value: bytes, left: bytes) -> None:
    ds = make.dataset(SpecificCharacterSet=stated, Manufacturer=value.decode("utf-8" if "192" in stated else "latin_1"))
    _, out = make.run(make.encode(ds), make.optioned())
    assert left in out
    assert stated.encode() in out


def test_a_site_s_rule_is_asked_of_what_stays_and_not_of_what_stands_for_it(make: ModuleType) -> None:
    """In sequences too; the skeleton of one that was replaced has no text of its own."""
    rules = [{"match": {"tag": "(0008,0070)"}, "do": "replace", "with": "PHANTOM"}]
    profile = {**load_profile("basic"), "rules": rules}
    policy = compile_policy(make.tables(), PolicySpec("p", profile, make.KEY))
    ds = make.dataset(Manufacturer="Acme", AnatomicRegionSequence=[item(Manufacturer="Acme", Rows=2)])
    out = make.through(ds, policy)
    assert (out.Manufacturer, out.AnatomicRegionSequence[0].Manufacturer) == ("PHANTOM", "PHANTOM")


@pytest.mark.parametrize("syntax", ["EXPLICIT_LITTLE", "IMPLICIT_LITTLE"])
def test_by_which_vr_it_was_read(make: ModuleType, syntax: str) -> None:
    ds = study(make, SpecificCharacterSet="ISO_IR 100", InstanceCreationDate="20240215", PatientAge="042Y")
    found = explain(memoryview(make.encode(ds, getattr(make, syntax))), Claimed(), make.optioned())
    vrs = {step.tag: step.vr for step in found if not step.path}
    wanted = {
        0x00080005: "CS", 0x00100010: "PN", 0x00100020: "LO", 0x00080020: "DA", 0x00080018: "UI", REGION: "SQ",
        0x00101010: "AS", 0x00080070: "LO", TEMPLATE: "SQ",
    }  # fmt: skip
    assert {tag: vrs[tag] for tag in wanted} == wanted
