"""Options of PS3.15 E.3 on whole objects: what stays, what goes, what an instance says of it; and the gate agrees."""

from __future__ import annotations

import io
import struct
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from proxy.deid.profile import Policy, PolicySpec, compile_policy
from proxy.deid.verify import Gate
from proxy.errors import ConfigError, InstanceHeld, Reason
from proxy.store.rulebook import load_profile

GATE = Gate(bytes(32))
SR = "1.2.840.10008.5.1.4.1.1.88.33"
GSPS = "1.2.840.10008.5.1.4.1.1.11.1"


def item(**attributes: Any) -> Dataset:
    ds = Dataset()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def code(value: str, scheme: str, meaning: str) -> list[Dataset]:
    return [item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)]


def released(make: ModuleType, ds: Dataset, policy: Policy, syntax: str | None = None) -> Dataset:
    """De-identified, and let through by the gate."""
    data = make.encode(ds, syntax or make.EXPLICIT_LITTLE)
    result, out = make.run(data, policy)
    GATE.verify(memoryview(data), result, policy)
    return dcmread(io.BytesIO(out))


# ---- E.3.8 to E.3.11 and what the gate thinks of them


def test_an_institution_stays_in_its_own_attributes_only(make: ModuleType) -> None:
    ds = make.dataset(InstitutionName="Klinikum Nordstadt", InstitutionAddress="Weg 1, 12345 Ort")
    ds.InstitutionCodeSequence = code("K1", "99LOCAL", "Klinikum Nordstadt")
    policy = make.optioned("rtn_inst_id")
    out = released(make, ds, policy)
    assert out.InstitutionName == "Klinikum Nordstadt"
    assert out.InstitutionCodeSequence[0].CodeMeaning == "Klinikum Nordstadt"
    ds.add_new(0x00180030, "LO", "Klinikum Nordstadt")
    with pytest.raises(InstanceHeld) as held:
        released(make, ds, policy)
    assert (held.value.reason, held.value.tag) == (Reason.IDENTIFIER_REMAINS, 0x00180030)


def test_a_patient_in_the_name_of_an_institution_is_held(make: ModuleType) -> None:
    ds = make.dataset(PatientName="Zwetschgenmann^Q", InstitutionName="Praxis Zwetschgenmann")
    with pytest.raises(InstanceHeld) as held:
        released(make, ds, make.optioned("rtn_inst_id"))
    assert held.value.reason is Reason.IDENTIFIER_REMAINS


def test_uids_stay(make: ModuleType) -> None:
    ds = make.dataset(FrameOfReferenceUID="1.2.3.9")
    ds.ReferencedImageSequence = [item(ReferencedSOPClassUID=make.CT, ReferencedSOPInstanceUID="1.2.3.7")]
    out = released(make, ds, make.optioned("rtn_uids"))
    assert (out.SOPInstanceUID, out.StudyInstanceUID, out.FrameOfReferenceUID) == ("1.2.3.4", "1.2.3", "1.2.3.9")
    assert out.ReferencedImageSequence[0].ReferencedSOPInstanceUID == "1.2.3.7"
    assert out.file_meta.MediaStorageSOPInstanceUID == "1.2.3.4"


def test_a_kept_sequence_has_new_uids_inside(make: ModuleType) -> None:
    """PS3.15 Table E.1-1a: K on a sequence keeps it and looks at what is inside."""
    ds = make.dataset()
    ds.UDISequence = [item(UniqueDeviceIdentifier="(01)0420", DeviceUID="1.2.3.44", InstanceCreatorUID="1.2.3.45")]
    out = released(make, ds, make.optioned("rtn_dev_id"))
    assert out.UDISequence[0].UniqueDeviceIdentifier == "(01)0420"
    assert out.UDISequence[0].DeviceUID == "1.2.3.44"
    assert out.UDISequence[0].InstanceCreatorUID.startswith("2.25.")


