"""What happens to single values: UIDs, dates, text, patients in nested items, sequences that become skeletons."""

from __future__ import annotations

import io
from datetime import date
from types import ModuleType

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from proxy.deid.profile import PolicySpec, compile_policy
from proxy.deid.pseudonym import HmacPseudonyms
from proxy.errors import InstanceHeld, Reason
from proxy.store.rulebook import load_profile
from tests.deid.canary_files import item

CT = "1.2.840.10008.5.1.4.1.1.2"
SR = "1.2.840.10008.5.1.4.1.1.88.11"
UNKNOWN_IOD = "1.2.840.10008.5.1.4.1.1.3"


def reference(instance: str, sop_class: str = "1.2.840.10008.5.1.4.1.1.2") -> Dataset:
    return item(ReferencedSOPClassUID=sop_class, ReferencedSOPInstanceUID=instance)


def test_one_uid_is_one_pseudonym_wherever_it_stands(make: ModuleType) -> None:
    ds = make.dataset(FrameOfReferenceUID="1.2.3.9", ReferencedImageSequence=[reference("1.2.3.4")])
    ds.ReferencedSeriesSequence = [item(SeriesInstanceUID="1.2.3.1", ReferencedInstanceSequence=[reference("1.2.3.9")])]
    out = make.through(ds, make.policy())
    assert out.ReferencedImageSequence[0].ReferencedSOPInstanceUID == out.SOPInstanceUID
    assert out.ReferencedSeriesSequence[0].SeriesInstanceUID == out.SeriesInstanceUID
    nested = out.ReferencedSeriesSequence[0].ReferencedInstanceSequence[0]
    assert nested.ReferencedSOPInstanceUID == out.FrameOfReferenceUID
    uids = {out.SOPInstanceUID, out.StudyInstanceUID, out.SeriesInstanceUID, out.FrameOfReferenceUID}
    assert len(uids) == 4
    assert all(uid.startswith("2.25.") for uid in uids)
    assert out.StudyInstanceUID == HmacPseudonyms(make.KEY).uid("1.2.3")


def test_uids_of_the_standard_and_of_code_systems_stay(make: ModuleType) -> None:
    ds = make.dataset(FrameOfReferenceUID="1.2.840.10008.1.4.1.1")  # Talairach Brain Atlas
    ds.CodingSchemeIdentificationSequence = [item(CodingSchemeDesignator="LN", CodingSchemeUID="2.16.840.1.113883.6.1")]
    ds.ReferencedImageSequence = [reference("1.2.3.9", "1.2.840.113619.4.30")]
    out = make.through(ds, make.policy())
    assert out.FrameOfReferenceUID == "1.2.840.10008.1.4.1.1"
    assert out.CodingSchemeIdentificationSequence[0].CodingSchemeUID == "2.16.840.1.113883.6.1"
    assert out.ReferencedImageSequence[0].ReferencedSOPClassUID == "1.2.840.113619.4.30"


@pytest.mark.parametrize("value", [b"1.2.840.10008.Doe.Jane", b"1.2.840.10008.5.01950", b"Doe^Jane", b"not a uid"])
def test_what_only_looks_like_a_standard_uid_is_replaced(make: ModuleType, value: bytes) -> None:
    data = make.encode(make.dataset()) + make.raw_element(0x00200052, "UI", value)
    _, out = make.run(data, make.policy())
    assert dcmread(io.BytesIO(out)).FrameOfReferenceUID.startswith("2.25.")


def test_several_values_are_each_mapped(make: ModuleType) -> None:
    ds = make.dataset()
    ds.add_new(0x00080014, "UI", "1.2.9")
    ds.add_new(0x0040A171, "UI", "")
    ds.add_new(0x00083010, "UI", ["1.2.3", "1.2.840.10008.5.1"])  # Irradiation Event UID
    out = make.through(ds, make.policy())
    assert out[0x00083010].value == [out.StudyInstanceUID, "1.2.840.10008.5.1"]
    assert out[0x0040A171].value == ""


