"""dcm2niix, a converter that others wrote, reads the same diffusion and PET quantities before and after.

Retain Safe Private (PS3.15 E.3.10) keeps what Table E.3.10-1 lists: b-values and directions of a diffusion series, the
SUV factors of a PET series. The series are synthetic; what is compared is what the converter makes of them. It does not
read the SUV factors itself (v1.0.20220720): those are compared as the SUV that a reader computes with them.
"""

from __future__ import annotations

import io
import json
import math
import struct
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
)

from proxy.deid.profile import Policy, PolicySpec, compile_policy
from proxy.deid.types import Claimed, materialise
from proxy.service.ports import Released
from proxy.store.rulebook import load_profile, load_tables
from proxy.workers.judge import Judge

pytestmark = [pytest.mark.peer, pytest.mark.filterwarnings("ignore::UserWarning")]
SIDE = 8
#: b-value in s/mm², direction; the last is oblique
SHELLS = [
    (0, (0.0, 0.0, 0.0)), (1000, (1.0, 0.0, 0.0)), (1000, (0.0, 1.0, 0.0)), (1000, (0.0, 0.0, 1.0)),
    (2500, (0.6, 0.8, 0.0)), (700, (0.57735027, 0.57735027, 0.57735027)),
]  # fmt: skip
SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
OPTIONS = {
    "moved": ["rtn_safe_priv", "rtn_long_modif", "rtn_pat_chars", "clean_desc"],
    "full": ["rtn_safe_priv", "rtn_long_full", "rtn_pat_chars", "rtn_dev_id", "rtn_uids"],
}


def policy_of(options: Iterable[str]) -> Policy:
    profile = {**load_profile("basic"), "options": list(options)}
    return compile_policy(load_tables(), PolicySpec("research", profile, bytes(range(32))))


def image(sop_class: str, number: int, series: int) -> Dataset:
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class, f"1.2.3.{series}.{number}"
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = "1.2.3", f"1.2.3.{series}", "1.2.3.9"
    ds.PatientID, ds.PatientName, ds.PatientBirthDate, ds.PatientSex = "4711", "Zwetschgenmann^Q", "19470913", "O"
    ds.PatientWeight = "71.5"
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = "20200229"
    ds.StudyTime = ds.SeriesTime = ds.ContentTime = "101112"
    ds.AcquisitionTime = f"1012{number % 60:02d}"
    ds.SeriesNumber, ds.InstanceNumber, ds.AcquisitionNumber = series, number, 1
    ds.ProtocolName = ds.SeriesDescription = "Scan of Zwetschgenmann"
    ds.Rows = ds.Columns = SIDE
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit, ds.PixelRepresentation = 15, 0
    ds.PixelSpacing, ds.SliceThickness, ds.SpacingBetweenSlices = [2, 2], 2, 2
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.PatientPosition = "HFS"
    values = (number * 37 + pixel for pixel in range(SIDE * SIDE))
    ds.PixelData = struct.pack(f"<{SIDE * SIDE}H", *values)
    ds["PixelData"].VR = "OW"
    return ds


def diffusion(vendor: str) -> list[Dataset]:
    """Three slices of each b-value and direction, one slice an image, as the vendor writes them."""
    found = []
    for volume, (b, direction) in enumerate(SHELLS):
        for slice_ in range(3):
            ds = image(MRImageStorage, volume * 3 + slice_ + 1, 5)
            ds.Modality, ds.ImageType = "MR", ["ORIGINAL", "PRIMARY", "DIFFUSION", "NONE"]
            ds.ScanningSequence, ds.SequenceVariant, ds.MRAcquisitionType = "EP", "SK", "2D"
            ds.EchoTime, ds.RepetitionTime, ds.FlipAngle, ds.MagneticFieldStrength = 80, 5000, 90, 3
            ds.InPlanePhaseEncodingDirection = "COL"
            ds.ImagePositionPatient, ds.SliceLocation = [0, 0, 2 * slice_], 2 * slice_
            ds.AcquisitionNumber = volume + 1
            VENDORS[vendor](ds, b, direction)
            found.append(ds)
    return found


def _siemens(ds: Dataset, b: int, direction: tuple[float, ...]) -> None:
    ds.Manufacturer, ds.ManufacturerModelName = "SIEMENS", "Prisma"
    block = ds.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    block.add_new(0x08, "CS", "IMAGE NUM 4")
    block.add_new(0x0C, "IS", b)
    block.add_new(0x0D, "CS", "DIRECTIONAL" if b else "NONE")
    if b:
        block.add_new(0x0E, "FD", list(direction))
        x, y, z = direction
        block.add_new(0x27, "FD", [b * p * q for p, q in ((x, x), (x, y), (x, z), (y, y), (y, z), (z, z))])


