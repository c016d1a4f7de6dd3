"""The instances that the bench measures with, made from a seed: a CT, a nested SR, an enhanced multi-frame CT.

`SHAPES` names them for the de-identification rows; `write_series` writes what senders send. Deterministic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from bench.modules import CT, composite, encode
from bench.multiframe import enhanced_ct
from bench.people import Seeded, reference
from bench.structured import comprehensive_sr

#: what a CT of a current scanner carries, data elements at every level counted
CT_ELEMENTS = 264
_ROWS = 512
_BLOCKS = (0x0009, 0x0019, 0x0021, 0x0027, 0x0043)


def ct(seed: int, number: int = 1) -> Dataset:
    """A 512x512 16-bit CT of `CT_ELEMENTS` elements. One ``seed`` is one series, ``number`` an image of it."""
    s = Seeded(seed)
    ds = composite(s, CT, "CT")
    _acquisition(ds, s)
    _plane(ds, s)
    sources = [reference(CT, s.uid()) for _ in range(3)]
    ds.ReferencedImageSequence = sources
    _pixels(ds, seed * 100_003 + number)
    _private(ds, s, CT_ELEMENTS - sum(1 for _ in ds.iterall()))
    return _image(ds, seed, number)


def series(seed: int, count: int) -> list[bytes]:
    """``count`` images of one CT series, encoded; each has its own SOP Instance UID and noise."""
    ds = ct(seed)
    files = []
    for number in range(1, count + 1):
        _pixels(ds, seed * 100_003 + number)
        files.append(encode(_image(ds, seed, number)))
    return files


def write_series(folder: Path, seed: int, count: int) -> list[Path]:
    """`series` as files in ``folder``."""
    paths = []
    for number, data in enumerate(series(seed, count), start=1):
        path = folder / f"ct{number:05}.dcm"
        path.write_bytes(data)
        paths.append(path)
    return paths


def _acquisition(ds: Dataset, s: Seeded) -> None:
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.AcquisitionDate, ds.AcquisitionTime, ds.AcquisitionNumber = ds.StudyDate, s.time(), 4
    ds.AcquisitionDateTime = ds.StudyDate + s.time()
    ds.ContentDate, ds.ContentTime = ds.StudyDate, s.time()
    ds.BodyPartExamined, ds.ScanOptions, ds.PatientPosition = "CHEST", "HELICAL MODE", "HFS"
    ds.KVP, ds.XRayTubeCurrent, ds.ExposureTime, ds.Exposure = "120", "220", "500", "110"
    ds.DataCollectionDiameter, ds.ReconstructionDiameter = "500", "360"
    ds.DistanceSourceToDetector, ds.DistanceSourceToPatient = "949.1", "541"
    ds.GantryDetectorTilt, ds.TableHeight, ds.RotationDirection = "0", "140.5", "CW"
    ds.FilterType, ds.GeneratorPower, ds.FocalSpots, ds.ConvolutionKernel = "BODY", "26", "0.7", "STANDARD"
    ds.SpiralPitchFactor, ds.CTDIvol, ds.ContrastBolusAgent = 0.984, 7.3, "agent 300"
    ds.ImageComments = "arms down"


def _plane(ds: Dataset, s: Seeded) -> None:
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = s.uid(), "SN"
    ds.ImageOrientationPatient, ds.PixelSpacing = ["1", "0", "0", "0", "1", "0"], ["0.703125", "0.703125"]
    ds.SliceThickness, ds.SpacingBetweenSlices = "1.25", "1.25"
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.Rows, ds.Columns = 1, "MONOCHROME2", _ROWS, _ROWS
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
    ds.PixelPaddingValue, ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = -2000, "-1024", "1", "HU"
    ds.WindowCenter, ds.WindowWidth = ["40", "-600"], ["400", "1500"]
    ds.WindowCenterWidthExplanation = ["SOFT", "LUNG"]


def _image(ds: Dataset, seed: int, number: int) -> Dataset:
    ds.SOPInstanceUID, ds.InstanceNumber = Seeded(seed * 100_003 + number).uid(), number
    position = round(-200 + 1.25 * number, 3)
    ds.ImagePositionPatient, ds.SliceLocation = ["-180", "-180", str(position)], str(position)
    return ds


def _pixels(ds: Dataset, seed: int) -> None:
    ds.PixelData = np.random.default_rng(seed).integers(-1024, 3072, _ROWS * _ROWS, "<i2").tobytes()
    ds["PixelData"].VR = "OW"
    ds.ImagePositionPatient, ds.SliceLocation = ["0", "0", "0"], "0"


def _private(ds: Dataset, s: Seeded, count: int) -> None:
    """``count`` elements, creators included, in blocks as vendors write them (PS3.5 7.8.1)."""
    kinds: tuple[tuple[str, Callable[[], object]], ...] = (
        ("LO", s.name),
        ("DS", lambda: s.number(4)),
        ("SL", lambda: s.random.randrange(1 << 20)),
        ("UI", s.uid),
        ("OB", lambda: s.random.randbytes(32)),
        ("SH", lambda: s.number(8)),
    )
    share, rest = divmod(count, len(_BLOCKS))
    for index, group in enumerate(_BLOCKS):
        block = ds.private_block(group, f"BENCH WORKS {group:04X}", create=True)
        for offset in range(share + (index < rest) - 1):
            vr, value = kinds[offset % len(kinds)]
            block.add_new(offset + 1, vr, value())


#: name in the table → what makes it from a seed
SHAPES: Mapping[str, Callable[[int], Dataset]] = {
    "CT 512x512, 264 elements": ct,
    "SR, 600 nested content items": comprehensive_sr,
    "Enhanced CT, 100 frames": enhanced_ct,
}
