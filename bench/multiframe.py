"""An Enhanced CT (PS3.3 A.38) with functional groups per frame, in memory or streamed to a file; by seed."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from bench.modules import ENHANCED_CT, composite, encode
from bench.people import Seeded, code, one

FRAMES = 100
_ROWS = 512
FRAME_BYTES = _ROWS * _ROWS * 2
_DISTINCT = 16  # frames of noise that a file repeats
_PIXEL_DATA_OW = struct.Struct("<HH2sHI")


def enhanced_ct(seed: int, frames: int = FRAMES) -> Dataset:
    """``frames`` frames of 512x512 in 16 bits."""
    ds = _header(Seeded(seed), frames)
    ds.PixelData = np.random.default_rng(seed).integers(-1024, 3072, frames * _ROWS * _ROWS, "<i2").tobytes()
    ds["PixelData"].VR = "OW"
    return ds


def write_enhanced_ct(path: Path, seed: int, frames: int) -> int:
    """The same IOD as a file, never whole in memory; returns its size in bytes."""
    noise = np.random.default_rng(seed)
    pieces = [noise.integers(-1024, 3072, _ROWS * _ROWS, "<i2").tobytes() for _ in range(min(frames, _DISTINCT))]
    with path.open("wb") as file:
        file.write(encode(_header(Seeded(seed), frames)))
        file.write(_PIXEL_DATA_OW.pack(0x7FE0, 0x0010, b"OW", 0, frames * FRAME_BYTES))
        for number in range(frames):
            file.write(pieces[number % len(pieces)])
        return file.tell()


def _header(s: Seeded, frames: int) -> Dataset:
    ds = composite(s, ENHANCED_CT, "CT")
    ds.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    ds.AcquisitionDateTime, ds.AcquisitionDuration, ds.AcquisitionNumber = ds.StudyDate + s.time(), 812.0, 2
    ds.ContentDate, ds.ContentTime = ds.StudyDate, s.time()
    ds.PixelPresentation, ds.VolumetricProperties, ds.VolumeBasedCalculationTechnique = "MONOCHROME", "VOLUME", "NONE"
    ds.ContentQualification, ds.LossyImageCompression, ds.BurnedInAnnotation = "RESEARCH", "00", "NO"
    ds.PresentationLUTShape, ds.PatientPosition = "IDENTITY", "HFS"
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = s.uid(), "SN"
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.Rows, ds.Columns = 1, "MONOCHROME2", _ROWS, _ROWS
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
    ds.NumberOfFrames = frames
    ds.AcquisitionContextSequence = Sequence([])
    _dimensions(ds, s)
    ds.SharedFunctionalGroupsSequence = one(_shared(s))
    ds.PerFrameFunctionalGroupsSequence = Sequence([_frame(s, ds, number) for number in range(1, frames + 1)])
    return ds


def _dimensions(ds: Dataset, s: Seeded) -> None:
    organization, index = Dataset(), Dataset()
    organization.DimensionOrganizationUID = index.DimensionOrganizationUID = s.uid()
    index.DimensionIndexPointer, index.FunctionalGroupPointer = 0x00209057, 0x00209111
    ds.DimensionOrganizationSequence, ds.DimensionIndexSequence = one(organization), one(index)


def _shared(s: Seeded) -> Dataset:
    group, measures, orientation, anatomy, geometry = Dataset(), Dataset(), Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = ["0.703125", "0.703125"], "1.25"
    orientation.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    anatomy.FrameLaterality = "U"
    anatomy.AnatomicRegionSequence = one(code("51185008", "SCT", "Thorax"))
    geometry.DistanceSourceToDetector, geometry.DistanceSourceToDataCollectionCenter = 949.1, 541.0
    group.PixelMeasuresSequence, group.PlaneOrientationSequence = one(measures), one(orientation)
    group.FrameAnatomySequence, group.CTGeometrySequence = one(anatomy), one(geometry)
    group.CTAcquisitionTypeSequence, group.CTAcquisitionDetailsSequence = one(_acquisition_type()), one(_details())
    group.CTTableDynamicsSequence, group.CTReconstructionSequence = one(_table()), one(_reconstruction())
    group.CTXRayDetailsSequence = one(_x_ray())
    return group


def _acquisition_type() -> Dataset:
    item = Dataset()
    item.AcquisitionType, item.ConstantVolumeFlag, item.FluoroscopyFlag = "SPIRAL", "NO", "NO"
    return item


def _details() -> Dataset:
    item = Dataset()
    item.RotationDirection, item.RevolutionTime, item.SingleCollimationWidth = "CW", 0.5, 0.625
    item.TotalCollimationWidth, item.TableHeight, item.GantryDetectorTilt = 40.0, 140.5, 0.0
    item.DataCollectionDiameter = 500.0
    return item


def _table() -> Dataset:
    item = Dataset()
    item.TableSpeed, item.TableFeedPerRotation, item.SpiralPitchFactor = 78.7, 39.4, 0.984
    return item


def _reconstruction() -> Dataset:
    item = Dataset()
    item.ReconstructionAlgorithm, item.ConvolutionKernel, item.ReconstructionDiameter = "FILTER_BACK_PROJ", "B", 360.0
    item.ConvolutionKernelGroup, item.ReconstructionAngle = "GENERAL", 360.0
    item.ImageFilter, item.ReconstructionPixelSpacing = "BONE", [0.703125, 0.703125]
    item.ReconstructionTargetCenterPatient = [0.0, 0.0, 0.0]
    return item


def _x_ray() -> Dataset:
    item = Dataset()
    item.KVP, item.FocalSpots, item.FilterType, item.FilterMaterial = 120.0, 0.7, "FLAT", "ALUMINUM"
    return item


def _frame(s: Seeded, ds: Dataset, number: int) -> Dataset:
    group, content, position, kind, exposure, voi = (Dataset() for _ in range(6))
    content.FrameAcquisitionDateTime = content.FrameReferenceDateTime = ds.StudyDate + s.time()
    content.FrameAcquisitionDuration, content.FrameAcquisitionNumber = 500.0, number
    content.StackID, content.InStackPositionNumber, content.DimensionIndexValues = "1", number, number
    content.FrameComments = f"frame checked by {s.name()}"
    position.ImagePositionPatient = ["-180", "-180", str(round(-200 + 1.25 * number, 3))]
    kind.FrameType, kind.PixelPresentation = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"], "MONOCHROME"
    kind.VolumetricProperties, kind.VolumeBasedCalculationTechnique = "VOLUME", "NONE"
    exposure.ExposureTimeInms, exposure.XRayTubeCurrentInmA, exposure.ExposureInmAs = 500.0, 220.0, 110.0
    exposure.ExposureModulationType, exposure.CTDIvol = "NONE", 7.3
    voi.WindowCenter, voi.WindowWidth = "40", "400"
    transform, table, event = Dataset(), Dataset(), Dataset()
    table.TablePosition, table.ReconstructionTargetCenterPatient = 1.25 * number, [0.0, 0.0, 1.25 * number]
    table.DataCollectionCenterPatient = [0.0, 0.0, 1.25 * number]
    event.IrradiationEventUID = s.uid()
    transform.RescaleIntercept, transform.RescaleSlope, transform.RescaleType = "-1024", "1", "HU"
    group.FrameContentSequence, group.PlanePositionSequence = one(content), one(position)
    group.CTImageFrameTypeSequence, group.CTExposureSequence = one(kind), one(exposure)
    group.FrameVOILUTSequence, group.PixelValueTransformationSequence = one(voi), one(transform)
    group.CTPositionSequence, group.IrradiationEventIdentificationSequence = one(table), one(event)
    return group