def _philips(ds: Dataset, b: int, direction: tuple[float, ...]) -> None:
    ds.Manufacturer, ds.ManufacturerModelName = "Philips", "Ingenia"
    ds.DiffusionBValue, ds.DiffusionGradientOrientation = float(b), list(direction)
    block = ds.private_block(0x2001, "Philips Imaging DD 001", create=True)
    block.add_new(0x03, "FL", float(b))
    block.add_new(0x04, "CS", "I" if sum(map(bool, direction)) > 1 else "P")
    other = ds.private_block(0x2005, "Philips MR Imaging DD 001", create=True)
    for element, value in zip((0xB0, 0xB1, 0xB2), (direction[1], direction[2], direction[0]), strict=True):
        other.add_new(element, "FL", value)


VENDORS: dict[str, Callable[[Dataset, int, tuple[float, ...]], None]] = {"Siemens": _siemens, "Philips": _philips}


def pet() -> list[Dataset]:
    """Four slices in counts, as Philips writes them: the factors are private, the decay attributes are not."""
    found = []
    for number in range(1, 5):
        ds = image(PositronEmissionTomographyImageStorage, number, 6)
        ds.Modality, ds.Manufacturer, ds.ManufacturerModelName = "PT", "Philips Medical Systems", "GEMINI"
        ds.ImageType = ["ORIGINAL", "PRIMARY"]
        ds.ImagePositionPatient, ds.SliceLocation = [0, 0, 2 * number], 2 * number
        ds.RescaleSlope, ds.RescaleIntercept, ds.Units = "0.75", "0", "CNTS"
        ds.CorrectedImage, ds.DecayCorrection, ds.DecayFactor = ["DECY", "ATTN"], "START", "1.0625"
        ds.SeriesType, ds.CountsSource, ds.CollimatorType = ["STATIC", "IMAGE"], "EMISSION", "NONE"
        ds.ActualFrameDuration, ds.FrameReferenceTime, ds.NumberOfSlices, ds.ImageIndex = "180000", "90000", 4, number
        ds.RadiopharmaceuticalInformationSequence = Sequence([_tracer()])
        block = ds.private_block(0x7053, "Philips PET Private Group", create=True)
        block.add_new(0x00, "DS", "0.000551")
        block.add_new(0x09, "DS", "1.63758")
        found.append(ds)
    return found


def _tracer() -> Dataset:
    ds = Dataset()
    ds.Radiopharmaceutical, ds.RadionuclideTotalDose = "Fluorodeoxyglucose", "350000000"
    ds.RadiopharmaceuticalStartTime, ds.RadiopharmaceuticalStartDateTime = "091112", "20200229091112"
    ds.RadionuclideHalfLife, ds.RadionuclidePositronFraction = "6586.2", "0.9673"
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "C-111A1", "SRT", "^18^Fluorine"
    ds.RadionuclideCodeSequence = Sequence([code])
    return ds


def encoded(ds: Dataset, syntax: str) -> bytes:
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    ds.file_meta.TransferSyntaxUID = syntax
    out = io.BytesIO()
    dcmwrite(out, ds, enforce_file_format=True)
    return out.getvalue()


def deidentified(data: bytes, policy: Policy) -> bytes:
    verdict = Judge(bytes(32)).judge(memoryview(data), Claimed(), policy)
    assert isinstance(verdict, Released), verdict
    return materialise(verdict.chunks, data)


