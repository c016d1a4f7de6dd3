"""Identified studies for a viewer: a CT series with its SEG and SR, an enhanced MR, an ultrasound loop.

A name is burned into the ultrasound.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

import numpy as np
import pydicom
from PIL import Image, ImageDraw, ImageFont
from pydicom import Dataset
from pydicom.data import get_testdata_file
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

from tests.peers.viewer_derived import STEP, seg, sr
from tests.peers.viewer_making import encoded, identify, item

SLICES, LOOP = 4, 4
#: rows above the ultrasound picture
BURNED = 48


def studies() -> dict[str, list[bytes]]:
    """What the PACS holds: Part 10 by the modality that a list shows first."""
    slices = list(_ct())
    chest = [*slices, seg(slices), sr(slices)]
    return {"ct": [encoded(ds) for ds in chest], "mr": [encoded(_mr())], "us": [encoded(_us())]}


def _read(name: str) -> Dataset:
    return pydicom.dcmread(str(get_testdata_file(name, download=False)))


def _ct() -> Iterator[Dataset]:
    template = _read("CT_small.dcm")
    for number in range(SLICES):
        ds = identify(copy.deepcopy(template), 1, 1, number + 1)
        x, y, z = ds.ImagePositionPatient
        ds.ImagePositionPatient, ds.SliceLocation = [x, y, round(z + STEP * number, 2)], round(z + STEP * number, 2)
        ds.SliceThickness = STEP
        yield ds


def _mr() -> Dataset:
    """Ten frames in one instance."""
    ds = identify(_read("emri_small.dcm"), 2, 1, 1, PatientIdentityRemoved="NO", Manufacturer="Ring Works")
    orientation = item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    measures = item(PixelSpacing=[1.2, 1.2], SliceThickness=1.2, SpacingBetweenSlices=1.2)
    values = item(RescaleIntercept=0, RescaleSlope=1, RescaleType="US")
    window = item(WindowCenter=int(ds.pixel_array.mean() * 2), WindowWidth=int(ds.pixel_array.mean() * 4))
    shared = item(
        PlaneOrientationSequence=Sequence([orientation]), PixelMeasuresSequence=Sequence([measures]),
        PixelValueTransformationSequence=Sequence([values]), FrameVOILUTSequence=Sequence([window]),
    )  # fmt: skip
    ds.SharedFunctionalGroupsSequence = Sequence([shared])
    ds.PerFrameFunctionalGroupsSequence = Sequence([_slice(number) for number in range(int(ds.NumberOfFrames))])
    return ds


def _slice(number: int) -> Dataset:
    content = item(StackID="1", InStackPositionNumber=number + 1, FrameComments="Zqxplant frame")
    place = item(ImagePositionPatient=[-38.4, -38.4, 1.2 * number])
    return item(FrameContentSequence=Sequence([content]), PlanePositionSequence=Sequence([place]))


def _us() -> Dataset:
    """Frames of an echocardiogram in RGB; a name stands above the picture, in every frame."""
    ds = identify(_read("examples_ybr_color.dcm"), 3, 1, 1)
    frames = np.stack([_burned(frame) for frame in ds.pixel_array[:LOOP]])
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.NumberOfFrames, ds.Rows, ds.Columns = frames.shape[:3]
    ds.PhotometricInterpretation, ds.PlanarConfiguration, ds.PixelData = "RGB", 0, frames.tobytes()
    region = ds.SequenceOfUltrasoundRegions[0]
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 0, BURNED
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = ds.Columns - 1, ds.Rows - 1
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", False
    return ds


def _burned(frame: np.ndarray) -> np.ndarray:
    """640 columns; without what the device wrote around the picture, with what a sonographer might."""
    frame = frame.copy()
    frame[:24], frame[214:], frame[:, 290:], frame[:40, :40] = 0, 0, 0, 0
    picture = Image.fromarray(frame).resize((640, 480), Image.Resampling.BILINEAR)
    ImageDraw.Draw(picture).text((120, 8), "Zqxplant N3  13.09.1947", (255, 255, 255), ImageFont.load_default(24))
    return np.asarray(picture)