def test_of_two_options_the_stricter_wins(make: ModuleType) -> None:
    """Device dates: K under Retain Device Identity, C under Modified Dates."""
    ds = make.dataset(DateOfLastCalibration="20240229", StudyDate="20240229")
    alone = released(make, ds, make.optioned("rtn_dev_id"))
    both = released(make, ds, make.optioned("rtn_dev_id", "rtn_long_modif"))
    full = released(make, ds, make.optioned("rtn_dev_id", "rtn_long_full"))
    assert (alone.DateOfLastCalibration, alone.StudyDate) == ("20240229", "")
    assert both.DateOfLastCalibration == both.StudyDate != "20240229"
    assert (full.DateOfLastCalibration, full.StudyDate) == ("20240229", "20240229")


def test_the_gate_wants_a_kept_value_to_be_the_one_that_came(make: ModuleType) -> None:
    ds = make.dataset(StudyDate="20240229")
    policy = make.optioned("rtn_long_full")
    data = make.encode(ds)
    result, out = make.run(data, policy)
    GATE.verify(memoryview(data), result, policy)
    changed = out.replace(b"20240229", b"20240228")
    with pytest.raises(InstanceHeld) as held:
        GATE.verify(memoryview(data), replace(result, chunks=(changed,)), policy)
    assert held.value.reason is Reason.ELEMENT_NOT_ALLOWED


@pytest.mark.parametrize(
    ("title", "stays"),
    [
        ("CTSCAN01", True), ("AWP45557", True), ("STORESCU", True), ("ZWETSCHGENMANN", False), ("DRROE_CT", False),
        ("NORDSTADT", False), ("CT_4711X", False),
    ],
)  # fmt: skip
def test_application_entities_stay_unless_they_name_somebody(make: ModuleType, title: str, stays: bool) -> None:
    """The name of the station itself is retained by the same option and is no reason to remove them."""
    ds = make.dataset(PatientName="Zwetschgenmann^Q", OperatorsName="Roe^Richard", InstitutionName="Klinikum Nordstadt")
    ds.StationAETitle, ds.DestinationAE, ds.StationName = title, title, "CTSCAN01"
    out = released(make, ds, make.optioned("rtn_dev_id"))
    assert out.get("StationAETitle") == (title if stays else None)
    assert out.get("DestinationAE") in ((title,) if stays else ("REMOVED", None))


# ---- what an instance says


@pytest.mark.parametrize(
    ("options", "codes", "longitudinal"),
    [
        (("rtn_long_full",), ["113100", "113106"], "UNMODIFIED"),
        (("rtn_long_modif", "rtn_uids"), ["113100", "113107", "113110"], "MODIFIED"),
        (("clean_desc", "clean_struct", "clean_graph"), ["113100", "113103", "113104", "113105"], "REMOVED"),
        (
            ("rtn_safe_priv", "rtn_uids", "rtn_dev_id", "rtn_inst_id", "rtn_pat_chars"),
            ["113100", "113108", "113109", "113110", "113111", "113112"],
            "REMOVED",
        ),
    ],
)
def test_markers(make: ModuleType, options: tuple[str, ...], codes: list[str], longitudinal: str) -> None:
    out = released(make, make.dataset(), make.optioned(*options))
    assert [each.CodeValue for each in out.DeidentificationMethodCodeSequence] == codes
    assert out.LongitudinalTemporalInformationModified == longitudinal
    said = out.DeidentificationMethod
    values = [said] if isinstance(said, str) else list(said)
    assert all(len(value) <= 64 for value in values)
    assert {option for value in values for option in value.split("+")[1:]} == set(options)


# ---- E.3.4 and E.3.3