def test_dates_of_one_patient_move_together(make: ModuleType) -> None:
    ds = make.dataset(StudyDate="20240229", SeriesDate="20240301", StudyTime="101112.5", PatientBirthDate="19500101")
    ds.AcquisitionDateTime = "20240229101112.500000+0100"
    ds.ReferencedStudySequence = []
    other = make.dataset(StudyDate="20240229", PatientID="4712")
    again = make.dataset(StudyDate="20240401", IssuerOfPatientID="")
    out, other, again = (make.through(d, make.policy("research")) for d in (ds, other, again))
    days = HmacPseudonyms(make.KEY).date_offset("", "4711")
    assert -365 <= days < 0
    assert _days(out.StudyDate) - _days("20240229") == days
    assert _days(out.SeriesDate) - _days(out.StudyDate) == 1
    assert _days(again.StudyDate) - _days("20240401") == days
    assert out.StudyTime == "101112.5"
    assert out.AcquisitionDateTime == out.StudyDate + "101112.500000+0100"
    assert other.StudyDate != out.StudyDate
    assert out.PatientBirthDate == "", "the option does not cover it"


def _days(value: str) -> int:
    return date(int(value[:4]), int(value[4:6]), int(value[6:])).toordinal()


def test_nested_dates_move_by_the_offset_of_the_instance(make: ModuleType) -> None:
    ds = make.dataset(StudyDate="20240229")
    ds.AnatomicRegionSequence = [item(ContentDate="20240229", ContentTime="1011")]
    out = make.through(ds, make.policy("research"))
    assert out.AnatomicRegionSequence[0].ContentDate == out.StudyDate
    assert out.AnatomicRegionSequence[0].ContentTime == "1011"


@pytest.mark.parametrize("wrong", ["Doe^Jane", "20241301", "29.02.24", "20240229 Doe", "20240229\\Doe"])
@pytest.mark.parametrize(
    ("sop_class", "tag", "left"),
    [
        (CT, 0x30060008, ""),  # Structure Set Date: Z
        (CT, 0x30080250, None),  # Treatment Date: X/D, not in the IOD
        (CT, 0x30080162, "19000101"),  # Safe Position Exit Date: D
        (CT, 0x40080100, None),  # Interpretation Recorded Date: X
        (UNKNOWN_IOD, 0x30080250, "19000101"),
    ],
)
def test_what_is_no_date_goes_by_its_basic_action(
    make: ModuleType, sop_class: str, tag: int, left: str | None, wrong: str
) -> None:
    data = make.encode(make.dataset(sop_class)) + make.raw_element(tag, "DA", wrong.encode())
    _, out = make.run(data, make.policy("research", uninspected_pixels="forward"))
    ds = dcmread(io.BytesIO(out))
    assert (ds[tag].value if tag in ds else None) == left


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    ("value", "kept"), [("10", True), ("10:11:12", True), ("101112.123456", True), ("Doe", False), ("471112", False)]
)
def test_times_stay_where_they_are_times(make: ModuleType, value: str, kept: bool) -> None:
    out = make.through(make.dataset(StudyTime=value), make.policy("research"))
    assert out.StudyTime == (value if kept else "")


def test_without_the_option_no_date_stays(make: ModuleType) -> None:
    ds = make.dataset(StudyDate="20240229", SeriesDate="20240229", StudyTime="1011")
    ds.AnatomicRegionSequence = [item(SecondaryReviewDate="20240229")]  # named by no row
    out = make.through(ds, make.policy("basic"))
    assert (out.StudyDate, out.StudyTime) == ("", "")
    assert "SeriesDate" not in out
    assert "SecondaryReviewDate" not in out.AnatomicRegionSequence[0]


def test_the_patient_is_the_pseudonym(make: ModuleType) -> None:
    ds = make.dataset(IssuerOfPatientID="HOSP", PatientSex="F", AccessionNumber="A-4711", PatientBirthDate="19500101")
    out = make.through(ds, make.policy(patient_id_prefix="R-"))
    assert out.PatientID == HmacPseudonyms(make.KEY, "R-").patient_id("HOSP", "4711")
    assert out.PatientName == out.PatientID
    assert "IssuerOfPatientID" not in out
    assert (out.AccessionNumber, out.PatientBirthDate, out.PatientSex) == ("", "", "")