class Converted:
    """What dcm2niix made of one series."""

    def __init__(self, program: Path, files: list[bytes], folder: Path) -> None:
        source, target = folder / "in", folder / "out"
        source.mkdir(parents=True)
        target.mkdir()
        for number, content in enumerate(files):
            (source / f"{number:03d}.dcm").write_bytes(content)
        command = [str(program), "-z", "n", "-b", "y", "-ba", "y", "-f", "made", "-o", str(target), str(source)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
        assert done.returncode == 0, done.stdout[-2000:]
        self.names = sorted(path.name for path in target.iterdir())
        self._target = target

    def numbers(self, ending: str) -> list[float]:
        return [float(word) for word in (self._target / f"made.{ending}").read_text().split()]

    @property
    def voxels(self) -> bytes:
        """The values with their scaling, without the header's free text (NIfTI-1: 352 bytes in front)."""
        raw = (self._target / "made.nii").read_bytes()
        slope_and_intercept = raw[112:120]
        return slope_and_intercept + raw[352:]

    @property
    def sidecar(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads((self._target / "made.json").read_text())
        return read


def both(
    program: Path, images: list[Dataset], syntax: str, options: Iterable[str], folder: Path
) -> tuple[Converted, Converted]:
    before = [encoded(ds, syntax) for ds in images]
    policy = policy_of(options)
    after = [deidentified(data, policy) for data in before]
    assert not any(b"wetschgenmann" in data for data in after)
    return Converted(program, before, folder / "before"), Converted(program, after, folder / "after")


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda uid: uid.name)
@pytest.mark.parametrize("vendor", VENDORS)
def test_diffusion_survives(
    program: Callable[[str], Path], tmp_path: Path, vendor: str, syntax: str, options: str
) -> None:
    before, after = both(program("dcm2niix"), diffusion(vendor), syntax, OPTIONS[options], tmp_path)
    assert before.names == after.names
    assert {"made.bval", "made.bvec", "made.nii"} <= set(before.names)
    assert before.numbers("bval") == [b for b, _ in SHELLS]  # the converter did read what was written
    assert after.numbers("bval") == before.numbers("bval")
    assert after.numbers("bvec") == before.numbers("bvec")
    assert any(before.numbers("bvec"))
    assert after.voxels == before.voxels


@pytest.mark.parametrize("vendor", ["Siemens"])
def test_without_the_option_the_converter_finds_no_diffusion(
    program: Callable[[str], Path], tmp_path: Path, vendor: str
) -> None:
    """So the private elements are what it reads, and the test above can fail."""
    before, after = both(program("dcm2niix"), diffusion(vendor), ExplicitVRLittleEndian, ["rtn_long_modif"], tmp_path)
    assert "made.bval" in before.names
    assert "made.bval" not in after.names


_DECAY = (
    "Radiopharmaceutical", "RadionuclideTotalDose", "RadionuclideHalfLife", "RadionuclidePositronFraction",
    "DecayCorrection", "DecayFactor", "FrameDuration", "FrameTimesStart", "Units", "InjectedRadioactivity",
    "ScatterFraction", "DoseCalibrationFactor",
)  # fmt: skip


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda uid: uid.name)
def test_pet_quantities_survive(program: Callable[[str], Path], tmp_path: Path, syntax: str, options: str) -> None:
    images = pet()
    before, after = both(program("dcm2niix"), images, syntax, OPTIONS[options], tmp_path)
    assert before.names == after.names
    assert after.voxels == before.voxels
    said = {key: before.sidecar[key] for key in _DECAY if key in before.sidecar}
    # dcm2niix does not look into sequences in implicit VR
    assert len(said) >= (2 if syntax == ImplicitVRLittleEndian else 4), before.sidecar
    assert {key: after.sidecar.get(key) for key in said} == said
    policy = policy_of(OPTIONS[options])
    for ds in images:
        out = dcmread(io.BytesIO(deidentified(encoded(ds, syntax), policy)))
        assert math.isclose(suv(out), suv(ds))
        assert suv_by_decay(out) == suv_by_decay(ds)


def suv(ds: Dataset) -> float:
    """SUVbw of a stored value of 1000, by the vendor's factor."""
    factor = ds.private_block(0x7053, "Philips PET Private Group")[0x00].value
    return 1000 * float(ds.RescaleSlope) * float(factor if not isinstance(factor, bytes) else factor.decode())


def suv_by_decay(ds: Dataset) -> float:
    """The same from the activity, weight, dose and the time between injection and scan."""
    factor = ds.private_block(0x7053, "Philips PET Private Group")[0x09].value
    activity = 1000 * float(ds.RescaleSlope) * float(factor if not isinstance(factor, bytes) else factor.decode())
    tracer = ds.RadiopharmaceuticalInformationSequence[0]

    def seconds(time: str) -> int:
        return int(time[:2]) * 3600 + int(time[2:4]) * 60 + int(time[4:6])

    waited = seconds(ds.SeriesTime) - seconds(tracer.RadiopharmaceuticalStartTime)
    dose = float(tracer.RadionuclideTotalDose) * 2 ** (-waited / float(tracer.RadionuclideHalfLife))
    return activity * float(ds.PatientWeight) * 1000 / dose
