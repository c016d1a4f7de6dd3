"""dciodvfy (dicom3tools) finds no error in what leaves that it did not find in what came: the object stays valid.

Every option of Table E.1-1 alone, every shipped profile, and all options that go together, over pydicom's own files and
over objects that `objects` builds, in which each attribute of the table stands at each of its places. The gate reads
each output too. ``VEIL_OBJECTS=all``: every kind of object that dciodvfy knows.

Where one of pydicom's files names two SOP Instance UIDs (in its meta information and its data set), the copy that is
used here names one. Deflated files are left out: dciodvfy does not read them.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import data_store
import pydicom
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from proxy.deid.engine import deidentify
from proxy.deid.profile import Policy, PolicySpec, compile_policy
from proxy.deid.types import Claimed, materialise
from proxy.deid.verify import Gate
from proxy.errors import InstanceHeld, Reason
from proxy.store.rulebook import load_profile, load_tables, rules_root
from tests.peers.objects import build, encoded, errors, kinds, rows

#: pydicom warns about flaws of its own test files
pytestmark = [pytest.mark.peer, pytest.mark.filterwarnings("ignore::UserWarning")]
GATE = Gate(bytes(32))
BUNDLED = Path(pydicom.__file__).parent / "data" / "test_files"
FILES = [
    "CT_small.dcm", "MR_small.dcm", "MR_small_implicit.dcm", "MR_small_bigendian.dcm", "693_J2KI.dcm",
    "eCT_Supplemental.dcm", "emri_small.dcm", "examples_overlay.dcm", "examples_ybr_color.dcm", "examples_palette.dcm",
    "US1_UNCI.dcm", "SC_rgb.dcm", "SC_rgb_jpeg_gdcm.dcm", "liver_1frame.dcm", "liver.dcm", "rtplan.dcm",
    "rtdose.dcm", "rtstruct.dcm", "reportsi.dcm", "test-SR.dcm", "waveform_ecg.dcm", "JPEG2000.dcm",
]  # fmt: skip
#: kinds that pydicom has no file of, or no other than one that the table hardly touches
KINDS = """\
digital-mammography-x-ray-image breast-tomosynthesis-image digital-x-ray-image ct-image enhanced-mr-image
positron-emission-tomography-image enhanced-pet-image nuclear-medicine-image ultrasound-multi-frame-image
enhanced-xa-image secondary-capture-image vl-microscopic-image ophthalmic-tomography-image segmentation
color-softcopy-presentation-state basic-structured-display spatial-registration key-object-selection-document
comprehensive-sr x-ray-radiation-dose-sr rt-structure-set rt-ion-plan rt-brachy-treatment-record 12-lead-ecg""".split()

OPTIONS = [column for column in rows("ps3.15-e1-1")[0] if column.startswith(("rtn_", "clean_"))]
SHIPPED = sorted(path.stem for path in (rules_root() / "profiles").glob("*.yaml"))
#: name → base and options
POLICIES: dict[str, tuple[str, list[str] | None]] = {
    **{name: (name, None) for name in SHIPPED},
    **{option: ("basic", [option]) for option in OPTIONS},
    "everything, moved": ("basic", [option for option in OPTIONS if option != "rtn_long_full"]),
    "everything, full": ("basic", [option for option in OPTIONS if option != "rtn_long_modif"]),
}
#: where the standard contradicts itself: Table E.1-1 says D for the name of the committee and X for its approval
#: number, PS3.3 C.7.1.3 that the name may only stand beside the number
CONTRADICTION = (
    "Error - </ClinicalTrialProtocolEthicsCommitteeName(0012,0081)> - Attribute present when condition unsatisfied"
)
#: why a kind is held whole
WHOLE = {Reason.UNSUPPORTED_CONTENT, Reason.MISSING_UID}
#: documents are replaced, and pixels let through as they are: what the attributes become is judged here
ONLY_ATTRIBUTES = {"documents": "dummy", "pixels": {"faces": "forward", "text": "off", "ultrasound": "off"}}


@cache
def policy(name: str) -> Policy:
    base, options = POLICIES[name]
    rules = load_profile(base)
    rules = {**rules, "options": rules["options"] if options is None else options, **ONLY_ATTRIBUTES}
    spec = PolicySpec("p", rules, bytes(32), blank_patient_id="per-study", uninspected_pixels="forward")
    return compile_policy(load_tables(), spec)


def counted(dciodvfy: Path, data: bytes) -> Counter[str]:
    """Errors, without what differs between two copies of one object: values and item numbers."""
    return Counter(re.sub(r" = <[^>]*>|\[\d+\]", "", line) for line in errors(dciodvfy, data))


def outcomes(dciodvfy: Path, data: bytes) -> Iterator[tuple[str, bytes | InstanceHeld, list[str]]]:
    """Policy, output, and what is wrong in it that was not in the input."""
    before = counted(dciodvfy, data)
    seen: dict[bytes, list[str]] = {}
    for name in POLICIES:
        under = policy(name)
        try:
            result = deidentify(memoryview(data), Claimed(), under)
        except InstanceHeld as held:
            yield name, held, []
            continue
        out = materialise(result.chunks, data)
        if out not in seen:
            seen[out] = sorted((counted(dciodvfy, out) - before).elements())
        wrong = list(seen[out])
        try:
            GATE.verify(memoryview(data), result, under)
        except InstanceHeld as held:  # a name in a text that the profile keeps
            wrong += [] if held.reason is Reason.IDENTIFIER_REMAINS else [f"gate: {held}"]
        yield name, out, [f"{name}: {line}" for line in wrong if not line.startswith(CONTRADICTION)]


def find(name: str) -> Path:
    found = [*BUNDLED.rglob(name)]
    if not found:
        found = [*Path(data_store.__file__).parent.rglob(name)]
    return found[0]


def bundled(name: str) -> Dataset:
    return dcmread(find(name), force=True)


def refused(under: str, held: InstanceHeld) -> bool:
    """Modalities that the mammography profile refuses."""
    return under == "mammography" and held.reason is Reason.REFUSED_BY_RULE


@pytest.mark.parametrize("name", FILES)
def test_no_new_error(program: Callable[[str], Path], name: str) -> None:
    for under, out, wrong in outcomes(program("dciodvfy"), encoded(bundled(name))):
        assert not isinstance(out, InstanceHeld) or refused(under, out), f"{under}: {out}"
        assert wrong == []


def test_the_kinds_are_at_least_twenty() -> None:
    assert len({bundled(name).SOPClassUID for name in FILES} | {kinds()[iod] for iod in KINDS}) >= 20
    assert len(OPTIONS) == 10


@pytest.mark.parametrize("iod", kinds() if os.environ.get("VEIL_OBJECTS") == "all" else KINDS)
def test_no_new_error_where_every_attribute_of_the_table_stands(program: Callable[[str], Path], iod: str) -> None:
    dciodvfy = program("dciodvfy")
    if iod == "basic-directory":
        return  # no instance (PS3.10)
    data = build(dciodvfy, kinds()[iod])
    if not data:
        assert iod not in KINDS
        return
    for under, out, wrong in outcomes(dciodvfy, data):
        if isinstance(out, InstanceHeld):
            assert iod not in KINDS
            assert out.reason in WHOLE or refused(under, out), f"{under}: {out}"
        assert wrong == []


def patient(ds: Dataset) -> Dataset:
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = "Doe^Jane", "4711", "19500101", "F"
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID = "1.2.3", "1.2.3.1", "1.2.3.1.1"
    ds.StudyDate, ds.StudyTime, ds.AccessionNumber, ds.StudyID = "20240229", "101500", "A1", "S1"
    ds.ReferringPhysicianName, ds.Manufacturer, ds.SeriesNumber, ds.InstanceNumber = "Roe^R", "M", 1, 1
    return ds


def code(value: str, scheme: str, meaning: str) -> Sequence:
    ds = Dataset()
    ds.CodeValue, ds.CodingSchemeDesignator, ds.CodeMeaning = value, scheme, meaning
    return Sequence([ds])


def reference(sop_class: str = "1.2.840.10008.5.1.4.1.1.2", instance: str = "1.2.3.9.1") -> Dataset:
    ds = Dataset()
    ds.ReferencedSOPClassUID, ds.ReferencedSOPInstanceUID = sop_class, instance
    return ds


def verified_report() -> Dataset:
    """A signed Basic Text SR whose content, observer and organisation name people."""
    ds = patient(Dataset())
    ds.SOPClassUID, ds.Modality = "1.2.840.10008.5.1.4.1.1.88.11", "SR"
    ds.ContentDate, ds.ContentTime = "20240229", "103000"
    ds.ReferencedPerformedProcedureStepSequence = []
    ds.PerformedProcedureCodeSequence = []
    ds.CompletionFlag, ds.VerificationFlag, ds.ValueType, ds.ContinuityOfContent = (
        "COMPLETE",
        "VERIFIED",
        "CONTAINER",
        "SEPARATE",
    )
    observer = Dataset()
    observer.VerifyingOrganization, observer.VerificationDateTime = "St. Planted", "20240229110000"
    observer.VerifyingObserverName = "Planted^Signer"
    observer.VerifyingObserverIdentificationCodeSequence = code("P1", "99LOCAL", "Planted^Signer")
    ds.VerifyingObserverSequence = [observer]
    ds.ConceptNameCodeSequence = code("11528-7", "LN", "Radiology Report")
    text = Dataset()
    text.RelationshipType, text.ValueType = "CONTAINS", "TEXT"
    text.ConceptNameCodeSequence = code("121071", "DCM", "Finding")
    text.TextValue = "Planted, Jane has a cough"
    ds.ContentSequence = [text]
    return ds


def presentation_state() -> Dataset:
    """A GSPS with a text that names the patient."""
    ds = patient(Dataset())
    ds.SOPClassUID, ds.Modality = "1.2.840.10008.5.1.4.1.1.11.1", "PR"
    ds.ContentLabel, ds.ContentDescription, ds.ContentCreatorName = "PLANTED", "", "Planted^Author"
    ds.PresentationCreationDate, ds.PresentationCreationTime = "20240229", "103000"
    series = Dataset()
    series.SeriesInstanceUID, series.ReferencedImageSequence = "1.2.3.9", [reference()]
    ds.ReferencedSeriesSequence = [series]
    area = Dataset()
    area.DisplayedAreaTopLeftHandCorner, area.DisplayedAreaBottomRightHandCorner = [1, 1], [512, 512]
    area.PresentationSizeMode, area.PresentationPixelAspectRatio = "SCALE TO FIT", [1, 1]
    ds.DisplayedAreaSelectionSequence = [area]
    layer = Dataset()
    layer.GraphicLayer, layer.GraphicLayerOrder = "L1", 1
    ds.GraphicLayerSequence = [layer]
    text = Dataset()
    text.UnformattedTextValue, text.AnchorPointAnnotationUnits = "Planted^Jane", "DISPLAY"
    text.AnchorPoint, text.AnchorPointVisibility = [0.1, 0.1], "N"
    annotation = Dataset()
    annotation.GraphicLayer, annotation.TextObjectSequence = "L1", [text]
    annotation.ReferencedImageSequence = [reference()]
    ds.GraphicAnnotationSequence = [annotation]
    ds.PresentationLUTShape = "IDENTITY"
    return ds


@pytest.mark.parametrize("make", [verified_report, presentation_state])
def test_no_new_error_where_a_sequence_is_replaced(program: Callable[[str], Path], make: Callable[[], Dataset]) -> None:
    data = encoded(make())
    assert b"Planted" in data
    for under, out, wrong in outcomes(program("dciodvfy"), data):
        assert not isinstance(out, InstanceHeld), under
        assert wrong == []
        assert b"Planted" not in out


#: of the encapsulated documents: by the last number of their SOP class (PS3.6 Table A-1)
DOCUMENTS = {1: "application/pdf", 2: "text/XML", 3: "model/stl", 4: "model/obj", 5: "model/mtl"}
#: dciodvfy knows neither OBJ nor MTL: it is told STL, whose modules are the same (MTL may have a frame of reference)
UNKNOWN = {4: 3, 5: 3}


def encapsulated(number: int) -> Dataset:
    """A document about a patient, verified, derived from an image."""
    ds = patient(Dataset())
    ds.SOPClassUID = f"1.2.840.10008.5.1.4.1.1.104.{number}"
    ds.ContentDate, ds.ContentTime, ds.AcquisitionDateTime = "20240229", "101500", "20240229101500"
    ds.BurnedInAnnotation, ds.DocumentTitle, ds.VerificationFlag = "YES", "Letter about Planted, Jane", "VERIFIED"
    ds.ConceptNameCodeSequence = code("18748-4", "LN", "Diagnostic Imaging Report")
    ds.MIMETypeOfEncapsulatedDocument = DOCUMENTS[number]
    ds.EncapsulatedDocument, ds.EncapsulatedDocumentLength = b"about Planted^Jane", 18
    ds.SourceInstanceSequence = [reference()]
    if number < 3:
        ds.Modality, ds.ConversionType = "DOC", "WSD"
    else:
        ds.Modality, ds.ManufacturerModelName, ds.DeviceSerialNumber, ds.SoftwareVersions = "M3D", "M1", "S1", "1"
        ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = "1.2.3.7", ""
        ds.MeasurementUnitsCodeSequence = code("mm", "UCUM", "mm")
        ds.ModelModification, ds.ModelMirroring = "YES", "NO"
        ds.ModelUsageCodeSequence = code("129014", "DCM", "Planning Intent")
    if number == 2:
        ds.HL7InstanceIdentifier, ds.ListOfMIMETypes = "1.2.3.4.5^Planted", ["image/jpeg"]
    return ds


@pytest.mark.parametrize("number", DOCUMENTS)
def test_no_new_error_where_a_document_is_replaced(program: Callable[[str], Path], number: int) -> None:
    dciodvfy, data = program("dciodvfy"), encoded(encapsulated(number))
    assert b"Planted" in data
    for under, out, wrong in outcomes(dciodvfy, data):
        assert not isinstance(out, InstanceHeld), under
        assert wrong == []
        assert b"Planted" not in out
        if number in UNKNOWN:
            told = [copy.replace(b"1.1.104.%d" % number, b"1.1.104.%d" % UNKNOWN[number]) for copy in (data, out)]
            before, after = (counted(dciodvfy, each) for each in told)
            assert after - before == Counter(), under


def test_dcmtk_takes_the_dummy_pdf_out(program: Callable[[str], Path], tmp_path: Path) -> None:
    out = next(outcomes(program("dciodvfy"), encoded(encapsulated(1))))[1]
    assert not isinstance(out, InstanceHeld)
    source, target = tmp_path / "out.dcm", tmp_path / "out.pdf"
    source.write_bytes(out)
    subprocess.run([str(program("dcm2pdf")), str(source), str(target)], check=True, timeout=60)
    assert target.read_bytes() == dcmread(source).EncapsulatedDocument
    assert target.read_bytes().startswith(b"%PDF-1.4")