def test_padding_and_unicode_form_do_not_make_another_patient(make: ModuleType) -> None:
    ids = {
        make.through(make.dataset(PatientID=value), make.policy()).PatientID for value in ("4711", " 4711 ", "4711 ")
    }
    assert len(ids) == 1


def test_a_patient_in_an_item_is_that_patient(make: ModuleType) -> None:
    """Group sequences name patients: the same ID is the same pseudonym, with the issuer around it where it has none."""
    ds = make.dataset(IssuerOfPatientID="HOSP")
    ds.SourcePatientGroupIdentificationSequence = [
        item(PatientID="4711"),
        item(PatientID="4711", IssuerOfPatientID="OTHER", PatientName="Roe^R"),
        item(PatientName="Poe^P"),
        item(PatientID=""),
    ]
    out = make.through(ds, make.policy())
    first, second, third, fourth = out.SourcePatientGroupIdentificationSequence
    assert first.PatientID == out.PatientID
    assert second.PatientID == HmacPseudonyms(make.KEY).patient_id("OTHER", "4711") == second.PatientName
    assert third.PatientName == ""
    assert fourth.PatientID == ""


def test_content_is_replaced_by_one_harmless_item(make: ModuleType) -> None:
    finding = item(RelationshipType="CONTAINS", ValueType="TEXT", TextValue="Planted, Jane")
    ds = make.dataset(SR, ValueType="CONTAINER", ContentSequence=[finding, finding])
    ds.ContentTemplateSequence = [item(MappingResource="DCMR", TemplateIdentifier="2000")]
    ds.AnatomicRegionSequence = [item(ContentSequence=[finding])]
    out = make.through(ds, make.policy())
    for content in (out.ContentSequence, out.AnatomicRegionSequence[0].ContentSequence):
        (only,) = content
        assert (only.ValueType, only.RelationshipType, only.TextValue) == ("TEXT", "CONTAINS", "REMOVED")
    assert "ContentTemplateSequence" not in out


def test_text_of_a_content_item_that_is_kept_is_a_dummy(make: ModuleType) -> None:
    ds = make.dataset(ProtocolContextSequence=[item(ValueType="TEXT", TextValue="Planted, Jane")])
    assert make.through(ds, make.policy()).ProtocolContextSequence[0].TextValue == "REMOVED"


def test_skeleton_of_the_first_item(make: ModuleType) -> None:
    """Action D on a sequence: structure and numbers stay, every text and code goes, further items go."""
    code = item(CodeValue="P1", CodingSchemeDesignator="99LOCAL", CodeMeaning="Planted^Reader")
    observer = item(
        VerifyingObserverName="Planted^Reader",
        VerifyingOrganization="St. Planted",
        VerificationDateTime="20240229",
        VerifyingObserverIdentificationCodeSequence=[code],
        SeriesDescriptionCodeSequence=[code],
        AnatomicRegionSequence=[code],
        SoftwareVersions="Planted",
        Rows=7,
    )
    ds = make.dataset(SR, VerifyingObserverSequence=[observer, observer])
    (only,) = make.through(ds, make.policy("research")).VerifyingObserverSequence
    assert only.VerifyingObserverName == "REMOVED"
    assert only.VerifyingOrganization == "REMOVED"
    assert "2023" <= only.VerificationDateTime[:4] <= "2024"
    assert only.Rows == 7
    assert only.SoftwareVersions == "REMOVED"
    assert only.AnatomicRegionSequence[0].CodeValue == "REMOVED"
    assert only.AnatomicRegionSequence[0].CodingSchemeDesignator == "99VEIL"
    assert "Planted" not in str(only)


