"""An engine that forgets one element, or gets it wrong, is caught: the gate asks of every element by itself.

For each element of real files that the engine changed or removed, the output is made again with the element as it came.
"""

from __future__ import annotations

import copy
import dataclasses
import io
import struct
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from pydicom import dcmread, dcmwrite
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from proxy.deid.engine import deidentify
from proxy.deid.profile import Policy, PolicySpec, compile_policy
from proxy.deid.types import Claimed, Deidentified, materialise
from proxy.deid.verify import Gate
from proxy.errors import InstanceHeld, Reason
from proxy.store.rulebook import load_profile
from tests.deid.canary_files import base, encoded, item, items

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
GATE = Gate(bytes(32))
FILES = ("test_files/CT_small.dcm", "test_files/test-SR.dcm", "test_files/rtplan.dcm")
KEPT = ("rtn_safe_priv", "rtn_dev_id", "rtn_inst_id", "rtn_pat_chars", "clean_desc", "clean_struct", "clean_graph")
OPTIONS: dict[str, tuple[str, ...]] = {
    "safe private": ("rtn_safe_priv",),
    "UIDs": ("rtn_uids",),
    "moved": (*KEPT, "rtn_long_modif"),
    "full": (*KEPT, "rtn_long_full"),
}
POLICIES = ("basic", "research", "mammography", *OPTIONS)
#: what one instance says of how it was de-identified before is no secret
_METHOD = 0x00120063
_TEXTS = frozenset({"LO", "LT", "SH", "ST", "UC", "UT"})


def policy_of(make: ModuleType, name: str) -> Policy:
    more = {"uninspected_pixels": "forward"}
    found: Policy = make.optioned(*OPTIONS[name], **more) if name in OPTIONS else make.policy(name, **more)
    return found


class Case:
    """One input, what the engine makes of it, and what a gate says of other outputs."""

    def __init__(self, data: bytes, policy: Policy) -> None:
        self.data, self.policy = data, policy
        self.result: Deidentified = deidentify(memoryview(data), Claimed(), policy)
        output = materialise(self.result.chunks, data)
        self.before, self.after = dcmread(io.BytesIO(data)), dcmread(io.BytesIO(output))

    def judged(self, change: Callable[[Dataset], Any]) -> InstanceHeld | None:
        """Why the output is refused after ``change``; None where it may leave."""
        ds = copy.deepcopy(self.after)
        change(ds)
        out = io.BytesIO()
        dcmwrite(out, ds, enforce_file_format=False)
        result = dataclasses.replace(self.result, chunks=(out.getvalue(),))
        try:
            GATE.verify(memoryview(self.data), result, self.policy)
        except InstanceHeld as held:
            return held
        return None


def forgotten(case: Case) -> Iterator[DataElement]:
    """Elements that did not leave as they came."""
    for element in case.before:
        tag = int(element.tag)
        if tag >> 16 >= 8 and tag != 0x7FE00010 and not (tag in case.after and case.after[tag] == element):
            yield element


def may_stay(element: DataElement, case: Case) -> bool:
    """Nothing is said by it; or what was cleaned is for the search, which knows no identifier in these files."""
    tag, options = int(element.tag), set(case.policy.options)
    if element.VR != "SQ" and not element.value:
        return True
    if tag == _METHOD or (tag >> 16 & 1 and 0x10 <= tag & 0xFFFF <= 0xFF and case.policy.safe_private is not None):
        return True
    cleaned = {"clean_desc", "clean_struct"} & options
    return bool(cleaned) and (element.VR in _TEXTS or tag in (0x0040A730, 0x300A0180)) and tag in case.after


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("name", POLICIES)
def test_an_element_that_came_through_is_refused(make: ModuleType, name: str, file: str) -> None:
    ds = base(file)
    ds.OtherPatientIDsSequence = items(PatientID="ZQX1", IssuerOfPatientID="Q")
    ds.ReferencedImageSequence = items(ReferencedSOPClassUID=ds.SOPClassUID, ReferencedSOPInstanceUID="1.2.3.4.5.6.7.8")
    ds.private_block(0x0011, "ZQX GmbH", create=True).add_new(1, "LO", "something")
    ds.add_new(0x60000022, "LO", "overlay")
    case = Case(encoded(ds), policy_of(make, name))
    assert case.judged(lambda ds: None) is None
    refused = 0
    for element in forgotten(case):
        held = case.judged(lambda ds, element=element: ds.add(element))
        if may_stay(element, case):
            continue
        assert held is not None, f"{element.tag} {element.keyword}"
        assert held.reason in (Reason.ELEMENT_NOT_ALLOWED, Reason.IDENTIFIER_REMAINS, Reason.OUTPUT_UNREADABLE)
        refused += 1
    assert refused > 10


