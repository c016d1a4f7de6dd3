"""What the objects of `viewer_objects` and `viewer_derived` are made of: items, codes, identity, Part 10.

Every value that names somebody holds one of `planting.MARKERS`, and so does every UID.
"""

from __future__ import annotations

import io
from typing import Any

import pydicom
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian

from tests.system.planting import MARKERS

ROOT = MARKERS[2]


def identify(ds: Dataset, number: int, series: int, instance: int, **values: Any) -> Dataset:
    """``number``: the patient's, of one study."""
    uid = f"{100_000_000 + number}"
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = f"Zqxplant^N{uid}", f"ZQXIDENT{uid}", "19470913"
    ds.ReferringPhysicianName, ds.InstitutionName = "Zqxplant^Referrer", "Zqxplant Hospital"
    ds.OperatorsName, ds.StationName = "Zqxplant^Operator", "ZQXIDENT1"
    ds.AccessionNumber, ds.StudyID = "ZQXIDENT1", "ZQXIDENT1"
    ds.StudyDescription, ds.SeriesDescription = f"Study of Zqxplant {uid}", "Zqxplant series"
    ds.PatientComments = "born 1947, see ZQXIDENT1"
    ds.StudyDate, ds.StudyTime = f"2019{number:02d}11", "101112"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = f"{ROOT}1.{uid}", f"{ROOT}2.{uid}.{series}"
    ds.SOPInstanceUID, ds.FrameOfReferenceUID = f"{ROOT}3.{uid}.{series}.{instance}", f"{ROOT}4.{uid}"
    ds.SeriesNumber, ds.InstanceNumber = series, instance
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


def encoded(ds: Dataset) -> bytes:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = getattr(ds, "file_meta", {}).get("TransferSyntaxUID", ExplicitVRLittleEndian)
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = UID(ds.SOPClassUID), UID(ds.SOPInstanceUID)
    ds.file_meta = meta
    out = io.BytesIO()
    pydicom.dcmwrite(out, ds, enforce_file_format=True)
    return out.getvalue()


def item(**values: Any) -> Dataset:
    ds = Dataset()
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


def code(value: str, scheme: str, meaning: str) -> Sequence:
    return Sequence([item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)])


def reference(ds: Dataset) -> Dataset:
    return item(ReferencedSOPClassUID=ds.SOPClassUID, ReferencedSOPInstanceUID=ds.SOPInstanceUID)