def test_graphic_annotations_become_one_point(make: ModuleType) -> None:
    text = item(UnformattedTextValue="Planted^Jane")
    ds = make.dataset("1.2.840.10008.5.1.4.1.1.11.1")
    ds.GraphicAnnotationSequence = [item(GraphicLayer="LAYER1", TextObjectSequence=[text])]
    (only,) = make.through(ds, make.policy()).GraphicAnnotationSequence
    assert only.GraphicLayer == "LAYER1"
    assert "TextObjectSequence" not in only
    assert only.GraphicObjectSequence[0].GraphicType == "POINT"


def test_pixel_data_in_an_item_is_held_and_icons_are_removed(make: ModuleType) -> None:
    icon = item(Rows=1, Columns=1)
    icon.add_new(0x7FE00010, "OB", b"\1\2")
    out = make.through(make.dataset(IconImageSequence=[icon]), make.policy())
    assert "IconImageSequence" not in out
    with pytest.raises(InstanceHeld) as held:
        make.through(make.dataset(AnatomicRegionSequence=[icon]), make.policy())
    assert held.value.reason is Reason.UNSUPPORTED_CONTENT


@pytest.mark.parametrize(
    ("tag", "vr", "value"),
    [
        (0x00280030, "DS", b"Planted^Jane"),
        (0x00200013, "IS", b"Planted"),
        (0x00080008, "CS", b"PLANTED\xe9"),
        (0x00189087, "FD", b"\1\2\3\4"),
        (0x00200037, "DS", b"1\\0\\0\\0\\1\\planted"),
    ],
)
def test_a_kept_value_must_be_of_its_vr(make: ModuleType, tag: int, vr: str, value: bytes) -> None:
    with pytest.raises(InstanceHeld) as held:
        make.run(with_nested(make, make.raw_element(tag, vr, value)), make.policy())
    assert held.value.reason is Reason.MALFORMED
    assert held.value.tag == tag
    assert "lanted" not in str(held.value)


def test_a_removed_value_need_not_be_of_its_vr(make: ModuleType) -> None:
    """Otherwise a broken private element would cost the whole instance."""
    for tag in (0x00101040, 0x00111010):
        _, out = make.run(with_nested(make, make.raw_element(tag, "DS", b"Planted")), make.policy())
        assert b"Planted" not in out


def with_nested(make: ModuleType, element: bytes) -> bytes:
    header = b"\xfe\xff\x00\xe0" + len(element).to_bytes(4, "little")
    return make.encode(make.dataset()) + make.raw_element(0x30060010, "SQ", header + element)


def test_a_profile_cannot_keep_a_sequence_unread(make: ModuleType) -> None:
    profile = load_profile("basic")
    unlisted = {**profile["unlisted"], "attributes": {"(0008,2218)": "keep"}}
    spec = PolicySpec("p", {**profile, "unlisted": unlisted}, make.KEY)
    ds = make.dataset(AnatomicRegionSequence=[make.dataset()])
    out = make.through(ds, compile_policy(make.tables(), spec))
    assert out.AnatomicRegionSequence[0].PatientID == out.PatientID


def test_shift_without_the_option_removes(make: ModuleType) -> None:
    profile = load_profile("basic")
    by_vr = {**profile["unlisted"]["by_vr"], "DA": "shift", "DT": "shift", "TM": "shift"}
    spec = PolicySpec("p", {**profile, "unlisted": {**profile["unlisted"], "by_vr": by_vr}}, make.KEY)
    policy = compile_policy(make.tables(), spec)
    assert policy.cells == {}
    ds = make.dataset(AnatomicRegionSequence=[item(SecondaryReviewDate="20240229", SecondaryReviewTime="1011")])
    assert len(make.through(ds, policy).AnatomicRegionSequence[0]) == 0


def test_counts(make: ModuleType) -> None:
    ds = make.dataset(StudyDate="20240229", StudyDescription="x", AccessionNumber="1", Rows=1)
    result, _ = make.run(make.encode(ds), make.policy("research"))
    assert result.report.counts == {
        "added": 4, "emptied": 1, "kept": 2, "remapped": 3, "removed": 1, "replaced": 2, "shifted": 1,
    }  # fmt: skip
