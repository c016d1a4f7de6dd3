"""dciodvfy (dicom3tools) finds no error in what leaves that it did not find in what came: the object stays valid.

The instances are pydicom's own. Where a file names two SOP Instance UIDs (its meta information and its data set), as
the RT files do, the copy that is used here names one. Deflated files are left out: dciodvfy does not read them.
"""

from __future__ import annotations

import io
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import data_store
import pydicom
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.sequence import Sequence

from proxy.deid.engine import deidentify
from proxy.deid.profile import PolicySpec, compile_policy
from proxy.deid.types import Claimed, materialise
from proxy.store.rulebook import load_profile, load_tables

#: pydicom warns about flaws of its own test files
pytestmark = [pytest.mark.peer, pytest.mark.filterwarnings("ignore::UserWarning")]
BUNDLED = Path(pydicom.__file__).parent / "data" / "test_files"
FILES = [
    "CT_small.dcm", "MR_small.dcm", "MR_small_implicit.dcm", "MR_small_bigendian.dcm", "693_J2KI.dcm",
    "eCT_Supplemental.dcm", "emri_small.dcm", "examples_overlay.dcm", "examples_ybr_color.dcm", "examples_palette.dcm",
    "US1_UNCI.dcm", "SC_rgb.dcm", "SC_rgb_jpeg_gdcm.dcm", "liver_1frame.dcm", "liver.dcm", "rtplan.dcm",
    "rtdose.dcm", "rtstruct.dcm", "reportsi.dcm", "test-SR.dcm", "waveform_ecg.dcm", "JPEG2000.dcm",
]  # fmt: skip

_RETAINING = (
    "rtn_safe_priv",
    "rtn_dev_id",
    "rtn_inst_id",
    "rtn_pat_chars",
    "clean_desc",
    "clean_struct",
    "clean_graph",
)
#: options alone and where they meet
OPTIONED: dict[str, tuple[str, ...]] = {
    "descriptors": ("clean_desc",),
    "structured": ("clean_struct", "clean_graph"),
    "modified": (*_RETAINING, "rtn_long_modif"),
    "full": (*_RETAINING, "rtn_long_full", "rtn_uids"),
}


def find(name: str) -> Path:
    found = [*BUNDLED.rglob(name)]
    if not found:
        found = [*Path(data_store.__file__).parent.rglob(name)]
    return found[0]


def bundled(name: str) -> Dataset:
    return dcmread(find(name), force=True)


def encoded(ds: Dataset) -> bytes:
    """As a file whose head and data set name the same instance."""
    if "TransferSyntaxUID" not in getattr(ds, "file_meta", ()):
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2"
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.preamble = bytes(128)
    out = io.BytesIO()
    dcmwrite(out, ds, overwrite=True)
    return out.getvalue()


def errors(program: Path, data: bytes, where: Path) -> set[str]:
    """dciodvfy's errors, without what differs between two copies of one object: values and item numbers."""
    where.write_bytes(data)
    done = subprocess.run([str(program), "-new", str(where)], capture_output=True, timeout=60, check=False)
    lines = (done.stdout + done.stderr).decode("latin-1").splitlines()
    assert not any("Tag read failed" in line for line in lines), "dciodvfy could not read the object"
    return {re.sub(r" = <[^>]*>|\[\d+\]", "", line) for line in lines if line.startswith("Error")}


#: Table E.1-1 removes them (X), PS3.3 C.11.10 requires them (type 1). The table is followed to the letter; with
#: rtn_long_modif they are moved instead and the contradiction does not arise.
CONTRADICTIONS = {
    f"Error - </PresentationCreation{name}> - Missing attribute for Type 1 Required - {module}"
    for name in ("Date(0070,0082)", "Time(0070,0083)")
    for module in ("Module=<PresentationStateIdentification>",)
}


def compare(dciodvfy: Path, data: bytes, profile: str, folder: Path) -> None:
    rules = load_profile("basic" if profile in OPTIONED else profile)
    rules = {**rules, "options": list(OPTIONED.get(profile, rules["options"])), "documents": "dummy"}
    spec = PolicySpec("p", rules, bytes(32), blank_patient_id="per-study", uninspected_pixels="forward")
    result = deidentify(memoryview(data), Claimed(), compile_policy(load_tables(), spec))
    before = errors(dciodvfy, data, folder / "before.dcm")
    after = errors(dciodvfy, materialise(result.chunks, data), folder / "after.dcm")
    longitudinal = {"rtn_long_full", "rtn_long_modif"}.intersection(rules["options"])
    assert after - before - (set() if longitudinal else CONTRADICTIONS) == set()


@pytest.mark.parametrize("profile", ["basic", "research", *OPTIONED])
@pytest.mark.parametrize("name", FILES)
def test_no_new_error(program: Callable[[str], Path], tmp_path: Path, name: str, profile: str) -> None:
    compare(program("dciodvfy"), encoded(bundled(name)), profile, tmp_path)


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


@pytest.mark.parametrize("profile", ["basic", "research", *OPTIONED])
@pytest.mark.parametrize("make", [verified_report, presentation_state])
def test_no_new_error_where_a_sequence_is_replaced(
    program: Callable[[str], Path], tmp_path: Path, make: Callable[[], Dataset], profile: str
) -> None:
    data = encoded(make())
    compare(program("dciodvfy"), data, profile, tmp_path)
    assert b"Planted" in data
    assert b"Planted" not in (tmp_path / "after.dcm").read_bytes()


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


@pytest.mark.parametrize("profile", ["basic", "modified", "full"])
@pytest.mark.parametrize("number", DOCUMENTS)
def test_no_new_error_where_a_document_is_replaced(
    program: Callable[[str], Path], tmp_path: Path, number: int, profile: str
) -> None:
    dciodvfy, data = program("dciodvfy"), encoded(encapsulated(number))
    compare(dciodvfy, data, profile, tmp_path)
    assert b"Planted" in data
    out = (tmp_path / "after.dcm").read_bytes()
    assert b"Planted" not in out
    if number in UNKNOWN:
        told = [copy.replace(b"1.1.104.%d" % number, b"1.1.104.%d" % UNKNOWN[number]) for copy in (data, out)]
        before, after = (errors(dciodvfy, each, tmp_path / "told.dcm") for each in told)
        assert after - before == set()


def test_dcmtk_takes_the_dummy_pdf_out(program: Callable[[str], Path], tmp_path: Path) -> None:
    compare(program("dciodvfy"), encoded(encapsulated(1)), "basic", tmp_path)
    target = tmp_path / "out.pdf"
    subprocess.run([str(program("dcm2pdf")), str(tmp_path / "after.dcm"), str(target)], check=True, timeout=60)
    assert target.read_bytes() == dcmread(tmp_path / "after.dcm").EncapsulatedDocument
    assert target.read_bytes().startswith(b"%PDF-1.4")