def report() -> Dataset:
    """A report with a removed identifier, a finding, a measurement, a name, and a reference by position behind them."""
    contents = [
        item(RelationshipType="HAS OBS CONTEXT", ValueType="TEXT",
             ConceptNameCodeSequence=code("121022", "DCM", "Accession Number"), TextValue="A-4711"),
        item(RelationshipType="HAS OBS CONTEXT", ValueType="PNAME",
             ConceptNameCodeSequence=code("121008", "DCM", "Person Observer Name"), PersonName="Zwetschgenmann^Q"),
        item(RelationshipType="CONTAINS", ValueType="NUM",
             ConceptNameCodeSequence=code("410668003", "SCT", "Length"),
             MeasuredValueSequence=[item(NumericValue="12.5",
                                         MeasurementUnitsCodeSequence=code("mm", "UCUM", "millimeter"))]),
        item(RelationshipType="CONTAINS", ValueType="CONTAINER", ContinuityOfContent="SEPARATE",
             ConceptNameCodeSequence=code("121070", "DCM", "Findings"),
             ContentSequence=[item(RelationshipType="INFERRED FROM", ReferencedContentItemIdentifier=[1, 3])]),
    ]  # fmt: skip
    return contents[0], contents


def sr(make: ModuleType) -> Dataset:
    ds = make.dataset(SR, ValueType="CONTAINER", PatientName="Zwetschgenmann^Q")
    ds.ConceptNameCodeSequence = code("126000", "DCM", "Imaging Measurement Report")
    ds.ContentTemplateSequence = [item(MappingResource="DCMR", TemplateIdentifier="1500")]
    ds.ContentSequence = report()[1]
    return ds


@pytest.mark.parametrize("syntax", ["EXPLICIT_LITTLE", "IMPLICIT_LITTLE", "EXPLICIT_BIG"])
def test_measurements_survive_and_the_tree_stays_whole(make: ModuleType, syntax: str) -> None:
    out = released(make, sr(make), make.optioned("clean_struct", "clean_desc"), getattr(make, syntax))
    kinds = [each.ValueType for each in out.ContentSequence]
    assert kinds == ["PNAME", "NUM", "CONTAINER"] or kinds == ["NUM", "CONTAINER"]
    number = next(each for each in out.ContentSequence if each.ValueType == "NUM")
    assert number.MeasuredValueSequence[0].NumericValue == 12.5
    assert number.MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0].CodeValue == "mm"
    reference = out.ContentSequence[-1].ContentSequence[0].ReferencedContentItemIdentifier
    assert list(reference) == [1, kinds.index("NUM") + 1]
    assert "Zwetschgenmann" not in str(out)
    assert "A-4711" not in str(out)
    assert out.ContentTemplateSequence[0].TemplateIdentifier == "1500"


def test_the_gate_knows_which_content_items_go(make: ModuleType) -> None:
    """A broken engine that leaves an accession number's item, with another number in it."""
    policy = make.optioned("clean_struct")
    data = make.encode(sr(make))
    result, out = make.run(data, policy)
    changed = dcmread(io.BytesIO(out))
    changed.ContentSequence.append(report()[0])
    changed.ContentSequence[-1].TextValue = "X"
    body = make.encode(changed)
    head = out[: out.index(b"\x08\x00\x16\x00UI")]
    chunk = head + body[body.index(b"\x08\x00\x16\x00UI") :]
    with pytest.raises(InstanceHeld) as held:
        GATE.verify(memoryview(data), replace(result, chunks=(chunk,)), policy)
    assert held.value.reason is Reason.ELEMENT_NOT_ALLOWED
    assert "E.3.4-1" in held.value.detail


def test_graphics_stay_and_their_text_goes(make: ModuleType) -> None:
    text = item(UnformattedTextValue="Zwetschgenmann^Q", AnchorPoint=[0.1, 0.2], AnchorPointVisibility="N")
    line = item(GraphicData=[1, 2, 3, 4], GraphicType="POLYLINE", NumberOfGraphicPoints=2, GraphicDimensions=2)
    ds = make.dataset(GSPS, PatientName="Zwetschgenmann^Q")
    ds.GraphicAnnotationSequence = [item(GraphicLayer="L1", TextObjectSequence=[text], GraphicObjectSequence=[line])]
    ds.add_new(0x60003000, "OW", b"\1\2")
    out = released(make, ds, make.optioned("clean_graph"))
    (only,) = out.GraphicAnnotationSequence
    assert list(only.GraphicObjectSequence[0].GraphicData) == [1, 2, 3, 4]
    assert only.TextObjectSequence[0].UnformattedTextValue == "REMOVED"
    assert 0x60003000 not in out


