"""Instances that carry planted identifiers; what searches for those is `tests.system.searching`.

Many distinct instances are made fast: one encoded template per kind, in which a number of nine digits is replaced.
"""

from __future__ import annotations

import io
import itertools
from dataclasses import dataclass
from functools import cache

from pydicom import dcmread, dcmwrite
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, SurfaceScanMeshStorage

from tests.system.searching import MARKERS as MARKERS
from tests.system.searching import forms as forms
from tests.system.searching import found_in as found_in

_ROOT = MARKERS[2]
_NUMBER = "987654321"


@dataclass(frozen=True, slots=True)
class Planted:
    """One encoded instance and what it says of itself."""

    part10: bytes
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    kind: str


@cache
def _template(kind: str) -> tuple[bytes, str, str]:
    ds = dcmread(str(get_testdata_file("CT_small.dcm")))
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.PatientName = f"Zqxplant^N{_NUMBER}=曖昧模糊"
    ds.PatientID = f"ZQXIDENT{_NUMBER}"
    ds.PatientBirthDate = "19470913"
    ds.OtherPatientNames = f"Zqxplant^Other{_NUMBER}"
    ds.ReferringPhysicianName = "Zqxplant^Referrer"
    ds.InstitutionName = "Zqxplant Hospital"
    ds.AccessionNumber = "ZQXIDENT1"
    ds.StudyDescription = f"CT of Zqxplant {_NUMBER}"
    ds.PatientComments = "born 1947, see ZQXIDENT1"
    other = Dataset()
    other.PatientID, other.IssuerOfPatientID = f"ZQXIDENT{_NUMBER}-2", "Zqxplant Issuer"
    ds.OtherPatientIDsSequence = Sequence([other])
    source = Dataset()
    source.ReferencedSOPClassUID, source.ReferencedSOPInstanceUID = ds.SOPClassUID, f"{_ROOT}7.{_NUMBER}"
    ds.ReferencedImageSequence = Sequence([source])
    ds.private_block(0x0011, "Zqxplant GmbH", create=True).add_new(1, "LO", f"ZQXIDENT{_NUMBER}")
    ds.StudyInstanceUID, ds.SeriesInstanceUID = f"{_ROOT}1.{_NUMBER}", f"{_ROOT}2.{_NUMBER}"
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = UID(f"{_ROOT}3.{_NUMBER}")
    ds.FrameOfReferenceUID = f"{_ROOT}4.{_NUMBER}"
    if kind == "held":  # what shows a skin or a face, and no reader of text can say anything about
        ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = SurfaceScanMeshStorage
    buffer = io.BytesIO()
    dcmwrite(buffer, ds)
    return buffer.getvalue(), str(ds.SOPClassUID), str(ds.file_meta.TransferSyntaxUID)


def planted(number: int, kind: str = "plain") -> Planted:
    """Instance ``number``; ``kind`` is ``plain`` or ``held`` (released, or held by the default configuration)."""
    part10, sop_class, syntax = _template(kind)
    digits = str(100_000_000 + number)
    return Planted(part10.replace(_NUMBER.encode(), digits.encode()), sop_class, f"{_ROOT}3.{digits}", syntax, kind)


_NUMBERS = itertools.count(5_000_000)


def fresh(kind: str = "plain") -> Planted:
    """An instance that nobody has seen yet."""
    return planted(next(_NUMBERS), kind)
