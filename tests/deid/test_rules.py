"""A site's rules: what they match, what they do, what they can never do; and the example project."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest
import yaml
from pydicom import dcmread
from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataset import Dataset

from proxy.deid.engine import explain
from proxy.deid.profile import Policy, PolicySpec, compile_policy
from proxy.deid.rules import FIXED, Rule, longitudinal, relaxes
from proxy.deid.types import Claimed
from proxy.deid.verify import Gate
from proxy.errors import ConfigError, InstanceHeld, Reason
from proxy.store.rulebook import load_profile, rules_root

GATE = Gate(bytes(32))
MG = "1.2.840.10008.5.1.4.1.1.1.2"


def item(**attributes: Any) -> Dataset:
    ds = Dataset()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def policy(make: ModuleType, *rules: Mapping[str, Any], profile: str = "basic", **more: Any) -> Policy:
    document = {**load_profile(profile), "rules": list(rules), **more}
    return compile_policy(make.tables(), PolicySpec("research", document, make.KEY))


def released(make: ModuleType, ds: Dataset, under: Policy) -> Dataset:
    data = make.encode(ds)
    result, out = make.run(data, under)
    GATE.verify(memoryview(data), result, under)
    return dcmread(io.BytesIO(out))


def rule(do: str, match: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"match": match, "do": do, **more}


@pytest.mark.parametrize(
    ("made", "keyword", "before", "after"),
    [
        (rule("keep", {"tag": "(0008,1030)"}), "StudyDescription", "Thorax", "Thorax"),
        (rule("keep", {"keyword": "StudyDate"}), "StudyDate", "20240229", "20240229"),
        (rule("remove", {"keyword": "BodyPartExamined"}), "BodyPartExamined", "CHEST", None),
        (rule("empty", {"keyword": "BodyPartExamined"}), "BodyPartExamined", "CHEST", ""),
        (rule("replace", {"tag": "(0008,0080)"}, **{"with": "Site 7"}), "InstitutionName", "Klinikum", "Site 7"),
        (rule("replace", {"vr": "CS", "mask": "(0018,xxxx)"}, **{"with": "ANY"}), "BodyPartExamined", "CHEST", "ANY"),
        (rule("clean", {"tag": "(0008,1030)"}), "StudyDescription", "left nodule Zwetschgenmann", "left nodule"),
        (rule("truncate", {"keyword": "PatientBirthDate"}, to=15), "PatientBirthDate", "19500103", "19500115"),
        (rule("truncate", {"keyword": "PatientBirthDate"}, to="year"), "PatientBirthDate", "19500203", "19500101"),
        (rule("remove", {"mask": "(0018,00xx)"}), "BodyPartExamined", "CHEST", None),
        (rule("remove", {"mask": "(0020,00xx)"}), "BodyPartExamined", "CHEST", "CHEST"),
        (rule("keep", {"vr": "DA"}), "StudyDate", "20240229", "20240229"),
    ],
)
def test_actions(make: ModuleType, made: dict[str, Any], keyword: str, before: str, after: str | None) -> None:
    ds = make.dataset(PatientName="Zwetschgenmann^Q", **{keyword: before})
    out = released(make, ds, policy(make, made))
    assert out.get(keyword) == after


def test_hashes_are_equal_where_values_are(make: ModuleType) -> None:
    under = policy(make, rule("hash", {"keyword": "AccessionNumber"}))
    one, same, other = (
        released(make, make.dataset(AccessionNumber=number), under).AccessionNumber for number in ("A1", "A1 ", "A2")
    )
    assert one == same != other
    assert len(one) == 16


def test_a_shift_by_rule_is_the_patients(make: ModuleType) -> None:
    under = policy(make, rule("shift", {"keyword": "ContentDate"}))
    out = released(make, make.dataset(ContentDate="20240229"), under)
    assert out.ContentDate != "20240229"
    assert out.ContentDate[:4] in ("2023", "2024")
    moved = released(make, make.dataset(ContentDate="20240229"), make.policy("research"))
    assert out.ContentDate == moved.ContentDate


def test_the_first_rule_wins(make: ModuleType) -> None:
    under = policy(
        make,
        rule("replace", {"tag": "(0018,0015)"}, **{"with": "FIRST"}),
        rule("replace", {"mask": "(0018,xxxx)", "vr": "CS"}, **{"with": "SECOND"}),
    )
    out = released(make, make.dataset(BodyPartExamined="CHEST", ScanOptions="X"), under)
    assert (out.BodyPartExamined, out.ScanOptions) == ("FIRST", "SECOND")


@pytest.mark.parametrize(
    ("match", "when", "applies"),
    [
        ({"modality": "CT"}, {}, True),
        ({"modality": ["MR", "US"]}, {}, False),
        ({"sop_class": "1.2.840.10008.5.1.4.1.1.2"}, {}, True),
        ({"sop_class": MG}, {}, False),
        ({}, {"(0018,5100)": {"value": "HFS"}}, True),
        ({}, {"PatientPosition": {"value": ["FFS", "HFP"]}}, False),
        ({}, {"(0018,5100)": {"regex": "HF[SP]"}}, True),
        ({}, {"(0018,5100)": {"regex": "HF"}}, False),
        ({}, {"(0018,5100)": "present"}, True),
        ({}, {"(0018,5101)": "present"}, False),
        ({}, {"(0018,5101)": "absent", "Modality": {"value": "CT"}}, True),
        ({}, {"(0018,5100)": "present", "Modality": {"value": "MR"}}, False),
    ],
)
def test_conditions(make: ModuleType, match: dict[str, Any], when: dict[str, Any], applies: bool) -> None:
    made = rule("keep", {"keyword": "StudyDescription", **match}, **({"when": when} if when else {}))
    ds = make.dataset(Modality="CT", PatientPosition="HFS", ViewPosition="", StudyDescription="Thorax")
    assert ("StudyDescription" in released(make, ds, policy(make, made))) is applies


def test_a_rule_reaches_every_depth(make: ModuleType) -> None:
    ds = make.dataset(AnatomicRegionSequence=[item(SeriesDescription="Thorax", BodyPartExamined="CHEST")])
    under = policy(make, rule("keep", {"keyword": "SeriesDescription"}), rule("remove", {"vr": "CS"}))
    (out,) = released(make, ds, under).AnatomicRegionSequence
    assert out.SeriesDescription == "Thorax"
    assert "BodyPartExamined" not in out


@pytest.mark.parametrize(
    "made",
    [
        rule("refuse", {"modality": "US"}),
        rule("refuse", {}, when={"BodyPartExamined": {"value": "KNEE"}}),
        rule("refuse", {"tag": "(0018,0015)"}),
        rule("refuse", {"creator": "ACME"}),
    ],
)
def test_an_instance_can_be_refused(make: ModuleType, made: dict[str, Any]) -> None:
    ds = make.dataset(Modality="US", BodyPartExamined="KNEE")
    ds.add_new(0x00110010, "LO", "ACME")
    ds.add_new(0x00111001, "LO", "x")
    with pytest.raises(InstanceHeld) as held:
        make.run(make.encode(ds), policy(make, made))
    assert "rule 1 of profile basic" in held.value.detail
    assert held.value.reason is Reason.REFUSED_BY_RULE
    make.run(make.encode(make.dataset(Modality="CT")), policy(make, made))


@pytest.mark.parametrize(
    ("made", "options", "said"),
    [
        (rule("keep", {"keyword": "StudyDate"}), [], "MODIFIED"),
        (rule("keep", {"mask": "(0008,002x)"}), [], "MODIFIED"),
        (rule("keep", {"vr": "TM"}), [], "MODIFIED"),
        (rule("shift", {"keyword": "StudyDate"}), ["rtn_long_full"], "MODIFIED"),
        (rule("truncate", {"keyword": "StudyDate"}, to="year"), [], "MODIFIED"),
        (rule("keep", {"keyword": "StudyDate"}), ["rtn_long_full"], "UNMODIFIED"),
        (rule("remove", {"keyword": "StudyDate"}), ["rtn_long_full"], "UNMODIFIED"),
        (rule("keep", {"keyword": "StudyDescription"}), [], "REMOVED"),
        (rule("keep", {"vr": "LO"}), [], "REMOVED"),
        (rule("replace", {"keyword": "StudyDate"}, **{"with": "20200101"}), [], "REMOVED"),
    ],
)
def test_dates_that_rules_leave_are_told(make: ModuleType, made: dict[str, Any], options: list[str], said: str) -> None:
    ds = make.dataset(StudyDate="20240229", StudyTime="101500", StudyDescription="Thorax")
    out = released(make, ds, policy(make, made, options=options))
    assert out.LongitudinalTemporalInformationModified == said


def test_private_elements_can_be_removed_by_creator(make: ModuleType) -> None:
    ds = make.dataset()
    ds.add_new(0x00190010, "LO", "SIEMENS MR HEADER")
    ds.add_new(0x0019100C, "IS", "1000")
    safe = {"options": ["rtn_safe_priv"]}
    assert 0x0019100C in released(make, ds, policy(make, **safe))
    assert 0x0019100C not in released(make, ds, policy(make, rule("remove", {"creator": "SIEMENS MR HEADER"}), **safe))


# ---- what no rule can do


@pytest.mark.parametrize(
    ("keyword", "value"), [("StudyDescription", "for Zwetschgenmann"), ("InstitutionName", "Klinik am Ring")]
)
def test_a_kept_value_with_an_identifier_is_held(make: ModuleType, keyword: str, value: str) -> None:
    ds = make.dataset(PatientName="Zwetschgenmann^Q", **{keyword: value})
    with pytest.raises(InstanceHeld) as held:
        released(make, ds, policy(make, rule("keep", {"keyword": keyword})))
    assert held.value.reason is Reason.IDENTIFIER_REMAINS


def test_a_rule_by_vr_keeps_no_identity(make: ModuleType) -> None:
    ds = make.dataset(FrameOfReferenceUID="1.2.3.9", OperatorsName="Roe^R", PatientBirthDate="19500101")
    out = released(make, ds, policy(make, rule("keep", {"mask": "(0xxx,xxxx)"})))
    assert out.FrameOfReferenceUID.startswith("2.25.")
    assert out.PatientID != "4711"
    assert "OperatorsName" not in out


def test_the_gate_reads_rules_itself(make: ModuleType) -> None:
    """Outputs that a broken engine would make: a value that the rule takes away, another one than it says."""
    under = policy(
        make,
        rule("remove", {"keyword": "BodyPartExamined"}),
        rule("replace", {"keyword": "StudyID"}, **{"with": "S1"}),
        rule("truncate", {"keyword": "PatientBirthDate"}, to=15),
        rule("keep", {"keyword": "StudyDescription"}, when={"Modality": {"value": "MR"}}),
    )
    data = make.encode(
        make.dataset(Modality="CT", StudyID="77", PatientBirthDate="19500103", StudyDescription="Thorax")
    )
    result, out = make.run(data, under)
    GATE.verify(memoryview(data), result, under)
    head = out[: out.index(b"\x08\x00\x16\x00UI")]
    for keyword, value in (
        ("BodyPartExamined", "CHEST"), ("StudyID", "78"), ("PatientBirthDate", "19500103"),
        ("StudyDescription", "Thorax"),
    ):  # fmt: skip
        changed = dcmread(io.BytesIO(out))
        setattr(changed, keyword, value)
        body = make.encode(changed)
        chunk = head + body[body.index(b"\x08\x00\x16\x00UI") :]
        with pytest.raises(InstanceHeld) as held:
            GATE.verify(memoryview(data), replace(result, chunks=(chunk,)), under)
        assert held.value.reason is Reason.ELEMENT_NOT_ALLOWED


def test_what_leaves_more_than_the_profile_does_not_claim_it(make: ModuleType) -> None:
    ds = make.dataset(StudyDescription="Thorax")
    loose = released(make, ds, policy(make, rule("keep", {"keyword": "StudyDescription"})))
    tight = released(make, ds, policy(make, rule("remove", {"keyword": "Rows"})))
    named = released(make, ds, policy(make, rule("keep", {"keyword": "BodyPartExamined"})))
    assert "DeidentificationMethodCodeSequence" not in loose
    assert "not all of basic" in loose.DeidentificationMethod
    assert [each.CodeValue for each in tight.DeidentificationMethodCodeSequence] == ["113100"]
    assert [each.CodeValue for each in named.DeidentificationMethodCodeSequence] == ["113100"]


def test_an_explanation_names_the_rule(make: ModuleType) -> None:
    data = make.encode(make.dataset(BodyPartExamined="CHEST"))
    steps = explain(memoryview(data), Claimed(), policy(make, rule("remove", {"vr": "CS"})))
    assert [(s.action, s.rule) for s in steps if s.tag == 0x00180015] == [("remove", "rule 1 of profile basic")]


@pytest.mark.parametrize(
    ("made", "why"),
    [
        ({"match": {"tag": "(0008,1030)"}, "do": "anonymise"}, "it is keep"),
        ({"match": {"tag": "(0008,1030)"}, "do": "keep", "unless": 1}, "not known"),
        ({"match": {"tags": "(0008,1030)"}, "do": "keep"}, "not known"),
        ({"match": {"tag": "(0008,9999)"}, "do": "keep"}, "no attribute of PS3.6"),
        ({"match": {"keyword": "StudyDescripton"}, "do": "keep"}, "no keyword"),
        ({"match": {"mask": "(0008,1030)"}, "do": "keep"}, "no mask"),
        ({"match": {"vr": "XY"}, "do": "keep"}, "no VR"),
        ({"match": {"vr": "UI"}, "do": "keep"}, "cannot be kept"),
        ({"match": {"vr": "PN"}, "do": "keep"}, "cannot be kept"),
        ({"match": {"keyword": "FrameOfReferenceUID"}, "do": "keep"}, "rtn_uids"),
        ({"match": {"keyword": "PatientID"}, "do": "keep"}, "its own rule"),
        ({"match": {"keyword": "SOPInstanceUID"}, "do": "remove"}, "its own rule"),
        ({"match": {"creator": "ACME"}, "do": "keep"}, "rtn_safe_priv"),
        ({"match": {"creator": "ACME", "tag": "(0018,1030)"}, "do": "remove"}, "by mask"),
        ({"match": {"modality": "CT"}, "do": "keep"}, "whole instances"),
        ({"match": {}, "do": "refuse"}, "everything"),
        ({"match": {"keyword": "StudyDescription"}, "do": "shift"}, "no date"),
        ({"match": {"keyword": "StudyDate"}, "do": "truncate"}, "needs it"),
        ({"match": {"keyword": "StudyDate"}, "do": "truncate", "to": 32}, "day of the month"),
        ({"match": {"keyword": "StudyDate"}, "do": "replace", "with": "yesterday"}, "no value"),
        ({"match": {"keyword": "StudyID"}, "do": "replace", "with": "x" * 17}, "no value"),
        ({"match": {"keyword": "StudyID"}, "do": "replace", "with": "a\\b"}, "printable"),
        ({"match": {"keyword": "StudyID"}, "do": "keep", "with": "a"}, "belongs to"),
        ({"match": {"keyword": "StudyID"}, "do": "keep", "when": {"Modality": "CT"}}, "present, absent"),
        ({"match": {"keyword": "StudyID"}, "do": "keep", "when": {"Modality": {"regex": "("}}}, "regular"),
        ({"match": {"keyword": "StudyID"}, "do": "keep", "when": {"Nonsense": "present"}}, "no attribute"),
    ],
)
def test_wrong_words_refuse_to_load(make: ModuleType, made: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        policy(make, made)


def test_a_kept_date_beside_moving_ones_is_not_kept(make: ModuleType) -> None:
    """It would give away how far the others moved."""
    out = released(
        make, make.dataset(StudyDate="20240229"), policy(make, rule("keep", {"vr": "DA"}), profile="research")
    )
    assert out.StudyDate != "20240229"


# ---- the example


def test_the_mammography_project(make: ModuleType) -> None:
    ds = make.dataset(
        MG, Modality="MG", StudyDate="20240229", SeriesDate="20240229", StudyTime="101112", PatientBirthDate="19510203",
        PatientAge="073Y", ViewPosition="MLO", ImageLaterality="L", PatientName="Zwetschgenmann^Q",
        BurnedInAnnotation="NO", StudyDescription="Screening Zwetschgenmann mammography left",
    )  # fmt: skip
    ds.ViewCodeSequence = [
        item(CodeValue="399368009", CodingSchemeDesignator="SCT", CodeMeaning="medio-lateral oblique")
    ]
    document = load_profile("mammography")
    under = compile_policy(make.tables(), PolicySpec("m", document, make.KEY, uninspected_pixels="forward"))
    out = released(make, ds, under)
    assert (out.StudyDate, out.PatientBirthDate, out.PatientAge) == ("20240229", "19510215", "073Y")
    assert (out.ViewPosition, out.ImageLaterality) == ("MLO", "L")
    assert out.ViewCodeSequence[0].CodeValue == "399368009"
    assert "SeriesDate" not in out
    assert out.get("StudyTime", "") == ""
    assert "mammography" in out.StudyDescription
    assert "Zwetschgenmann" not in str(out)
    assert out.LongitudinalTemporalInformationModified == "MODIFIED"
    assert "DeidentificationMethodCodeSequence" not in out
    ds.PatientBirthDate, ds.PatientAge = "19200203", "104Y"
    old = released(make, ds, under)
    assert (old.PatientBirthDate, old.PatientAge) == ("19330215", "090Y") or old.PatientAge == "090Y"
    ds.Modality = "CR"
    with pytest.raises(InstanceHeld):
        make.run(make.encode(ds), under)


def test_the_rules_in_the_readme_load(make: ModuleType) -> None:
    text = (rules_root() / "README.md").read_text(encoding="utf-8")
    rules = yaml.safe_load(text.split("```yaml\n")[2].split("```")[0])["rules"]
    assert [each.do for each in policy(make, *rules).rules] == ["clean", "remove", "truncate", "refuse"]


# ---- words about dates, and what the gate says of outputs that do not follow them


def dated(make: ModuleType, *options: str, **words: Any) -> Policy:
    document = {**load_profile("basic"), "options": list(options), "dates": words}
    by_vr = {**document["unlisted"]["by_vr"], "DA": "shift", "DT": "shift", "TM": "shift"}
    document["unlisted"] = {**document["unlisted"], "by_vr": by_vr}
    return compile_policy(make.tables(), PolicySpec("research", document, make.KEY))


MODIFIED = {"dates": "month", "birth_date": "year", "times": "hour", "ages": "cap"}


@pytest.mark.parametrize(
    ("words", "options", "left"),
    [
        (MODIFIED, ("rtn_long_modif", "rtn_pat_chars"), ("20240215", "100000", "19500101", "090Y", "20240215")),
        (
            {"dates": "keep", "birth_date": "remove", "times": "keep", "ages": "keep"},
            ("rtn_long_full", "rtn_pat_chars"),
            ("20240229", "101112", "", "095Y", "20240229101112"),
        ),
        (
            {"dates": "remove", "birth_date": "remove", "times": "remove", "ages": "remove"},
            (),
            ("", "", "", None, None),
        ),
    ],
)
def test_words_about_dates(
    make: ModuleType, words: dict[str, str], options: tuple[str, ...], left: tuple[str | None, ...]
) -> None:
    ds = make.dataset(StudyDate="20240229", StudyTime="101112", PatientBirthDate="19500103", PatientAge="095Y")
    ds.AcquisitionDateTime = "20240229101112"
    out = released(make, ds, dated(make, *options, **words))
    found = (out.StudyDate, out.StudyTime, out.PatientBirthDate, out.get("PatientAge"), out.get("AcquisitionDateTime"))
    if words["birth_date"] == "year":
        assert found[2].endswith("0101")
        found, left = found[:2] + found[3:], left[:2] + left[3:]
    assert found == left


def test_dates_and_times_move_together(make: ModuleType) -> None:
    under = dated(make, "rtn_long_modif", dates="shift", birth_date="remove", times="shift", ages="remove")
    ds = make.dataset(StudyDate="20240229", StudyTime="101112", SeriesDate="20240229", SeriesTime="111112")
    ds.AcquisitionDateTime = "20240229101112"
    out = released(make, ds, under)
    assert out.StudyDate != "20240229"
    assert out.StudyTime != "101112"
    assert out.AcquisitionDateTime == out.StudyDate + out.StudyTime


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("StudyDate", "20240229"), ("StudyDate", "20240214"), ("StudyTime", "101112"), ("StudyTime", "1011"),
        ("PatientBirthDate", "19500103"), ("PatientBirthDate", "19500215"), ("PatientAge", "095Y"),
        ("PatientAge", "094Y"), ("AcquisitionDateTime", "20240215101112"), ("PatientBirthTime", "1011"),
    ],
)  # fmt: skip
def test_the_gate_knows_the_words_about_dates(make: ModuleType, keyword: str, value: str) -> None:
    under = dated(make, "rtn_long_modif", "rtn_pat_chars", **MODIFIED)
    ds = make.dataset(StudyDate="20240229", StudyTime="101112", PatientBirthDate="19500103", PatientAge="095Y")
    ds.AcquisitionDateTime = "20240229101112"
    data = make.encode(ds)
    result, out = make.run(data, under)
    GATE.verify(memoryview(data), result, under)
    changed = dcmread(io.BytesIO(out))
    changed.add_new(keyword, dictionary_VR(keyword), value)
    body, start = make.encode(changed), b"\x08\x00\x16\x00UI"
    chunk = out[: out.index(start)] + body[body.index(start) :]
    with pytest.raises(InstanceHeld) as held:
        GATE.verify(memoryview(data), replace(result, chunks=(chunk,)), under)
    assert held.value.reason is Reason.ELEMENT_NOT_ALLOWED


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), MODIFIED),
        (("rtn_long_full",), MODIFIED),
        (("rtn_long_modif",), {"dates": "keep", "birth_date": "remove", "times": "keep", "ages": "keep"}),
    ],
)
def test_options_and_words_about_dates_must_agree(
    make: ModuleType, options: tuple[str, ...], words: dict[str, str]
) -> None:
    with pytest.raises(ConfigError, match="longitudinal information is then"):
        dated(make, *options, **words)


def test_the_gate_wants_what_a_rule_keeps_to_be_what_came(make: ModuleType) -> None:
    under = policy(make, rule("keep", {"keyword": "StudyDescription"}))
    data = make.encode(make.dataset(StudyDescription="Thorax"))
    result, out = make.run(data, under)
    GATE.verify(memoryview(data), result, under)
    with pytest.raises(InstanceHeld) as held:
        GATE.verify(memoryview(data), replace(result, chunks=(out.replace(b"Thorax", b"Throat"),)), under)
    assert held.value.reason is Reason.ELEMENT_NOT_ALLOWED


def test_a_rule_by_vr_means_the_vr_that_is_stated(make: ModuleType) -> None:
    """Beam Name is LO in PS3.6; stated as SH it is one of the elements that the rule is about."""
    data = make.encode(make.dataset(Modality="CT")) + make.raw_element(0x300A00C2, "SH", b"LUNG")
    assert b"LUNG" in make.run(data, policy(make))[1]
    assert b"LUNG" not in make.run(data, policy(make, rule("remove", {"vr": "SH"})))[1]


def test_a_truncated_date_moves_before_where_dates_move(make: ModuleType) -> None:
    under = policy(make, rule("truncate", {"keyword": "ContentDate"}, to=15), profile="research")
    ds = make.dataset(ContentDate="20240229", StudyDate="20240229")
    out = released(make, ds, under)
    assert out.ContentDate == out.StudyDate[:6] + "15"


def test_a_birth_date_that_stays_in_part_is_not_the_basic_profile(make: ModuleType) -> None:
    words = {"dates": "shift", "times": "keep", "ages": "remove"}
    assert dated(make, "rtn_long_modif", birth_date="remove", **words).claims_profile
    assert not dated(make, "rtn_long_modif", birth_date="year", **words).claims_profile


# ---- the values behind the words

#: no rule says anything of these: the identity of an instance, and what Veil writes itself
UNREACHED = """\
SpecificCharacterSet SOPClassUID SOPInstanceUID StudyInstanceUID SeriesInstanceUID PatientName PatientID
PatientIdentityRemoved DeidentificationMethod DeidentificationMethodCodeSequence
LongitudinalTemporalInformationModified FloatPixelData DoubleFloatPixelData PixelData""".split()


def test_no_rule_reaches_what_identifies_an_instance() -> None:
    assert {keyword_for_tag(tag) for tag in FIXED} == set(UNREACHED)
    for tag in FIXED:
        vr = dictionary_VR(tag)
        for made in (Rule(1, "p", "remove", tags=frozenset({tag})), Rule(1, "p", "remove", vrs=frozenset({vr}))):
            assert not made.reaches(tag, vr)
        assert not Rule(1, "p", "remove", masks=((0, 0),)).reaches(tag, vr)


LO = frozenset({"LO"})


@pytest.mark.parametrize(
    ("made", "tag", "vr", "reached"),
    [
        (Rule(1, "p", "keep", tags=frozenset({0x00081030})), 0x00081030, "LO", True),
        (Rule(1, "p", "keep", tags=frozenset({0x00081030})), 0x00081031, "LO", False),
        (Rule(1, "p", "keep", vrs=LO), 0x00081030, "LO", True),
        (Rule(1, "p", "keep", vrs=LO), 0x00081030, "SH", False),
        (Rule(1, "p", "keep", vrs=LO, tags=frozenset({0x00081030})), 0x00081030, "SH", False),
        (Rule(1, "p", "keep", vrs=LO, tags=frozenset({0x00081030})), 0x00081032, "LO", False),
        (Rule(1, "p", "keep", masks=((0xFFFF0000, 0x00180000),)), 0x00180015, "CS", True),
        (Rule(1, "p", "keep", masks=((0xFFFF0000, 0x00180000),)), 0x00200015, "CS", False),
        (Rule(1, "p", "keep", masks=((0xFFFF0000, 0x00180000), (0xFFFF0000, 0x00200000))), 0x00200015, "CS", True),
        (Rule(1, "p", "keep", tags=frozenset({0x00081030}), masks=((0xFFFF0000, 0x00180000),)), 0x00180015, "CS", True),
        (Rule(1, "p", "remove", creators=frozenset({"ACME"})), 0x00191001, "LO", True),
        (Rule(1, "p", "remove", creators=frozenset({"ACME"})), 0x00181001, "LO", False),
        (Rule(1, "p", "remove", vrs=LO), 0x00191001, "LO", False),
        (Rule(1, "p", "remove", creators=frozenset({"ACME"}), vrs=LO), 0x00191001, "SH", False),
        (Rule(1, "p", "refuse"), 0x00081030, "LO", False),
        (Rule(1, "p", "refuse", modalities=frozenset({"CT"})), 0x00081030, "LO", False),
    ],
)
def test_what_a_rule_reaches(made: Rule, tag: int, vr: str, reached: bool) -> None:
    assert made.reaches(tag, vr) is reached


@pytest.mark.parametrize(
    ("made", "whole"),
    [
        (Rule(1, "p", "refuse", modalities=frozenset({"CT"})), True),
        (Rule(1, "p", "refuse", tags=frozenset({0x00081030})), False),
        (Rule(1, "p", "refuse", masks=((0, 0),)), False),
        (Rule(1, "p", "refuse", vrs=LO), False),
        (Rule(1, "p", "refuse", creators=frozenset({"ACME"})), False),
    ],
)
def test_which_rules_are_about_whole_instances(made: Rule, whole: bool) -> None:
    assert made.of_instances is whole
    assert made.name == "rule 1 of profile p"


@pytest.mark.parametrize("vr", ["DA", "DT", "TM"])
@pytest.mark.parametrize(
    ("do", "said", "then"),
    [
        *((do, "REMOVED", "MODIFIED") for do in ("keep", "shift", "truncate")),
        *((do, "UNMODIFIED", "MODIFIED") for do in ("shift", "truncate")),
        ("keep", "UNMODIFIED", "UNMODIFIED"),
        ("keep", "MODIFIED", "MODIFIED"),
        *((do, "REMOVED", "REMOVED") for do in ("remove", "empty", "replace", "hash", "clean")),
    ],
)
def test_what_a_rule_makes_of_longitudinal_information(vr: str, do: str, said: str, then: str) -> None:
    assert longitudinal(said, (Rule(1, "p", do, vrs=frozenset({vr})),)) == then
    assert longitudinal(said, (Rule(1, "p", "remove", vrs=LO), Rule(2, "p", do, vrs=frozenset({vr})))) == then
    assert longitudinal(said, (Rule(1, "p", do, vrs=LO),)) == said
    private = Rule(1, "p", do, creators=frozenset({"ACME"}))
    assert longitudinal(said, (private,)) == then, "what is not said of VRs is said of dates too"
    assert longitudinal(said, (replace(private, vrs=frozenset({vr})),)) == then
    assert longitudinal(said, (replace(private, vrs=LO),)) == said
    assert longitudinal(said, ()) == said


ROW = {0x00081030: "LO"}


@pytest.mark.parametrize(
    ("do", "relaxing"),  # without a cell, under K, under C
    [
        ("keep", (True, False, True)),
        *((do, (True, False, False)) for do in ("clean", "hash", "shift", "truncate")),
        *((do, (False, False, False)) for do in ("remove", "empty", "replace", "refuse")),
    ],
)
def test_which_rules_leave_more_than_the_profile(do: str, relaxing: tuple[bool, bool, bool]) -> None:
    made = Rule(1, "p", do, tags=frozenset(ROW))
    cells: list[dict[int, dict[str, str]]] = [{}, {0x00081030: {"o": "K"}}, {0x00081030: {"o": "C"}}]
    assert tuple(relaxes(made, ROW, each) for each in cells) == relaxing
    assert not relaxes(made, {0x00081040: "LO"}, {}), "another row"
    assert relaxes(made, {**ROW, 0x00081040: "LO"}, cells[0]) is relaxing[0]


@pytest.mark.parametrize(
    ("planted", "when", "applies"),
    [
        ({"ImageType": ["ORIGINAL", "AXIAL"]}, {"ImageType": {"value": "AXIAL"}}, True),
        ({"ImageType": ["ORIGINAL", "AXIAL"]}, {"ImageType": {"regex": "AX.*"}}, True),
        ({"ImageType": ["ORIGINAL", "AXIAL"]}, {"ImageType": {"regex": "AX"}}, False),
        ({"ImageType": []}, {"ImageType": {"regex": ".*"}}, False),
        ({}, {"ImageType": {"regex": ".*"}}, False),
        ({"ImageType": []}, {"ImageType": "absent"}, True),
        ({"ImageType": ["X"]}, {"ImageType": "absent"}, False),
    ],
)
def test_conditions_on_values(make: ModuleType, planted: dict[str, Any], when: dict[str, Any], applies: bool) -> None:
    ds = make.dataset(StudyDescription="Thorax", **planted)
    out = released(make, ds, policy(make, rule("keep", {"keyword": "StudyDescription"}, when=when)))
    assert ("StudyDescription" in out) is applies
