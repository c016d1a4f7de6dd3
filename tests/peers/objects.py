"""Objects of nearly every kind that dciodvfy knows: each attribute of Table E.1-1 at each of its places in PS3.3.

Built from the tables of rules/standard alone; then dciodvfy is asked what else the object needs (a missing attribute is
added, one whose condition does not hold is taken out) until it has nothing more to say that this file can answer.
"""

from __future__ import annotations

import csv
import io
import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from pydicom.datadict import dictionary_VM, dictionary_VR, keyword_for_tag, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

STANDARD = Path(__file__).parents[2] / "rules" / "standard"
CT = "1.2.840.10008.5.1.4.1.1.2"
FAMILY = "Quastenflosser"
#: VR → a value; words of the patient, so that a cleaned text has to lose them
_BY_VR: dict[str, Any] = {
    "AE": "SCANNER7", "AS": "042Y", "AT": 0x00080020, "CS": "YES", "DA": "20240229", "DS": "1", "DT": "20240229101500",
    "FD": 1.0, "FL": 1.0, "IS": "1", "LO": f"{FAMILY} nodule", "LT": f"{FAMILY} nodule", "OB": b"\0\0", "OD": bytes(8),
    "OF": bytes(4), "OL": bytes(4), "OV": bytes(8), "OW": b"\0\0", "PN": f"{FAMILY}^Jane", "SH": FAMILY[:16], "SL": 1,
    "SS": 1, "ST": FAMILY, "SV": 1, "TM": "101500", "UC": f"{FAMILY} nodule", "UL": 1, "UN": b"\0\0",
    "UR": "http://a.example/", "US": 1, "UT": FAMILY, "UV": 1,
}  # fmt: skip
#: keyword → a value that its enumeration, its number of values or its neighbours ask for
_BY_KEYWORD: dict[str, Any] = {
    "AcquisitionTimeSynchronized": "Y", "AnchorPointAnnotationUnits": "PIXEL", "AnchorPointVisibility": "Y",
    "ApprovalStatus": "UNAPPROVED", "BeamType": "STATIC", "BitsAllocated": 16, "BitsStored": 16,
    "BoundingBoxAnnotationUnits": "PIXEL", "BoundingBoxTextHorizontalJustification": "LEFT", "BurnedInAnnotation": "NO",
    "Columns": 2, "CompletionFlag": "COMPLETE", "ContentQualification": "PRODUCT", "ContinuityOfContent": "SEPARATE",
    "DistributionType": "NAMED_PROTOCOL", "FlowCompensationDirection": "PHASE", "FrameLaterality": "L",
    "GraphicAnnotationUnits": "PIXEL", "GraphicDimensions": 2, "GraphicType": "POINT", "HighBit": 15,
    "ImageLaterality": "L", "FrameType": ["ORIGINAL", "PRIMARY", "AXIAL", "NONE"],
    "ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL", "NONE"],
    "InstanceOriginStatus": "LOCAL",
    "InterventionStatus": "PRE", "Laterality": "L", "LossyImageCompression": "00", "MagnetizationTransfer": "NONE",
    "ObserverType": "PSN", "OverlayBitPosition": 0, "OverlayType": "G", "ParallelAcquisitionTechnique": "SENSE",
    "PartialFourierDirection": "PHASE", "PatientOrientation": ["L", "P"], "PatientSex": "F",
    "PatientSexNeutered": "ALTERED",
    "PhotometricInterpretation": "MONOCHROME2", "PixelData": bytes(8),
    "PixelPresentation": "MONOCHROME", "PixelRepresentation": 0,
    "PresentationIntentType": "FOR PRESENTATION", "PresentationLUTShape": "IDENTITY",
    "PresentationSizeMode": "SCALE TO FIT", "RecognizableVisualFeatures": "NO",
    "RegionLocationMaxX1": 1, "RegionLocationMaxY1": 1, "RegionLocationMinX0": 0, "RegionLocationMinY0": 0,
    "RescaleIntercept": "0", "RescaleType": "US", "Rows": 2,
    "SpatialPresaturation": "NONE",
    "SpectrallySelectedExcitation": "NONE", "SynchronizationTrigger": "NO TRIGGER", "Tagging": "NONE",
    "ValueType": "TEXT", "VerificationFlag": "VERIFIED", "VolumetricProperties": "VOLUME", "WaveformBitsAllocated": 16,
    "WaveformOriginality": "ORIGINAL", "WaveformSampleInterpretation": "SS",
}  # fmt: skip
#: type 1C: a code has one of three values, and the first is there
_OTHER_CODES = frozenset({0x00080119, 0x00080120})
#: a functional group is either shared or by frame
_SHARED, _BY_FRAME = "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"
_SURPLUS = ("condition unsatisfied", "Shall not be present", "already used")
_ERROR = re.compile(r"Error - </([^>]*)> - (.*)")
_STEP = re.compile(r"\(([0-9a-f]{4}),([0-9a-f]{4})\)(?:\[(\d+)\])?")


def rows(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((STANDARD / f"{name}.csv").read_text(encoding="utf-8"))))


@cache
def kinds() -> dict[str, str]:
    """IOD → its first SOP class."""
    found: dict[str, str] = {}
    for row in rows("iod-modules"):
        found.setdefault(row["iod"], row["sop_class_uid"])
    return found