# ---- E.3.10


def private(make: ModuleType, syntax: str) -> Dataset:
    """Siemens' b-value and a CSA header in the same block; a block of nobody."""
    ds = make.dataset("1.2.840.10008.5.1.4.1.1.4")
    ds.add_new(0x00190010, "LO", "SIEMENS MR HEADER")
    ds.add_new(0x00191008, "CS", "IMAGE NUM 4")
    ds.add_new(0x0019100C, "IS", "1000")
    ds.add_new(0x0019100E, "FD", [0.1, 0.2, 0.3])
    ds.add_new(0x00191099, "LO", "planted")
    ds.add_new(0x00290010, "LO", "SIEMENS CSA HEADER")
    ds.add_new(0x00291010, "OB", b"planted.")
    ds.add_new(0x00311001, "LO", "planted")
    return ds


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("syntax", ["EXPLICIT_LITTLE", "IMPLICIT_LITTLE", "EXPLICIT_BIG"])
def test_safe_private_elements_stay(make: ModuleType, syntax: str) -> None:
    out = released(make, private(make, syntax), make.optioned("rtn_safe_priv"), getattr(make, syntax))
    left = [int(element.tag) for element in out if element.tag.is_private]
    assert left == [0x00190010, 0x0019100C, 0x0019100E]
    value = out[0x0019100C].value
    assert (value if isinstance(value, bytes) else str(value).encode()) == b"1000"
    assert "planted" not in str(out)


def test_a_block_elsewhere_is_found_and_an_item_inherits_none(make: ModuleType) -> None:
    ds = make.dataset("1.2.840.10008.5.1.4.1.1.4")
    inner = item()
    inner.add_new(0x0019220C, "IS", "1000")
    ds.add_new(0x00190022, "LO", "SIEMENS MR HEADER")
    ds.add_new(0x0019220C, "IS", "800")
    ds.AnatomicRegionSequence = [inner]
    out = released(make, ds, make.optioned("rtn_safe_priv"))
    assert out[0x0019220C].value == 800
    assert len(out.AnatomicRegionSequence[0]) == 0


def test_the_gate_refuses_private_elements_of_nobody(make: ModuleType) -> None:
    policy = make.optioned("rtn_safe_priv")
    data = make.encode(make.dataset())
    result, out = make.run(data, policy)
    at = out.index(b"\x20\x00\x0d\x00UI")
    creator = make.raw_element(0x00190010, "LO", b"SIEMENS MR HEADER")
    for extra in (
        make.raw_element(0x0019100C, "IS", b"1000"),
        creator + make.raw_element(0x00191099, "IS", b"1000"),
        creator + make.raw_element(0x0019100C, "PN", b"Roe^R "),
        make.raw_element(0x00190010, "LO", b"ACME") + make.raw_element(0x0019100C, "IS", b"1000"),
    ):
        with pytest.raises(InstanceHeld) as held:
            GATE.verify(memoryview(data), replace(result, chunks=(out[:at] + extra + out[at:],)), policy)
        assert held.value.reason is Reason.ELEMENT_NOT_ALLOWED
    safe = creator + make.raw_element(0x0019100C, "IS", b"1000")
    GATE.verify(memoryview(data), replace(result, chunks=(out[:at] + safe + out[at:],)), policy)


