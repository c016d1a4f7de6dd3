"""What makes an image: read from the header, and refused where it does not add up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from proxy.deid.pixels.black import black_of
from proxy.deid.pixels.layout import DOUBLE_FLOAT_PIXEL_DATA, FLOAT_PIXEL_DATA
from proxy.errors import InstanceHeld, Reason
from tests.deid.pixels.headers import JPEG_2000, SYNTAXES, dataset, layout
from tests.deid.pixels.matrix import BIG, EXPLICIT, IMPLICIT

RGB: dict[str, Any] = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
FLOAT: dict[str, Any] = {"BitsAllocated": 32, "BitsStored": None, "HighBit": None, "PixelRepresentation": None}


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_grey_image(syntax: str) -> None:
    said = {"BitsAllocated": 16, "BitsStored": 12, "HighBit": 11, "PixelRepresentation": 1, "NumberOfFrames": 3}
    found = layout(dataset(**said, PixelPaddingValue=-5), syntax)
    assert (found.rows, found.columns, found.frames, found.samples) == (4, 6, 3, 1)
    assert (found.allocated, found.stored, found.high_bit, found.signed, found.shift) == (16, 12, 11, True, 0)
    assert (found.lowest, found.highest, found.padding) == (-2048, 2047, -5)
    assert (found.little, found.words, found.kind) == (syntax != BIG, True, "integer")
    assert (found.dtype, found.photometric, found.planar) == (np.int16, "MONOCHROME2", 0)
    assert found.frame_bits == 4 * 6 * 16


def test_the_other_grey() -> None:
    assert layout(dataset(PhotometricInterpretation="MONOCHROME1")).photometric == "MONOCHROME1"


def test_absent_frames_are_one() -> None:
    assert layout(dataset()).frames == 1
    assert layout(dataset(NumberOfFrames="")).frames == 1


@pytest.mark.parametrize("planar", [0, 1])
def test_colour(planar: int) -> None:
    found = layout(dataset(**{**RGB, "PlanarConfiguration": planar}))
    assert (found.samples, found.planar, found.frame_bits) == (3, planar, 4 * 6 * 24)


@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_422"])
def test_colours_in_native_pixels(photometric: str) -> None:
    found = layout(dataset(**{**RGB, "PhotometricInterpretation": photometric}))
    assert (found.photometric, found.samples, found.native) == (photometric, 3, True)
    assert found.halved is photometric.endswith("_422")


@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT", "XYB"])
def test_colours_in_compressed_pixels(photometric: str) -> None:
    found = layout(dataset(**{**RGB, "PhotometricInterpretation": photometric}), JPEG_2000)
    assert (found.photometric, found.samples, found.native, found.halved) == (photometric, 3, False, False)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1.98", "1.2.840.10008.1.2.8.1"])
def test_fragments_may_hold_native_frames(syntax: str) -> None:
    assert layout(dataset(**{**RGB, "PhotometricInterpretation": "YBR_FULL_422"}), syntax).halved
    with pytest.raises(InstanceHeld):
        layout(dataset(**{**RGB, "PhotometricInterpretation": "YBR_RCT"}), syntax)


def test_a_supplemental_palette_colours_grey_images_only() -> None:
    said = {f"{colour}PaletteColorLookupTableDescriptor": [2, 100, 16] for colour in ("Red", "Green", "Blue")}
    data = {f"{colour}PaletteColorLookupTableData": bytes(4) for colour in ("Red", "Green", "Blue")}
    assert layout(dataset(**said)).coloured == 100
    assert layout(dataset(**said)).lut is None
    found = layout(dataset(**said, **data, PhotometricInterpretation="PALETTE COLOR"))
    assert (found.coloured, found.first_mapped) == (None, 100)
    assert found.lut is not None


def test_native_422_has_two_samples_a_pixel_and_compressed_need_not_be_even() -> None:
    said = {**RGB, "PhotometricInterpretation": "YBR_FULL_422"}
    assert layout(dataset(**said)).frame_bits == 4 * 6 * 16
    assert layout(dataset(**said, Columns=5), JPEG_2000).columns == 5
    with pytest.raises(InstanceHeld, match="odd number"):
        layout(dataset(**said, Columns=5))


def test_planar_configuration_is_not_needed_where_a_codec_has_its_own_order() -> None:
    assert layout(dataset(**{**RGB, "PlanarConfiguration": None}), JPEG_2000).planar == 0
    with pytest.raises(InstanceHeld):
        layout(dataset(**{**RGB, "PlanarConfiguration": None}))


@pytest.mark.parametrize(
    "wrong",
    [
        *({keyword: None} for keyword in ("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit")),
        *({keyword: None} for keyword in ("PixelRepresentation", "SamplesPerPixel", "PhotometricInterpretation")),
        {"Rows": 0},
        {"Columns": 0},
        {"Rows": [4, 4]},
        {"NumberOfFrames": 0},
        {"NumberOfFrames": -2},
        {"NumberOfFrames": [1, 2]},
        {"BitsAllocated": 12},
        {"BitsAllocated": 24, "BitsStored": 24, "HighBit": 23},
        {"BitsStored": 9},
        {"BitsStored": 0},
        {"HighBit": 6},
        {"HighBit": 8},
        {"PixelRepresentation": 2},
        {"PixelRepresentation": 1, "BitsStored": 1, "HighBit": 0},
        {"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0, "PixelRepresentation": 1},
        {"SamplesPerPixel": 3},
        {"SamplesPerPixel": 1, "PhotometricInterpretation": "RGB"},
        {"PhotometricInterpretation": "ARGB", "SamplesPerPixel": 4, "PlanarConfiguration": 0},
        {"PhotometricInterpretation": "HSV", "SamplesPerPixel": 3, "PlanarConfiguration": 0},
        {"PhotometricInterpretation": "YBR_RCT", "SamplesPerPixel": 3, "PlanarConfiguration": 0},
        {"PhotometricInterpretation": "YBR_PARTIAL_420", "SamplesPerPixel": 3, "PlanarConfiguration": 0},
        {"PhotometricInterpretation": ["RGB", "RGB"], "SamplesPerPixel": 3, "PlanarConfiguration": 0},
        {**RGB, "PlanarConfiguration": 2},
        {**RGB, "PhotometricInterpretation": "YBR_FULL_422", "PlanarConfiguration": 1},
        {**RGB, "PixelRepresentation": 1},
        {**RGB, "BitsAllocated": 1, "BitsStored": 1, "HighBit": 0},
        {"PhotometricInterpretation": "PALETTE COLOR"},
    ],
    ids=str,
)
def test_what_does_not_add_up_is_held(wrong: dict[str, Any]) -> None:
    with pytest.raises(InstanceHeld) as held:
        layout(dataset(**wrong))
    assert held.value.reason is Reason.PIXELS_UNREADABLE


def test_a_text_where_a_number_belongs_is_held() -> None:
    ds = dataset(Rows=None)
    ds.add_new(0x00280010, "LO", "4")
    with pytest.raises(InstanceHeld, match="VR"):
        layout(ds)


def test_padding_that_cannot_be_stored_is_nobodys() -> None:
    said = {"BitsAllocated": 16, "BitsStored": 12, "HighBit": 11}
    assert layout(dataset(**said, PixelPaddingValue=4095)).padding == 4095
    assert layout(dataset(**said, PixelPaddingValue=4096)).padding is None
    for value, kept in ((-2048, -2048), (-2049, None), (2047, 2047), (2048, None)):
        found = layout(dataset(**said | {"PixelRepresentation": 1}, PixelPaddingValue=value))
        assert found.padding == kept


def test_ambiguous_is_what_big_endian_leaves_open() -> None:
    wide = {"BitsAllocated": 32, "BitsStored": 32, "HighBit": 31}
    assert layout(dataset(**wide), BIG).ambiguous
    assert not layout(dataset(**wide), EXPLICIT).ambiguous
    words = {"BitsAllocated": 16, "BitsStored": 16, "HighBit": 15}
    assert layout(dataset(**words), BIG, vr="OB").ambiguous
    assert not layout(dataset(**words), BIG).ambiguous
    assert not layout(dataset(), BIG, vr="OB").ambiguous


@pytest.mark.parametrize(("tag", "bits", "vr"), [(FLOAT_PIXEL_DATA, 32, "OF"), (DOUBLE_FLOAT_PIXEL_DATA, 64, "OD")])
def test_floating_point(tag: int, bits: int, vr: str) -> None:
    ds = dataset(**{**FLOAT, "BitsAllocated": bits})
    found = layout(ds, tag=tag, vr=vr)
    assert (found.dtype.itemsize * 8, found.dtype.kind, found.frame_bits) == (bits, "f", 4 * 6 * bits)
    assert layout(ds, IMPLICIT, tag=tag).kind == found.kind
    assert not layout(ds, BIG, tag=tag, vr=vr).ambiguous
    assert (found.photometric, found.samples, found.words) == ("MONOCHROME2", 1, False)
    assert (found.stored, found.high_bit, found.shift, found.planar) == (bits, bits - 1, 0, 0)
    for wrong in ({"BitsAllocated": 16}, {"PhotometricInterpretation": "RGB"}, {"SamplesPerPixel": 3}):
        with pytest.raises(InstanceHeld):
            layout(dataset(**{**FLOAT, "BitsAllocated": bits, **wrong}), tag=tag, vr=vr)
    with pytest.raises(InstanceHeld):
        layout(ds, tag=tag, vr="OB")
    with pytest.raises(InstanceHeld):
        layout(ds, JPEG_2000, tag=tag, vr=vr)


def test_padding_of_floating_point() -> None:
    ds = dataset(**FLOAT)
    ds.FloatPixelPaddingValue = -3.5
    assert layout(ds, tag=FLOAT_PIXEL_DATA, vr="OF").padding == -3.5
    assert layout(ds, BIG, tag=FLOAT_PIXEL_DATA, vr="OF").padding == -3.5
    ds.FloatPixelPaddingValue = [-3.5, -3.5]
    with pytest.raises(InstanceHeld):
        layout(ds, tag=FLOAT_PIXEL_DATA, vr="OF")
    ds.FloatPixelPaddingValue = float("nan")
    assert layout(ds, tag=FLOAT_PIXEL_DATA, vr="OF").padding is None


@pytest.mark.parametrize(("position", "fine"), [(12, True), (15, True), (11, False), (0, False), (16, False)])
def test_an_embedded_overlay_lies_outside_the_stored_bits(position: int, fine: bool) -> None:
    ds = dataset(BitsAllocated=16, BitsStored=12, HighBit=11)
    for number, value in ((0x0010, 4), (0x0011, 6), (0x0100, 16), (0x0102, position)):
        ds.add_new(0x60020000 | number, "US", value)
    if fine:
        assert layout(ds).stored == 12
        return
    with pytest.raises(InstanceHeld, match="overlay"):
        layout(ds)
    ds.add_new(0x60023000, "OW", bytes(4))
    assert layout(ds).stored == 12
    del ds[0x60023000], ds[0x60020100]
    assert layout(ds).stored == 12  # one bit allocated: a plane of its own, whose data is gone


def test_frames_must_agree_which_end_is_dark() -> None:
    def frame(slope: float) -> Dataset:
        transformed, group = Dataset(), Dataset()
        transformed.RescaleSlope, transformed.RescaleIntercept = slope, 0
        group.PixelValueTransformationSequence = Sequence([transformed])
        return group

    ds = dataset(NumberOfFrames=2, PerFrameFunctionalGroupsSequence=Sequence([frame(1), frame(2)]))
    assert layout(ds).display.slope == float("inf")
    ds.PerFrameFunctionalGroupsSequence = Sequence([frame(-2), frame(-3)])
    assert layout(ds).display.slope == float("-inf")
    ds.PerFrameFunctionalGroupsSequence = Sequence([frame(-2), frame(-2)])
    assert layout(ds).display.slope == -2
    ds.PerFrameFunctionalGroupsSequence = Sequence([frame(1), frame(-1)])
    undecided = layout(ds)  # as long as nothing is blanked it does not matter
    with pytest.raises(InstanceHeld, match="dark"):
        black_of(undecided)
