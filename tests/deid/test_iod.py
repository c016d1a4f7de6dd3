"""Composite codes of Table E.1-1 by the attribute's type in the IOD, against facts from PS3.3 written down by hand."""

from __future__ import annotations

from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from pydicom.tag import Tag

from proxy.deid.iod import X_UNLESS_REQUIRED, IodTypes, compile_types, resolve
from proxy.deid.tables import AttributeType
from proxy.errors import ConfigError
from tests.deid.canary_files import item

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
ENHANCED_CT, ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.4.1"
SR, RT_PLAN = "1.2.840.10008.5.1.4.1.1.88.11", "1.2.840.10008.5.1.4.1.1.481.5"
GSPS = "1.2.840.10008.5.1.4.1.1.11.1"
#: SOP classes of PS3.6 whose IOD the standard's data does not describe
UNKNOWN_IOD = "1.2.840.10008.5.1.4.1.1.3"


ITEM = [item(ReferencedSOPClassUID=CT, ReferencedSOPInstanceUID="1.2.3.4711")]
#: (SOP class, attribute, planted value, type in that IOD, what must become of it)
FACTS = [
    (CT, "ContentDate", "20200101", "general image 2C", "Z"),
    (SR, "ContentDate", "20200101", "SR document general 1", "D"),
    (SR, "ContentTime", "101112", "SR document general 1", "D"),
    (CT, "AcquisitionDateTime", "20200101101112", "general image 3", "X"),
    (ENHANCED_CT, "AcquisitionDateTime", "20200101101112", "enhanced CT image 1C", "D"),
    (CT, "AcquisitionDate", "20200101", "general image 3", "X"),
    (CT, "DeviceSerialNumber", "SN-4711", "general equipment 3", "X"),
    (ENHANCED_CT, "DeviceSerialNumber", "SN-4711", "enhanced general equipment 1", "D"),
    (CT, "InstitutionName", "St. Planted", "general equipment 3", "X"),
    (CT, "StationName", "PLANTED", "general equipment 3", "X"),
    (CT, "SeriesDate", "20200101", "general series 3", "X"),
    (CT, "ProtocolName", "Planted", "general series 3", "X"),
    (CT, "ContrastBolusAgent", "Planted", "contrast/bolus 2", "Z"),
    (CT, "OperatorsName", "Planted^Op", "general series 3", "X"),
    (RT_PLAN, "OperatorsName", "Planted^Op", "RT series 2", "Z"),
    (RT_PLAN, "RTPlanDate", "20200101", "RT general plan 2", "D"),
    (RT_PLAN, "RTPlanLabel", "Planted", "RT general plan 1", "D"),
    (CT, "InstanceCreationDate", "20200101", "SOP common 3", "X"),
    (CT, "ReferencedPerformedProcedureStepSequence", ITEM, "general series 3", "X"),
    (SR, "ReferencedPerformedProcedureStepSequence", ITEM, "SR document series 2", "Z"),
    (CT, "ReferencedStudySequence", ITEM, "general study 3", "X"),
    (MR, "ReferencedImageSequence", ITEM, "U: kept, UIDs replaced", "U"),
    (MR, "SourceImageSequence", ITEM, "U: kept, UIDs replaced", "U"),
    (CT, "TreatmentDate", "20200101", "not in this IOD", "X"),
    (CT, "StudyDate", "20200101", "general study 2", "Z"),
    (GSPS, "PresentationCreationDate", "20200101", "X, but presentation state identification 1", "D"),
    (GSPS, "PresentationCreationTime", "101112", "X, but presentation state identification 1", "D"),
    (CT, "PresentationCreationDate", "20200101", "not in this IOD", "X"),
    (CT, "ResponsiblePerson", "Planted^Owner", "patient 2C, no animal", "X"),
    (CT, "RequestedProcedureID", "P4711", "not in this IOD outside items", "X"),
    (UNKNOWN_IOD, "PresentationCreationDate", "20200101", "unknown, but plainly X", "X"),
    (UNKNOWN_IOD, "InstitutionName", "St. Planted", "unknown", "D"),
    (UNKNOWN_IOD, "AcquisitionDate", "20200101", "unknown", "D"),
    (UNKNOWN_IOD, "StudyDate", "20200101", "unknown, but plainly Z", "Z"),
]


@pytest.mark.parametrize(("sop_class", "keyword", "value", "kind", "expected"), FACTS, ids=lambda v: str(v)[-28:])
def test_facts(make: ModuleType, sop_class: str, keyword: str, value: Any, kind: str, expected: str) -> None:
    ds = make.dataset(sop_class, **{keyword: value})
    out = make.through(ds, make.policy("basic", uninspected_pixels="forward"))
    if expected == "X":
        assert keyword not in out
        return
    left = getattr(out, keyword)
    if expected == "U":
        assert left[0].ReferencedSOPInstanceUID.startswith("2.25.")
        assert left[0].ReferencedSOPClassUID == CT
    elif expected == "Z":
        assert not left
    else:
        assert left
        assert left != value