@pytest.mark.parametrize("name", POLICIES)
def test_the_same_inside_an_item(make: ModuleType, name: str) -> None:
    """Below a sequence that no row names and that stays."""
    ds = base("test_files/CT_small.dcm")
    inside = item(**{element.keyword: element.value for element in ds if element.keyword and not element.tag.is_private
                     and element.keyword != "PixelData"})  # fmt: skip
    ds.AnatomicRegionSequence = [inside]
    case = Case(encoded(ds), policy_of(make, name))
    after, refused = case.after.AnatomicRegionSequence[0], 0
    for element in case.before.AnatomicRegionSequence[0]:
        if element.tag in after and after[element.tag] == element:
            continue
        held = case.judged(lambda ds, element=element: ds.AnatomicRegionSequence[0].add(element))
        if not may_stay(element, case):
            assert held is not None, element.keyword
            refused += 1
    assert refused >= 10


# ---- what an element may be


def small(make: ModuleType, **attributes: Any) -> Dataset:
    ds: Dataset = make.dataset(PatientID="ZQX47110", FrameOfReferenceUID="1.2.3.9", **attributes)
    return ds


@pytest.mark.parametrize(
    "vr", ["AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "SH", "ST", "TM", "UC", "UI", "UR", "UT"]
)
def test_a_text_where_a_number_belongs(make: ModuleType, vr: str) -> None:
    """(0028,0010) Rows is US in PS3.6: bytes under the name of a text are not looked at as what they are."""
    case = Case(make.encode(small(make, Rows=2)), make.policy("basic"))
    value = {"AS": "042Y", "DA": "19000101", "DT": "19000101", "TM": "000000", "DS": "2", "IS": "2", "UI": "1.2"}
    held = case.judged(lambda ds: ds.__setitem__(0x00280010, DataElement(0x00280010, vr, value.get(vr, "A"))))
    assert held is not None
    assert held.tag == 0x00280010


@pytest.mark.parametrize(
    "tag", [0x00101010, 0x00180015, 0x00180050, 0x00200013, 0x00080070], ids=["AS", "CS", "DS", "IS", "LO"]
)
def test_a_number_where_a_text_belongs(make: ModuleType, tag: int) -> None:
    case = Case(make.encode(small(make)), make.optioned("rtn_pat_chars"))
    held = case.judged(lambda ds: ds.add_new(tag, "US", struct.unpack("<H", b"ZQ")[0]))
    assert held is not None
    assert held.tag == tag


@pytest.mark.parametrize(("keyword", "number", "held"), [
    ("BodyPartExamined", "ZQX4", True), ("BodyPartExamined", "ZQX", False), ("InstanceNumber", "884213", True),
    ("InstanceNumber", "88421", False), ("SliceThickness", "884213", True), ("SliceThickness", "88421", False),
])  # fmt: skip
def test_a_number_of_the_patient_as_a_whole_value(make: ModuleType, keyword: str, number: str, held: bool) -> None:
    """How long an identifier has to be to count in a code string or a number: shorter ones are chance."""
    case = Case(make.encode(make.dataset(PatientID=number)), make.policy("basic"))
    found = case.judged(lambda ds: setattr(ds, keyword, number))
    assert (found is not None) is held
    assert found is None or found.reason is Reason.IDENTIFIER_REMAINS


def test_a_pseudonymous_uid_without_its_root_is_none(make: ModuleType) -> None:
    case = Case(make.encode(small(make)), make.policy("basic"))
    number = str(case.after.FrameOfReferenceUID).removeprefix("2.25.")
    held = case.judged(lambda ds: setattr(ds, "FrameOfReferenceUID", number))
    assert held is not None
    assert held.reason is Reason.ELEMENT_NOT_ALLOWED


# ---- private elements


def _site(make: ModuleType, *options: str) -> Policy:
    """With a project's own safe elements: a UID, a date and a text."""
    rows = [
        {"creator": "ACME", "tag": f"(0011,xx{element:02X})", "vr": vr, "note": "needed"}
        for element, vr in ((1, "UI"), (2, "DA"), (3, "LO"), (4, "SQ"))
    ]
    profile = {**load_profile("basic"), "options": ["rtn_safe_priv", *options], "private": rows}
    return compile_policy(make.tables(), PolicySpec("research", profile, make.KEY))


def _private(make: ModuleType, *options: str) -> Case:
    ds = small(make)
    block = ds.private_block(0x0011, "ACME", create=True)
    block.add_new(1, "UI", "1.2.3.9.4711")
    block.add_new(2, "DA", "20200229")
    block.add_new(3, "LO", "nodule")
    return Case(make.encode(ds), _site(make, *options))


def test_safe_private_elements_leave_as_the_profile_says(make: ModuleType) -> None:
    case = _private(make, "rtn_long_modif")
    block = case.after.private_block(0x0011, "ACME")
    assert block[1].value.startswith("2.25.")
    assert block[2].value != "20200229"
    assert block[3].value == "nodule"
    assert case.judged(lambda ds: None) is None


@pytest.mark.parametrize(
    ("element", "vr", "value"),
    [
        (1, "UI", "1.2.3.9.4711"),
        (1, "UI", "1.2.826.0.1.3680043.7"),
        (2, "DA", "20200229"),
        (3, "PN", "x"),
        (3, "UR", "urn:x"),
        (3, "SQ", [Dataset()]),
        (3, "OB", b"nodule"),
        (3, "US", 7),
        (2, "LO", "20200229"),
        (4, "LO", "a text"),
        (5, "LO", "unknown"),
    ],
)
def test_a_safe_private_element_with_another_value_or_kind(make: ModuleType, element: int, vr: str, value: Any) -> None:
    case = _private(make, "rtn_long_modif")
    held = case.judged(lambda ds: ds.add_new(0x00111000 | element, vr, value))
    assert held is not None
    assert held.reason is Reason.ELEMENT_NOT_ALLOWED


def test_a_private_uid_stays_only_where_uids_stay(make: ModuleType) -> None:
    case = _private(make, "rtn_uids", "rtn_long_modif")
    assert case.judged(lambda ds: None) is None
    assert case.judged(lambda ds: ds.add_new(0x00111001, "UI", "1.2.3.9.4711")) is None
    other = case.judged(lambda ds: ds.add_new(0x00111001, "UI", "1.2.826.0.1.3680043.7"))
    assert other is not None


def test_a_private_date_without_an_option_for_dates_is_refused(make: ModuleType) -> None:
    case = _private(make)
    assert case.judged(lambda ds: ds.add_new(0x00111002, "DA", "20200229")) is not None


# ---- what identifies by its tag

_IDENTIFYING = """AccessionNumber InstitutionAddress ReferringPhysicianAddress ReferringPhysicianTelephoneNumbers
    PatientID OtherPatientIDs PatientAddress BranchOfService MedicalRecordLocator
    PatientTelephoneNumbers PatientTelecomInformation ClinicalTrialSubjectID
    ClinicalTrialSubjectReadingID DeviceSerialNumber GantryID DetectorID StudyID AdmissionID
    ServiceEpisodeID PatientInstitutionResidence ScheduledProcedureStepID PerformedProcedureStepID
    ContainerIdentifier SpecimenIdentifier RequestedProcedureID OrderCallbackPhoneNumber
    PlacerOrderNumberImagingServiceRequest FillerOrderNumberImagingServiceRequest InstitutionName
    PersonAddress PersonTelephoneNumbers PersonTelecomInformation AddressTrial TelephoneNumberTrial"""
#: (0028,1055) is kept as it is
_LABEL = "WindowCenterWidthExplanation"


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("keyword", _IDENTIFYING.split())
def test_a_number_or_place_of_this_instance_in_another_text(make: ModuleType, keyword: str, nested: bool) -> None:
    """Whatever the attribute and depth that it came in, a value that identifies is found in a text that stays."""
    value = "QX-7712/04"
    ds = make.dataset(WindowCenterWidthExplanation="lung")
    if nested:
        ds.PatientID = "ZQX1" if keyword != "PatientID" else ds.PatientID
        ds.ReferencedStudySequence = items(**{keyword: value})
    else:
        setattr(ds, keyword, value)
    case = Case(make.encode(ds), make.policy("basic"))
    assert case.judged(lambda ds: setattr(ds, _LABEL, "QX-7713/04")) is None
    held = case.judged(lambda ds: setattr(ds, _LABEL, f"made for {value.lower()}"))
    assert held is not None
    assert held.reason is Reason.IDENTIFIER_REMAINS


@pytest.mark.parametrize(
    "text",
    [
        "19470913", "1947-09-13", "13.09.1947", "13/09/1947", "09/13/1947", "13-09-1947", "1947/09/13", "13 Sep 1947",
        "Sep 13 1947", "13.9.1947", "9/13/1947", "13/9/1947", "1947.09.13",
    ],
)  # fmt: skip
def test_a_birth_date_in_another_text(make: ModuleType, text: str) -> None:
    case = Case(make.encode(make.dataset(PatientBirthDate="19470913")), make.policy("basic"))
    assert case.judged(lambda ds: setattr(ds, _LABEL, text.replace("47", "48"))) is None
    held = case.judged(lambda ds: setattr(ds, _LABEL, f"born {text}, lung"))
    assert held is not None
    assert held.reason is Reason.IDENTIFIER_REMAINS


@pytest.mark.parametrize("month", "jan feb mar apr may jun jul aug sep oct nov dec".split())
def test_a_birth_date_with_its_month_in_words(make: ModuleType, month: str) -> None:
    number = "jan feb mar apr may jun jul aug sep oct nov dec".split().index(month) + 1
    case = Case(make.encode(make.dataset(PatientBirthDate=f"1947{number:02d}05")), make.policy("basic"))
    for text in (f"05 {month} 1947", f"5-{month.upper()}-1947", f"{month.title()} 5, 1947"):
        assert case.judged(lambda ds, text=text: setattr(ds, _LABEL, text)) is not None, text
    assert case.judged(lambda ds: setattr(ds, _LABEL, f"06 {month} 1947")) is None


@pytest.mark.parametrize("padding", ["", " ", "\0", "  "])
def test_a_uid_of_this_instance_among_the_uids_of_code_systems(make: ModuleType, padding: str) -> None:
    """(0008,0117) Context UID is kept; an instance's own UID in it is found, however it is padded."""
    uid = "1.2.826.0.1.3680043.10.77.12"
    case = Case(make.encode(make.dataset(FrameOfReferenceUID=uid, ContextUID="1.2.3.4.55")), make.policy("basic"))
    held = case.judged(lambda ds: ds.add_new(0x00080117, "UI", uid + padding))
    assert held is not None
    assert held.reason is Reason.IDENTIFIER_REMAINS


@pytest.mark.parametrize(
    "word",
    """prof med mrs miss von van der den del los las the and sir sen phd for anonymous anonymized anonymised anon
    unknown none removed""".split(),
)
def test_a_word_that_names_nobody(make: ModuleType, word: str) -> None:
    """Titles, particles and what earlier passes wrote instead of a name are no identifiers; the name beside them is."""
    case = Case(make.encode(make.dataset(PatientName=f"Quendel^{word}^{word.upper()}")), make.policy("basic"))
    assert case.judged(lambda ds: setattr(ds, _LABEL, f"lung {word} 7")) is None
    assert case.judged(lambda ds: setattr(ds, _LABEL, f"lung quendel {word}")) is not None


def test_a_short_name_counts_where_all_of_it_stands(make: ModuleType) -> None:
    """Three letters are a name; in the meaning of a code only all of its words are."""
    ds = make.dataset(PatientName="Li^A")
    ds.AnatomicRegionSequence = items(CodeValue="1", CodingSchemeDesignator="99X", CodeMeaning="Head")
    case = Case(make.encode(ds), make.policy("basic"))

    def meaning(text: str) -> Callable[[Dataset], Any]:
        return lambda ds: setattr(ds.AnatomicRegionSequence[0], "CodeMeaning", text)

    assert case.judged(meaning("A head")) is None
    assert case.judged(meaning("A head of Li")) is not None


@pytest.mark.parametrize("value", [["1.2.3.9", "1.2.3.4"], ["1.2.3.4", "1.2.3.9"], ["1.2.3.9 ", "1.2.3.4"]])
def test_a_short_uid_of_this_instance_among_others(make: ModuleType, value: list[str]) -> None:
    case = Case(make.encode(small(make, ContextUID="1.2.3.4.55")), make.policy("basic"))
    assert case.judged(lambda ds: ds.add_new(0x00080117, "UI", ["1.2.3.4.1", "1.2.3.8"])) is None
    held = case.judged(lambda ds: ds.add_new(0x00080117, "UI", value))
    assert held is not None
    assert held.reason is Reason.IDENTIFIER_REMAINS


def test_constants_say_nothing_even_where_a_patient_is_called_so(make: ModuleType) -> None:
    """Alone or as one of several values; beside another identifier they hide nothing."""
    ds = make.dataset(PatientID="REMOVED", AccessionNumber="QX-7712/04")
    case = Case(make.encode(ds), make.policy("basic"))
    for value in ("REMOVED", ["REMOVED", "REMOVED"], ["lung", "REMOVED"], ["REMOVED", ""]):
        assert case.judged(lambda ds, value=value: setattr(ds, _LABEL, value)) is None, value
    assert case.judged(lambda ds: setattr(ds, _LABEL, ["REMOVED", "QX-7712/04"])) is not None
