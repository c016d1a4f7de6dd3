"""What happens to sequences in the engine, and whether the gate lets it pass: skeletons, ages, content items, items."""

from __future__ import annotations

import io
from types import ModuleType
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from proxy.deid.engine import explain
from proxy.deid.profile import Policy, PolicySpec, compile_policy
from proxy.deid.types import Claimed
from proxy.deid.verify import Gate
from proxy.store.rulebook import load_profile
from tests.deid.canary_files import item

GATE = Gate(bytes(32))
UNKNOWN_IOD = "1.2.840.10008.5.1.4.1.1.3"
SR, GSPS = "1.2.840.10008.5.1.4.1.1.88.11", "1.2.840.10008.5.1.4.1.1.11.1"


def released(make: ModuleType, ds: Dataset, policy: Policy, syntax: str = "EXPLICIT_LITTLE") -> Dataset:
    data = make.encode(ds, getattr(make, syntax))
    result, out = make.run(data, policy)
    GATE.verify(memoryview(data), result, policy)
    return dcmread(io.BytesIO(out))


def code(value: str, scheme: str = "DCM", meaning: str = "meaning") -> list[Dataset]:
    return [item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)]


def aged(make: ModuleType, number: str, unit: str = "a", **more: Any) -> Dataset:
    """A report on a subject of this age."""
    measured = item(NumericValue=number, MeasurementUnitsCodeSequence=code(unit, "UCUM"), **more)
    age = item(
        RelationshipType="HAS OBS CONTEXT", ValueType="NUM", ConceptNameCodeSequence=code("121033"),
        MeasuredValueSequence=[measured],
    )  # fmt: skip
    ds: Dataset = make.dataset(SR, ValueType="CONTAINER", ConceptNameCodeSequence=code("126000"), ContentSequence=[age])
    return ds