def test_an_optional_module_counts_only_where_the_instance_shows_it(make: ModuleType) -> None:
    """Enhanced MR: the contrast modules are optional, and so are the types that they set."""
    iod = make.policy().iod
    agent = int(Tag("ContrastBolusAgent"))
    modules = dict(iod.modules[CT])
    assert modules["contrast-bolus"] is not None, "usage C in PS3.3 A.3"
    assert iod.type_of(CT, (), agent, frozenset()) == 3
    assert iod.type_of(CT, (), agent, frozenset({agent})) == 2


def test_the_strictest_module_wins(make: ModuleType) -> None:
    serial = int(Tag("DeviceSerialNumber"))
    listed = make.policy().iod.types[serial][()]
    assert {listed["general-equipment"], listed["enhanced-general-equipment"]} == {1, 3}
    assert make.policy().iod.type_of(ENHANCED_MR, (), serial, frozenset()) == 1


def test_the_path_counts(make: ModuleType) -> None:
    """Frame Acquisition DateTime is 1C in the functional groups, and nothing anywhere else."""
    ds = make.dataset(ENHANCED_CT)
    frame = item(AcquisitionDateTime="20200101101112", FrameAcquisitionDateTime="20200101101112")
    ds.PerFrameFunctionalGroupsSequence = [item(FrameContentSequence=[frame])]
    out = make.through(ds, make.policy()).PerFrameFunctionalGroupsSequence[0].FrameContentSequence[0]
    assert out.FrameAcquisitionDateTime == "19000101000000"
    assert "AcquisitionDateTime" not in out


#: rows with X that some module of PS3.3 requires without any condition, and those of an animal's owner
REQUIRED = """\
RetrieveAETitle TimezoneOffsetFromUTC SeriesDescription ResponsiblePerson ResponsibleOrganization
IssuerOfClinicalTrialProtocolID UniqueDeviceIdentifier RadiopharmaceuticalStartDateTime RequestedProcedureID
PresentationCreationDate PresentationCreationTime (3002,0121) (3002,0123) SourceManufacturer (300A,078E) (300A,0794)
(3010,0061)"""


def test_which_attributes_with_x_an_iod_may_require(make: ModuleType) -> None:
    policy = make.policy()
    named = (int(word[1:5] + word[6:10], 16) if word[0] == "(" else int(Tag(word)) for word in REQUIRED.split())
    assert policy.iod.required == set(named)
    assert {policy.code(tag) for tag in policy.iod.required} == {"X"}


def test_what_is_required_inside_an_item_stays_without_its_value(make: ModuleType) -> None:
    """Requested Procedure ID: type 2 in the requests of a report, nothing in those of an image."""
    for sop_class, left in ((SR, [""]), (CT, [])):
        ds = make.dataset(sop_class)
        ds.ReferencedRequestSequence = [item(RequestedProcedureID="P4711", StudyInstanceUID="1.2.3")]
        (request,) = make.through(ds, make.policy()).ReferencedRequestSequence
        assert [element.value for element in request if element.keyword == "RequestedProcedureID"] == left


def test_an_animal_has_an_owner_who_is_not_named(make: ModuleType) -> None:
    """PS3.3 C.7.1.1: type 2C; a human patient's is removed."""
    ds = make.dataset(CT, PatientSpeciesDescription="Felis catus", ResponsiblePersonRole="OWNER")
    ds.ResponsiblePerson, ds.ResponsibleOrganization = "Planted^Owner", "Planted"
    out = make.through(ds, make.policy())
    assert (out.ResponsiblePerson, out.ResponsibleOrganization) == ("", "")
    assert "ResponsiblePersonRole" not in out
    ds.AnatomicRegionSequence = [item(ResponsiblePerson="Planted^Owner", Rows=1)]
    assert "ResponsiblePerson" not in make.through(ds, make.policy()).AnatomicRegionSequence[0]


def test_objects_of_no_study_are_known(make: ModuleType) -> None:
    iod = make.policy().iod
    assert iod.is_patient_study(CT)
    assert not iod.is_patient_study("1.2.840.10008.5.1.4.38.1")


@pytest.mark.parametrize(
    ("code", "by_type"),  # types 0 (unknown), 1, 2, 3
    [
        ("X", "XXXX"),
        ("Z", "ZDZZ"),
        ("D", "DDDD"),
        ("U", "UUUU"),
        ("X/Z", "DDZX"),
        ("X/D", "DDDX"),
        ("Z/D", "DDZZ"),
        ("X/Z/D", "DDZX"),
        ("X/Z/U*", "RRRR"),
        (X_UNLESS_REQUIRED, "XDZX"),
    ],
)
def test_resolution(code: str, by_type: str) -> None:
    assert "".join(resolve(code, kind) for kind in range(4)) == by_type