def test_a_safe_sequence_in_implicit_vr_is_walked(make: ModuleType) -> None:
    """Its VR stands only in the list, so it has to be parsed; what is inside goes by its own rules."""
    elements = make.tables().safe_private.elements
    creator, group, low = next(place for place, vr in sorted(elements.items()) if vr == "SQ")
    inner = struct.pack("<HHI", 0x0010, 0x0010, 8) + b"Planted "
    inner += struct.pack("<HHI", 0x0028, 0x0010, 2) + b"\7\0"
    value = struct.pack("<HHI", 0xFFFE, 0xE000, len(inner)) + inner
    extra = (
        struct.pack("<HHI", group, 0x0010, len(creator) + len(creator) % 2)
        + creator.encode()
        + b" " * (len(creator) % 2)
    )
    extra += struct.pack("<HHI", group, 0x1000 | low, len(value)) + value
    data = make.encode(make.dataset(), make.IMPLICIT_LITTLE)
    order = struct.pack("<HH", group, 0)
    at = (
        next(i for i in range(len(data)) if data[i : i + 4] == b"\x20\x00\x0d\x00")
        if order < b"\x20\x00"
        else len(data)
    )
    _, out = make.run(data[:at] + extra + data[at:], make.optioned("rtn_safe_priv"))
    assert b"Planted" not in out
    assert struct.pack("<HHI", 0x0028, 0x0010, 2) + b"\7\0" in out


def declared(status: str, vr: str = "DS", identifying: int | None = None) -> Dataset:
    """Private Data Element Characteristics Sequence (0008,0300) about (0045,xx01) and (0045,xx02) of ACME."""
    each = [item(PrivateDataElement=n, PrivateDataElementValueRepresentation=vr) for n in (1, 2)]
    ds = item(
        PrivateGroupReference=0x0045, PrivateCreatorReference="ACME", BlockIdentifyingInformationStatus=status,
        NonidentifyingPrivateElements=[1], PrivateDataElementDefinitionSequence=each,
    )  # fmt: skip
    if identifying is not None:
        action = item(IdentifyingPrivateElements=[identifying], DeidentificationAction="X")
        ds.DeidentificationActionSequence = [action]
    return ds


@pytest.mark.parametrize(
    ("characteristics", "left"),
    [
        (declared("SAFE"), [1, 2]),
        (declared("MIXED"), [1]),
        (declared("UNSAFE"), []),
        (declared("SAFE", identifying=1), [2]),
        (declared("SAFE", vr="OB"), []),
        (None, []),
    ],
)
def test_what_an_instance_declares_of_its_private_elements(
    make: ModuleType, characteristics: Dataset | None, left: list[int]
) -> None:
    ds = make.dataset()
    if characteristics is not None:
        ds.PrivateDataElementCharacteristicsSequence = [characteristics]
    ds.add_new(0x00450010, "LO", "ACME")
    vr = "OB" if characteristics is not None and "OB" in str(characteristics) else "DS"
    for number in (1, 2):
        ds.add_new(0x00451000 | number, vr, b"1.5 " if vr == "OB" else "1.5")
    out = released(make, ds, make.optioned("rtn_safe_priv"))
    assert [n for n in (1, 2) if 0x00451000 | n in out] == left
    assert (0x00450010 in out) is bool(left)


def test_a_projects_own_safe_list(make: ModuleType) -> None:
    row = {"creator": "ACME", "tag": "(0045,xx01)", "vr": "UI", "note": "frame of reference, by our physicist"}
    profile = {**load_profile("basic"), "options": ["rtn_safe_priv"], "private": [row]}
    ds = make.dataset(FrameOfReferenceUID="1.2.3.9")
    ds.add_new(0x00450010, "LO", "ACME")
    ds.add_new(0x00451001, "UI", "1.2.3.9")
    out = released(make, ds, compile_policy(make.tables(), PolicySpec("p", profile, make.KEY)))
    assert out[0x00451001].value == out.FrameOfReferenceUID
    with pytest.raises(ConfigError, match="needs the option"):
        compile_policy(make.tables(), PolicySpec("p", {**profile, "options": []}, make.KEY))


