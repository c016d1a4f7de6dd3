"""A segmentation and a measurement report of a CT series, as an application would make them."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydicom import Dataset
from pydicom.pixels import pack_bits
from pydicom.sequence import Sequence
from pydicom.uid import ComprehensiveSRStorage, SegmentationStorage

from tests.peers.viewer_making import ROOT, code, identify, item, reference

#: mm between slices
STEP = 5.0


def series(slices: list[Dataset], **more: Any) -> Dataset:
    return item(SeriesInstanceUID=slices[0].SeriesInstanceUID, **more)


def derived(number: int, sop_class: str, modality: str) -> Dataset:
    ds = identify(Dataset(), 1, number, 1, SOPClassUID=sop_class, Modality=modality, Manufacturer="Disc Works")
    ds.PatientSex, ds.ContentDate, ds.ContentTime = "O", "20190111", "101500"
    return ds


def seg(slices: list[Dataset]) -> Dataset:
    """One segment, a disc, on every slice (PS3.3 A.51)."""
    ds, first = derived(2, SegmentationStorage, "SEG"), slices[0]
    ds.update(
        item(
            ImageType=["DERIVED", "PRIMARY"], ContentLabel="DISC", ContentDescription="Disc",
            ContentCreatorName="Zqxplant^Reader", Rows=first.Rows, Columns=first.Columns, SamplesPerPixel=1,
            PhotometricInterpretation="MONOCHROME2", BitsAllocated=1, BitsStored=1, HighBit=0, PixelRepresentation=0,
            LossyImageCompression="00", SegmentationType="BINARY", NumberOfFrames=len(slices),
            ManufacturerModelName="Disc", DeviceSerialNumber="ZQXIDENT1", SoftwareVersions="1", InstanceNumber=1,
            FrameOfReferenceUID=first.FrameOfReferenceUID, PositionReferenceIndicator="",
        )
    )  # fmt: skip
    ds.SegmentSequence = Sequence([_segment()])
    ds.ReferencedSeriesSequence = Sequence(
        [series(slices, ReferencedInstanceSequence=Sequence([reference(each) for each in slices]))]
    )
    organisation = f"{ROOT}5.1"
    ds.DimensionOrganizationSequence = Sequence([item(DimensionOrganizationUID=organisation)])
    ds.DimensionIndexSequence = Sequence(
        [
            item(DimensionOrganizationUID=organisation, DimensionIndexPointer=tag, FunctionalGroupPointer=group)
            for tag, group in ((0x0062000B, 0x0062000A), (0x00200032, 0x00209113))
        ]
    )
    orientation = item(ImageOrientationPatient=first.ImageOrientationPatient)
    measures = item(PixelSpacing=first.PixelSpacing, SliceThickness=STEP, SpacingBetweenSlices=STEP)
    shared = item(PlaneOrientationSequence=Sequence([orientation]), PixelMeasuresSequence=Sequence([measures]))
    ds.SharedFunctionalGroupsSequence = Sequence([shared])
    ds.PerFrameFunctionalGroupsSequence = Sequence([_frame(n, each) for n, each in enumerate(slices, 1)])
    rows, columns = np.indices((first.Rows, first.Columns))
    disc = ((rows - 50) ** 2 + (columns - 60) ** 2 < 25**2).astype(np.uint8)
    ds.PixelData = pack_bits(np.stack([disc] * len(slices)))
    ds["PixelData"].VR = "OB"
    return ds


def _segment() -> Dataset:
    return item(
        SegmentNumber=1, SegmentLabel="Disc", SegmentAlgorithmType="MANUAL",
        RecommendedDisplayCIELabValue=[34885, 53485, 50171],
        SegmentedPropertyCategoryCodeSequence=code("123037004", "SCT", "Anatomical Structure"),
        SegmentedPropertyTypeCodeSequence=code("421060004", "SCT", "Vertebral column"),
    )  # fmt: skip


def _frame(number: int, source: Dataset) -> Dataset:
    image = reference(source)
    image.PurposeOfReferenceCodeSequence = code("121322", "DCM", "Source image for image processing operation")
    derivation = item(
        SourceImageSequence=Sequence([image]), DerivationCodeSequence=code("113076", "DCM", "Segmentation")
    )
    return item(
        DerivationImageSequence=Sequence([derivation]),
        FrameContentSequence=Sequence([item(DimensionIndexValues=[1, number])]),
        PlanePositionSequence=Sequence([item(ImagePositionPatient=source.ImagePositionPatient)]),
        SegmentIdentificationSequence=Sequence([item(ReferencedSegmentNumber=1)]),
    )


def sr(slices: list[Dataset]) -> Dataset:
    """A measurement report (TID 1500): a length on the first slice, and a sentence with a name."""
    ds = derived(3, ComprehensiveSRStorage, "SR")
    ds.update(item(CompletionFlag="COMPLETE", VerificationFlag="UNVERIFIED", PerformedProcedureCodeSequence=[]))
    ds.ReferencedPerformedProcedureStepSequence = Sequence([])
    whole = series(slices, ReferencedSOPSequence=Sequence([reference(each) for each in slices]))
    study = item(StudyInstanceUID=ds.StudyInstanceUID, ReferencedSeriesSequence=Sequence([whole]))
    ds.CurrentRequestedProcedureEvidenceSequence = Sequence([study])
    ds.ValueType, ds.ContinuityOfContent = "CONTAINER", "SEPARATE"
    ds.ConceptNameCodeSequence = code("126000", "DCM", "Imaging Measurement Report")
    ds.ContentTemplateSequence = Sequence([item(MappingResource="DCMR", TemplateIdentifier="1500")])
    who = content("HAS OBS CONTEXT", "PNAME", ("121008", "DCM", "Person Observer Name"), PersonName="Zqxplant^Reader")
    says = content("CONTAINS", "TEXT", ("121106", "DCM", "Comment"), TextValue="Zqxplant was seen, ZQXIDENT1")
    measured = container(("126010", "DCM", "Imaging Measurements"), [_group(slices[0])])
    ds.ContentSequence = Sequence([who, says, measured])
    return ds


def content(relationship: str, kind: str, name: tuple[str, str, str], **values: Any) -> Dataset:
    return item(RelationshipType=relationship, ValueType=kind, ConceptNameCodeSequence=code(*name), **values)


def container(name: tuple[str, str, str], items: list[Dataset]) -> Dataset:
    return content("CONTAINS", "CONTAINER", name, ContinuityOfContent="SEPARATE", ContentSequence=Sequence(items))


def _group(first: Dataset) -> Dataset:
    tracking = f"{ROOT}6.1"
    image = item(RelationshipType="SELECTED FROM", ValueType="IMAGE", ReferencedSOPSequence=[reference(first)])
    line = item(
        RelationshipType="INFERRED FROM", ValueType="SCOORD", GraphicType="POLYLINE",
        GraphicData=[30.0, 40.0, 90.0, 60.0], ContentSequence=Sequence([image]),
    )  # fmt: skip
    value = item(NumericValue="41.8", MeasurementUnitsCodeSequence=code("mm", "UCUM", "millimeter"))
    length = content(
        "CONTAINS", "NUM", ("410668003", "SCT", "Length"), MeasuredValueSequence=[value], ContentSequence=[line]
    )
    names = [
        content("HAS OBS CONTEXT", "TEXT", ("112039", "DCM", "Tracking Identifier"),
                 TextValue="Cornerstone3DTools@^0.1.0:Length"),
        content("HAS OBS CONTEXT", "UIDREF", ("112040", "DCM", "Tracking Unique Identifier"), UID=tracking),
        content("CONTAINS", "CODE", ("121071", "DCM", "Finding"),
                 ConceptCodeSequence=code("4147007", "SCT", "Mass")),
    ]  # fmt: skip
    return container(("125007", "DCM", "Measurement Group"), [*names, length])