@pytest.mark.parametrize("tag", [0x00102201, 0x00102202, 0x00102292, 0x00102293, 0x00102294])
def test_what_makes_a_patient_an_animal(make: ModuleType, tag: int) -> None:
    """PS3.3 C.7.1.1: species or breed, in words or as a code, or a breed registration."""
    iod = make.policy().iod
    for owner in (0x00102297, 0x00102299):
        assert iod.type_of(CT, (), owner, frozenset({tag})) == 2
        assert iod.type_of(CT, (), owner, frozenset({0x00100010})) == 3
        assert iod.type_of(CT, (0x00081140,), owner, frozenset({tag})) == 3
        assert iod.possible_types(CT, owner) == {2, 3}


def compiled(*rows: tuple[int, str, str, tuple[str, ...]], code: str = "X", vr: str = "LO") -> IodTypes:
    """The types of (tag, module, type, path) in an image of modules M, U and C; every tag has one code and VR."""
    types = tuple(
        AttributeType(module, path, f"({t >> 16:04X},{t & 0xFFFF:04X})", kind) for t, module, kind, path in rows
    )
    modules = {CT: (("general-study", "M"), ("image", "M"), ("extra", "U"), ("other", "C"))}
    tables: Any = SimpleNamespace(types=types, iod_modules=modules)
    tags = {tag for tag, *_ in rows}
    return compile_types(tables, dict.fromkeys(tags, code), dict.fromkeys(tags, vr))


AGENT = 0x00180010


@pytest.mark.parametrize(
    ("vr", "required"),
    [
        *((vr, True) for vr in "AE AS CS DA DS DT IS LO LT PN SH ST TM UC UT".split()),
        *((vr, False) for vr in "AT FD FL OB OW SL SQ SS UI UL UN UR US".split()),
    ],
)
def test_what_is_required_is_replaced_where_its_vr_has_a_dummy(vr: str, required: bool) -> None:
    """PS3.15 E.1.1: a plain X gives way where the object would be invalid and a valid value exists."""
    for kind in ("1", "2"):
        assert (AGENT in compiled((AGENT, "image", kind, ()), vr=vr).required) is required
    for kind in ("1C", "2C", "3", "None"):
        assert AGENT not in compiled((AGENT, "image", kind, ()), vr=vr).required


@pytest.mark.parametrize(("kind", "number"), [("1", 1), ("1C", 1), ("None", 1), ("2", 2), ("2C", 2), ("3", 3)])
def test_conditional_types_are_read_as_if_their_condition_held(kind: str, number: int) -> None:
    for code in ("X/Z", "Z", "X/Z/D"):
        assert compiled((AGENT, "image", kind, ()), code=code).type_of(CT, (), AGENT, frozenset()) == number
    assert compiled((AGENT, "image", kind, ()), code="D").types == {}, "D does not depend on the type"


def test_the_strictest_of_one_module_and_of_several() -> None:
    twice = compiled((AGENT, "image", "3", ()), (AGENT, "image", "1", ()), (AGENT, "image", "2", ()), code="Z")
    assert twice.type_of(CT, (), AGENT, frozenset()) == 1
    both = compiled((AGENT, "image", "3", ()), (AGENT, "extra", "2", ()), (AGENT, "other", "1", ()), code="Z")
    assert both.type_of(CT, (), AGENT, frozenset()) == 3
    assert both.possible_types(CT, AGENT) == {1, 2, 3}
    assert both.type_of("1.2.3", (), AGENT, frozenset()) == 0
    assert both.possible_types("1.2.3", AGENT) == {0}
    assert both.type_of(CT, (), 0x00080050, frozenset()) == 3
    assert both.possible_types(CT, 0x00080050) == {3}


def test_what_shows_an_optional_module() -> None:
    """An attribute that no mandatory module has; inside items nothing has to show it."""
    only = 0x00181040
    iod = compiled((AGENT, "image", "3", ()), (AGENT, "extra", "2", ()), (only, "extra", "3", ()), code="Z")
    assert dict(iod.modules[CT])["extra"] == frozenset({only})
    assert dict(iod.modules[CT])["image"] is None
    assert iod.type_of(CT, (), AGENT, frozenset({AGENT})) == 3
    assert iod.type_of(CT, (), AGENT, frozenset({only})) == 2
    inside = compiled((AGENT, "extra", "2", ("AnatomicRegionSequence",)), code="Z")
    assert dict(inside.modules[CT])["extra"] == frozenset({0x00082218})
    assert inside.type_of(CT, (0x00082218,), AGENT, frozenset()) == 2
    assert inside.type_of(CT, (0x00082218, 0x00082218), AGENT, frozenset()) == 3


def test_modules_of_objects_of_no_study_do_not_count() -> None:
    iod = compiled((AGENT, "hanging-protocol", "1", ()), code="Z")
    assert iod.types == {}
    assert iod.is_patient_study("1.2.3"), "nothing is known of it"


def test_a_path_of_unknown_keywords_is_refused() -> None:
    with pytest.raises(ConfigError):
        compiled((AGENT, "image", "1", ("NoSuchSequence",)))