@cache
def _modules() -> dict[str, list[tuple[tuple[str, ...], int]]]:
    """Module → path and tag of each attribute of Table E.1-1 in it."""
    found: dict[str, list[tuple[tuple[str, ...], int]]] = {}
    for row in rows("module-attribute-types"):
        path = tuple(row["path"].split(".")) if row["path"] else ()
        tag = int((row["tag"][1:5] + row["tag"][6:10]).replace("x", "0"), 16)  # curves, overlays: the first of sixteen
        found.setdefault(row["module"], []).append((path, tag))
    return found


def places(sop_class: str) -> Iterator[tuple[tuple[str, ...], int]]:
    """Every place of all modules of an IOD, whatever their usage."""
    every = [place for row in rows_of(sop_class) for place in _modules().get(row, [])]
    by_frame = {path[1] for path, _ in every if path[:1] == (_BY_FRAME,) and len(path) > 1}
    return ((path, tag) for path, tag in every if path[:1] != (_SHARED,) or not by_frame.intersection(path[1:2]))


@cache
def rows_of(sop_class: str) -> tuple[str, ...]:
    return tuple(row["module"] for row in rows("iod-modules") if row["sop_class_uid"] == sop_class)


def add(ds: Dataset, path: Iterable[str], tag: int) -> None:
    """The attribute with a value, below the first item of each sequence of ``path``."""
    for keyword in path:
        step = tag_for_keyword(keyword)
        assert step is not None, keyword
        if step not in ds:
            ds.add(DataElement(step, "SQ", Sequence([Dataset()])))
        ds = ds[step].value[0]
    if tag in ds:
        return
    vr = dictionary_VR(tag).split(" or ")[-1]
    if vr == "SQ":
        ds.add(DataElement(tag, vr, Sequence([Dataset()])))
    else:
        ds.add(DataElement(tag, vr, _value(tag, vr)))


def _value(tag: int, vr: str) -> Any:
    keyword = keyword_for_tag(tag)
    if keyword in _BY_KEYWORD:
        return _BY_KEYWORD[keyword]
    if vr == "UI":
        return CT if "SOPClass" in keyword else "0"
    value, least = _BY_VR[vr], dictionary_VM(tag).split("-")[0]
    many = least.isdecimal() and int(least) > 1 and not isinstance(value, bytes)
    return [value] * int(least) if many else value


def encoded(ds: Dataset) -> bytes:
    """Part 10 whose head and data set name the same instance."""
    syntax = getattr(ds, "file_meta", {}).get("TransferSyntaxUID", ImplicitVRLittleEndian)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    ds.file_meta.ImplementationClassUID, ds.file_meta.FileMetaInformationVersion = "1.2.3.0", b"\0\1"
    ds.preamble = bytes(128)
    out = io.BytesIO()
    dcmwrite(out, ds, enforce_file_format=True, overwrite=True)
    return out.getvalue()


def errors(dciodvfy: Path, data: bytes) -> list[str]:
    """What dciodvfy says is wrong."""
    with tempfile.NamedTemporaryFile(suffix=".dcm") as file:
        file.write(data)
        file.flush()
        done = subprocess.run([str(dciodvfy), "-new", file.name], capture_output=True, timeout=60, check=False)
    lines = (done.stdout + done.stderr).decode("latin-1").splitlines()
    assert not any("Tag read failed" in line for line in lines), "dciodvfy could not read the object"
    return [line for line in lines if line.startswith("Error")]


def build(dciodvfy: Path, sop_class: str) -> bytes:
    """An object of ``sop_class``; b"" where dciodvfy does not know the IOD."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = sop_class
    for path, tag in places(sop_class):
        add(ds, path, tag)
    done: set[str] = set()
    while True:
        _number(ds)
        data = encoded(ds)
        found = errors(dciodvfy, data)
        if any("Information Object Not found" in line for line in found):
            return b""
        before, thinned = len(done), set()
        for line in found:
            _mend(ds, line, done, thinned)
        if len(done) == before:
            return data


def _number(ds: Dataset) -> None:
    """No two UIDs are the same."""
    for number, element in enumerate(e for e in ds.iterall() if e.VR == "UI" and "SOPClass" not in e.keyword):
        element.value = f"1.2.3.{number + 1}"


def _mend(ds: Dataset, line: str, done: set[str], thinned: set[int]) -> None:
    """Answer ``line``. Each place is changed once; of attributes that exclude each other one goes in a round."""
    match = _ERROR.match(line)
    if match is None:
        return
    place, what = match[1], match[2]
    *path, (group, element, _) = _STEP.findall(place)
    for step in path:
        items = ds.get(int(step[0] + step[1], 16))
        if items is None:
            return
        ds = items.value[int(step[2] or 1) - 1]
    tag = int(group + element, 16)
    if what.startswith("Missing attribute for Type"):
        if tag not in ds and tag not in _OTHER_CODES and f"- {place}" not in done:
            done.add(f"+ {place}")
            add(ds, (), tag)
    elif tag in ds and id(ds) not in thinned and any(words in what for words in _SURPLUS):
        done.add(f"- {place}")
        thinned.add(id(ds))
        del ds[tag]
