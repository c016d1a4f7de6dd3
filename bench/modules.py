"""The modules that every composite instance of the bench shares (PS3.3 C.7.1 - C.7.5, C.12), full of synthetic PHI."""

from __future__ import annotations

from io import BytesIO

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from bench.people import Seeded, code, one, reference

#: Storage SOP classes (PS3.4 B.5)
CT = "1.2.840.10008.5.1.4.1.1.2"
ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
COMPREHENSIVE_SR = "1.2.840.10008.5.1.4.1.1.88.33"
_STUDY_COMPONENT = "1.2.840.10008.3.1.2.3.3"


def composite(seeded: Seeded, sop_class: str, modality: str) -> Dataset:
    """A data set with Patient, General Study, General Series, General Equipment and SOP Common."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class, seeded.uid()
    _patient(ds, seeded)
    _study(ds, seeded)
    _series(ds, seeded, modality)
    _equipment(ds, seeded)
    return ds


def encode(ds: Dataset) -> bytes:
    """The instance as a Part 10 file (PS3.10)."""
    file = BytesIO()
    ds.save_as(file, enforce_file_format=True)
    return file.getvalue()


def _patient(ds: Dataset, s: Seeded) -> None:
    ds.PatientName, ds.PatientID, ds.IssuerOfPatientID = s.name(), "MRN" + s.number(8), "NORTHGATE"
    ds.PatientBirthDate, ds.PatientSex = "19" + s.day()[2:], s.random.choice("FM")
    ds.OtherPatientNames, ds.EthnicGroup, ds.PatientComments = s.name(), "unknown", "prefers mornings"
    ds.PatientAge, ds.PatientSize, ds.PatientWeight = f"0{s.random.randrange(20, 90)}Y", "1.72", "70.5"
    ds.PatientAddress, ds.PatientTelephoneNumbers = f"{s.number(2)} Harbour Lane", "+44 1632 " + s.number(6)
    ds.Occupation, ds.AdditionalPatientHistory = "miller", "cough for three weeks"
    other = Dataset()
    other.PatientID, other.IssuerOfPatientID, other.TypeOfPatientID = "X" + s.number(7), "LAKEVIEW", "TEXT"
    ds.OtherPatientIDsSequence = one(other)


def _study(ds: Dataset, s: Seeded) -> None:
    ds.StudyInstanceUID, ds.StudyID, ds.AccessionNumber = s.uid(), s.number(5), "A" + s.number(9)
    ds.StudyDate, ds.StudyTime, ds.StudyDescription = s.day(), s.time(), "CHEST ROUTINE"
    ds.ReferringPhysicianName, ds.NameOfPhysiciansReadingStudy = s.name(), s.name()
    ds.ProcedureCodeSequence = one(code("CTCHEST", "99BENCH", "CT of the chest"))
    ds.ReferencedStudySequence = one(reference("1.2.840.10008.3.1.2.3.1", s.uid()))
    physician = Dataset()
    physician.PersonIdentificationCodeSequence = one(code(s.number(6), "99STAFF", s.name()))
    physician.InstitutionName, physician.PersonAddress = s.place(), f"{s.number(3)} Mill Road"
    ds.ReferringPhysicianIdentificationSequence = one(physician)


def _series(ds: Dataset, s: Seeded, modality: str) -> None:
    ds.Modality, ds.SeriesInstanceUID, ds.SeriesNumber = modality, s.uid(), int(s.number(2))
    ds.SeriesDate, ds.SeriesTime, ds.SeriesDescription = ds.StudyDate, s.time(), "thin slices"
    ds.OperatorsName, ds.PerformingPhysicianName, ds.ProtocolName = s.name(), s.name(), "Thorax 5.0"
    ds.PerformedProcedureStepID, ds.PerformedProcedureStepDescription = s.number(6), "chest"
    ds.PerformedProcedureStepStartDate, ds.PerformedProcedureStepStartTime = ds.StudyDate, s.time()
    request = Dataset()
    request.RequestedProcedureID, request.ScheduledProcedureStepID = s.number(6), s.number(6)
    request.RequestedProcedureDescription, request.AccessionNumber = "CT chest", ds.AccessionNumber
    request.StudyInstanceUID = ds.StudyInstanceUID
    request.RequestedProcedureCodeSequence = one(code("CTCHEST", "99BENCH", "CT of the chest"))
    request.ScheduledProtocolCodeSequence = one(code("P5", "99BENCH", "protocol five"))
    ds.RequestAttributesSequence = one(request)
    ds.ReferencedPerformedProcedureStepSequence = one(reference(_STUDY_COMPONENT, s.uid()))


def _equipment(ds: Dataset, s: Seeded) -> None:
    ds.Manufacturer, ds.ManufacturerModelName, ds.SoftwareVersions = "Bench Works", "Bench 64", ["1.0", "b7"]
    ds.InstitutionName, ds.InstitutionAddress, ds.InstitutionalDepartmentName = s.place(), "Port Street 1", "Radiology"
    ds.StationName, ds.DeviceSerialNumber = "CT" + s.number(2), s.number(10)
    ds.DateOfLastCalibration, ds.TimeOfLastCalibration = ds.StudyDate, s.time()
    ds.InstanceCreationDate, ds.InstanceCreationTime, ds.InstanceCreatorUID = ds.StudyDate, s.time(), s.uid()
    ds.InstanceNumber = 1