def test_names_that_the_project_knows_leave_texts(make: ModuleType) -> None:
    profile = {**load_profile("basic"), "options": ["clean_desc"], "names": ["Quendelbacher"]}
    ds = make.dataset(StudyDescription="left nodule, see Quendelbacher")
    out = released(make, ds, compile_policy(make.tables(), PolicySpec("p", profile, make.KEY)))
    assert "Quendelbacher" not in out.StudyDescription
    assert "nodule" in out.StudyDescription


@pytest.mark.parametrize(("options", "left"), [(("clean_desc",), False), (("clean_desc", "rtn_long_full"), True)])
def test_dates_in_texts_go_with_the_dates_of_the_profile(
    make: ModuleType, options: tuple[str, ...], left: bool
) -> None:
    ds = make.dataset(StudyDescription="nodule, unchanged since 2024-02-29", PatientBirthDate="19500101")
    out = released(make, ds, make.optioned(*options))
    assert ("2024-02-29" in out.StudyDescription) is left
    assert "nodule" in out.StudyDescription


@pytest.mark.parametrize(
    ("charset", "text"),
    [
        ("ISO_IR 100", "Schädel Müllerin links"),
        ("ISO_IR 192", "Schädel Müllerin links"),
        (["", "ISO 2022 IR 87"], "胸部"),
        ("GB18030", "胸部"),
        ("ISO_IR 144", "грудь"),
    ],
)
def test_a_cleaned_text_keeps_its_character_set(make: ModuleType, charset: Any, text: str) -> None:
    ds = make.dataset(SpecificCharacterSet=charset, PatientName="Zwetschgenmann^Q", StudyDescription=text)
    out = released(make, ds, make.optioned("clean_desc"))
    said = str(out.get("StudyDescription", ""))
    assert "�" not in said
    assert set(said.split()) <= set(text.split())


def test_dates_in_texts_move_with_the_dates_of_the_profile(make: ModuleType) -> None:
    ds = make.dataset(StudyDescription="nodule, unchanged since 2024-02-29", StudyDate="20240229")
    out = released(make, ds, make.optioned("clean_desc", "rtn_long_modif"))
    moved = out.StudyDate
    assert f"{moved[:4]}-{moved[4:6]}-{moved[6:]}" in out.StudyDescription


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("syntax", "stays"), [("EXPLICIT_LITTLE", True), ("EXPLICIT_BIG", False)])
def test_private_elements_of_unknown_vr_in_the_other_byte_order_go(make: ModuleType, syntax: str, stays: bool) -> None:
    """UN is little endian (PS3.5 6.2.2); nothing of a big endian instance that is could be read again."""
    ds = make.dataset("1.2.840.10008.5.1.4.1.1.4")
    ds.add_new(0x00190010, "LO", "SIEMENS MR HEADER")
    ds.add_new(0x0019100C, "UN", b"1000")
    out = released(make, ds, make.optioned("rtn_safe_priv"), getattr(make, syntax))
    assert (0x0019100C in out) is stays


def test_what_is_no_uid_is_not_retained_as_one(make: ModuleType) -> None:
    data = make.encode(make.dataset()) + make.raw_element(0x30060024, "UI", b"1.2.x\\1.2.3.9")
    _, out = make.run(data, make.optioned("rtn_uids"))
    assert all(value.startswith("2.25.") for value in dcmread(io.BytesIO(out))[0x30060024].value)


def test_uids_that_no_row_names_stay_too_and_may_be_said_in_text(make: ModuleType) -> None:
    ds = make.dataset(SoftwareVersions="1.2.3.4.5.6")
    ds.add_new(0x00200242, "UI", "1.2.3.4.5.6")  # SOP Instance UID of Concatenation Source
    out = released(make, ds, make.optioned("rtn_uids"))
    assert out[0x00200242].value == out.SoftwareVersions == "1.2.3.4.5.6"