@pytest.mark.parametrize(
    ("ages", "number", "unit", "left"),
    [
        ("cap", "93", "a", "90"), ("cap", "42", "a", "42"), ("cap", "1200", "mo", "1080"), ("keep", "93", "a", "93"),
        ("cap", "93", "h", None), ("cap", "93", "", None), ("remove", "42", "a", None), ("", "93", "a", "93"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("syntax", ["EXPLICIT_LITTLE", "IMPLICIT_LITTLE"])
def test_an_age_in_a_report(make: ModuleType, ages: str, number: str, unit: str, left: str | None, syntax: str) -> None:
    words = {"ages": ages} if ages else {}
    policy = make.worded("clean_struct", "rtn_pat_chars", "rtn_long_full", **words)
    out = released(make, aged(make, number, unit, FloatingPointValue=93.5), policy, syntax)
    measured = [each for node in out.ContentSequence for each in node.get("MeasuredValueSequence", [])]
    found = [str(each.NumericValue) for each in measured if "NumericValue" in each]
    assert found == ([left] if left else [])
    if ages == "cap":
        assert "FloatingPointValue" not in str(out.ContentSequence), "the same number again"


def test_an_age_without_a_unit_is_none(make: ModuleType) -> None:
    ds = aged(make, "93")
    del ds.ContentSequence[0].MeasuredValueSequence[0].MeasurementUnitsCodeSequence
    policy = make.worded("clean_struct", "rtn_pat_chars", "rtn_long_full", ages="cap")
    assert "93" not in str(released(make, ds, policy).ContentSequence)


def test_a_skeleton_keeps_no_code_and_no_text(make: ModuleType) -> None:
    """(0034,0001) Flow Identifier Sequence and (0040,A073) Verifying Observer Sequence have D."""
    observer = item(
        VerifyingObserverName="Quendel^A", VerifyingOrganization="Klinikum", VerificationDateTime="20240229",
        VerifyingObserverIdentificationCodeSequence=code("4711", "99X", "Quendel"),
    )  # fmt: skip
    flow = item(FlowIdentifier=b"4711", FlowTransferSyntaxUID="1.2.840.10008.1.2", ConceptNameCodeSequence=code("1"))
    ds = make.dataset(
        SR, VerifyingObserverSequence=[observer, observer], ContentSequence=[], FlowIdentifierSequence=[flow]
    )
    out = released(make, ds, make.optioned())
    (only,) = out.VerifyingObserverSequence
    assert "Quendel" not in str(only)
    assert "4711" not in str(out)
    for concept in out.FlowIdentifierSequence[0].get("ConceptNameCodeSequence", []):
        assert (concept.CodeValue, concept.CodingSchemeDesignator) == ("REMOVED", "99VEIL")


@pytest.mark.parametrize(("layer", "left"), [("LAYER1", "LAYER1"), ("", "REMOVED"), (None, "REMOVED")])
@pytest.mark.parametrize("syntax", ["EXPLICIT_LITTLE", "EXPLICIT_BIG"])
def test_graphics_become_a_point_in_their_layer(make: ModuleType, layer: str | None, left: str, syntax: str) -> None:
    annotation = item(TextObjectSequence=[item(UnformattedTextValue="Quendel")])
    if layer is not None:
        annotation.GraphicLayer = layer
    out = released(make, make.dataset(GSPS, GraphicAnnotationSequence=[annotation]), make.optioned(), syntax)
    (only,) = out.GraphicAnnotationSequence
    assert only.GraphicLayer == left
    (graphic,) = only.GraphicObjectSequence
    assert (graphic.GraphicDimensions, graphic.NumberOfGraphicPoints, graphic.GraphicType) == (2, 1, "POINT")
    assert "TextObjectSequence" not in only


def test_content_items_below_content_items(make: ModuleType) -> None:
    """What goes takes what stands below with it; a container of which nothing stays stays empty or goes."""
    number = item(
        RelationshipType="CONTAINS", ValueType="TEXT", ConceptNameCodeSequence=code("121022"), TextValue="QX-77"
    )
    finding = item(RelationshipType="CONTAINS", ValueType="CODE", ConceptNameCodeSequence=code("121071"),
                   ConceptCodeSequence=code("1", "SCT", "nodule"))  # fmt: skip
    both = item(RelationshipType="CONTAINS", ValueType="CONTAINER", ContinuityOfContent="SEPARATE",
                ConceptNameCodeSequence=code("121070"), ContentSequence=[number, finding])  # fmt: skip
    none = item(RelationshipType="CONTAINS", ValueType="CONTAINER", ContinuityOfContent="SEPARATE",
                ConceptNameCodeSequence=code("121070"), ContentSequence=[number])  # fmt: skip
    ds = make.dataset(SR, ValueType="CONTAINER", ConceptNameCodeSequence=code("126000"), ContentSequence=[both, none])
    out = released(make, ds, make.optioned("clean_struct"))
    assert "QX-77" not in str(out)
    (kept,) = out.ContentSequence[0].ContentSequence
    assert kept.ConceptCodeSequence[0].CodeMeaning == "nodule"
    assert all(not each.get("ContentSequence") for each in out.ContentSequence[1:])


def listed(make: ModuleType) -> Policy:
    rows = [
        {"creator": "ACME", "tag": f"(0011,xx0{n})", "vr": vr, "note": "needed"} for n, vr in ((1, "SQ"), (2, "LO"))
    ]
    profile = {**load_profile("basic"), "options": ["rtn_safe_priv"], "private": rows}
    return compile_policy(make.tables(), PolicySpec("p", profile, make.KEY))


def test_a_safe_private_sequence_has_only_safe_elements(make: ModuleType) -> None:
    inside = item(Rows=2, PatientName="Quendel^A")
    inside.add_new(0x00110010, "LO", "ACME")
    inside.add_new(0x00111002, "LO", "nodule")
    inside.add_new(0x00111003, "LO", "unknown")
    ds = make.dataset()
    ds.add_new(0x00110010, "LO", "ACME")
    ds.add_new(0x00111001, "SQ", [inside])
    (left,) = released(make, ds, listed(make))[0x00111001].value
    assert left[0x00111002].value == "nodule"
    assert left.Rows == 2
    assert 0x00111003 not in left
    assert "Quendel" not in str(left)


@pytest.mark.parametrize(
    "value", [b"no items at all", b"\xfe\xff\x00\xe0\xff\xff\x00\x00", b"\1\2\3\4\5\6\7\x08\x09\x0a"]
)
def test_what_cannot_be_read_as_items_is_removed(make: ModuleType, value: bytes) -> None:
    """Written as UN, listed as SQ."""
    middle = make.raw_element(0x00110010, "LO", b"ACME") + make.raw_element(0x00111001, "UN", value)
    data = make.encode(make.dataset())
    at = data.index(b"\x20\x00\x0d\x00UI")  # the first of group 0020
    _, out = make.run(data[:at] + middle + data[at:], listed(make))
    assert 0x00111001 not in dcmread(io.BytesIO(out))


@pytest.mark.parametrize("options", [("clean_struct",), ("clean_struct", "clean_desc"), ()])
def test_a_report_of_which_nothing_stays_is_released(make: ModuleType, options: tuple[str, ...]) -> None:
    """What stands for its content is no concept that Table E.3.4-1 removes."""
    content = item(
        RelationshipType="CONTAINS", ValueType="TEXT", ConceptNameCodeSequence=code("121022"), TextValue="QX-77"
    )
    ds = make.dataset(SR, ValueType="CONTAINER", ConceptNameCodeSequence=code("126000"), ContentSequence=[content])
    out = released(make, ds, make.optioned(*options))
    assert "QX-77" not in str(out)
    assert [each.TextValue for each in out.ContentSequence] == ["REMOVED"]


@pytest.mark.parametrize("tag", [0x00080082, 0x00401101, 0x0040A088])
@pytest.mark.parametrize("items", [0, 1])
def test_a_sequence_of_codes_is_replaced_whatever_was_in_it(make: ModuleType, tag: int, items: int) -> None:
    """Also where the code had no meaning, so that its value would not be seen to be one, or there was none."""
    observer = item(VerifyingObserverName="Quendel^A", VerificationDateTime="20240215", VerifyingOrganization="x")
    holder = observer if tag == 0x0040A088 else item(InstitutionName="Klinikum") if tag == 0x00401101 else None
    inside = [item(CodeValue="QX-77", CodingSchemeDesignator="99QX")] * items
    ds = make.dataset(UNKNOWN_IOD)
    (holder if holder is not None else ds).add_new(tag, "SQ", inside)
    if holder is not None:
        ds.AnatomicRegionSequence = [holder]
    out = released(make, ds, make.optioned(uninspected_pixels="forward"))
    left = out if holder is None else out.AnatomicRegionSequence[0]
    assert "QX" not in str(out)
    for code_item in left[tag].value if tag in left else ():
        assert (code_item.CodeValue, code_item.CodingSchemeDesignator) == ("REMOVED", "99VEIL")


def test_an_explanation_names_the_row_by_which_a_content_item_goes(make: ModuleType) -> None:
    number = item(
        RelationshipType="CONTAINS", ValueType="TEXT", ConceptNameCodeSequence=code("121022"), TextValue="QX-77"
    )
    strange = item(RelationshipType="CONTAINS", ValueType="STRANGE", ConceptNameCodeSequence=code("121071"))
    finding = item(RelationshipType="CONTAINS", ValueType="CODE", ConceptNameCodeSequence=code("121071"),
                   ConceptCodeSequence=code("1", "SCT", "nodule"), ContentSequence=[number])  # fmt: skip
    ds = make.dataset(SR, ValueType="CONTAINER", ConceptNameCodeSequence=code("126000"))
    ds.ContentSequence = [number, strange, finding]
    steps = explain(memoryview(make.encode(ds)), Claimed(), make.optioned("clean_struct"))
    said = {step.path: step.rule for step in steps if step.tag == 0xFFFEE000 and step.action == "remove"}
    content = 0x0040A730
    assert said[content, 0] == said[content, 2, content, 0] == "E.3.4-1 Accession Number: remove"
    assert said[content, 1] == "content item STRANGE: remove"
    assert len(said) == 3


def test_a_graphic_layer_that_is_no_text(make: ModuleType) -> None:
    """A sequence in the place of the name: the dummy has one of its own."""
    annotation = Dataset()
    annotation.add_new(0x00700002, "SQ", [item(UnformattedTextValue="Quendel")])
    data = make.encode(make.dataset(GSPS, GraphicAnnotationSequence=[annotation]))
    _, out = make.run(data, make.optioned())
    assert dcmread(io.BytesIO(out)).GraphicAnnotationSequence[0].GraphicLayer == "REMOVED"


@pytest.mark.parametrize("syntax", ["EXPLICIT_LITTLE", "EXPLICIT_BIG"])
def test_a_reference_by_position_follows_what_left(make: ModuleType, syntax: str) -> None:
    """(0040,DB73), PS3.3 C.17.3.2.5: where the item stands now, in the byte order of the instance."""
    number = item(
        RelationshipType="CONTAINS", ValueType="TEXT", ConceptNameCodeSequence=code("121022"), TextValue="QX-77"
    )
    finding = item(RelationshipType="CONTAINS", ValueType="CODE", ConceptNameCodeSequence=code("121071"),
                   ConceptCodeSequence=code("1", "SCT", "nodule"))  # fmt: skip
    points = item(RelationshipType="INFERRED FROM", ReferencedContentItemIdentifier=[1, 2])
    other = item(RelationshipType="CONTAINS", ValueType="CODE", ConceptNameCodeSequence=code("121071"),
                 ConceptCodeSequence=code("2", "SCT", "cyst"), ContentSequence=[points])  # fmt: skip
    ds = make.dataset(SR, ValueType="CONTAINER", ConceptNameCodeSequence=code("126000"))
    ds.ContentSequence = [number, finding, other]
    out = released(make, ds, make.optioned("clean_struct"), syntax)
    kept, last = out.ContentSequence
    assert kept.ConceptCodeSequence[0].CodeMeaning == "nodule"
    assert last.ContentSequence[0].ReferencedContentItemIdentifier == [1, 1]


def test_what_is_counted_of_content_items(make: ModuleType) -> None:
    number = item(
        RelationshipType="CONTAINS", ValueType="TEXT", ConceptNameCodeSequence=code("121022"), TextValue="QX-77"
    )
    finding = item(RelationshipType="CONTAINS", ValueType="CODE", ConceptNameCodeSequence=code("121071"),
                   ConceptCodeSequence=code("1", "SCT", "nodule"), ContentSequence=[number])  # fmt: skip
    ds = make.dataset(SR, ValueType="CONTAINER", ConceptNameCodeSequence=code("126000"))
    counts = []
    for content in ([number, finding], [finding], []):
        ds.ContentSequence = content
        result, _ = make.run(make.encode(ds), make.optioned("clean_struct"))
        counts.append(dict(result.report.counts))
    both, one, none = counts
    assert both["removed"] - one["removed"] == 1
    assert one["removed"] > none.get("removed", 0)
    assert both["kept"] == one["kept"]
