"""Greys and colours as pydicom makes them of the same files, within one step of 255."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.data import get_testdata_file
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi_lut, convert_color_space
from pydicom.pixels.utils import pixel_array
from pydicom.sequence import Sequence

from proxy.deid.decode import read_instance
from proxy.deid.pixels.display import Window
from proxy.deid.pixels.header import Header
from proxy.deid.pixels.rendering_light import light_of
from proxy.deid.pixels.stage import images_of
from proxy.deid.pixels.views import Picture
from tests.deid.pixels.headers import dataset, policy
from tests.deid.pixels.matrix import BIG, EXPLICIT, encoded


def light(data: bytes, index: int = 0, window: Window | None = None) -> Picture:
    instance = read_instance(memoryview(data), policy())
    images = images_of(instance, policy())
    header = Header(instance.root, instance.syntax.little)
    return light_of(images.frame(index), index, images.layout, header, window)


def read(name: str) -> tuple[bytes, Any]:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    return Path(path).read_bytes(), pydicom.dcmread(path)


def made(frame: NDArray[Any], **attributes: Any) -> bytes:
    """A grey image of one ``frame``."""
    bits = frame.dtype.itemsize * 8
    said: dict[str, Any] = {
        "Rows": frame.shape[0],
        "Columns": frame.shape[1],
        "BitsAllocated": bits,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": int(frame.dtype.kind == "i"),
        "PixelData": frame.tobytes(),
    }
    return encoded(dataset(**(said | attributes)), EXPLICIT)


def windowed(values: NDArray[Any], centre: float, width: float) -> NDArray[np.float64]:
    return np.clip((values - (centre - 0.5)) / (width - 1) + 0.5, 0, 1) * 255


@pytest.mark.parametrize(
    "name",
    ["693_UNCI.dcm", "MR_small.dcm", "MR_small_bigendian.dcm", "MR-SIEMENS-DICOM-WithOverlays.dcm", "MR2_J2KI.dcm"],
)
def test_a_window_of_the_header(name: str) -> None:
    data, ds = read(name)
    values = apply_voi_lut(apply_modality_lut(ds.pixel_array, ds), ds).astype(np.float64)
    # pydicom's windows end at what the stored bits allow after the rescale
    slope, intercept = float(ds.get("RescaleSlope", 1)), float(ds.get("RescaleIntercept", 0))
    low = -(2 ** (ds.BitsStored - 1)) if ds.PixelRepresentation else 0
    high = 2 ** (ds.BitsStored - ds.PixelRepresentation) - 1
    low, high = low * slope + intercept, high * slope + intercept
    assert np.abs(light(data) - (values - low) / (high - low) * 255).max() <= 1


@pytest.mark.parametrize(("name", "top"), [("mlut_18.dcm", None), ("vlut_04.dcm", 65535)])
def test_tables(name: str, top: int | None) -> None:
    data, ds = read(name)
    values = apply_voi_lut(apply_modality_lut(ds.pixel_array, ds), ds).astype(np.float64)
    low, high = (0, top) if top else (values.min(), values.max())
    assert np.abs(light(data) - (values - low) / (high - low) * 255).max() <= 1


@pytest.mark.parametrize("name", ["OBXXXX1A.dcm", "OBXXXX1A_rle.dcm", "gdcm-US-ALOKA-16.dcm"])
def test_a_palette(name: str) -> None:
    data, ds = read(name)
    assert np.abs(light(data).astype(int) - (apply_color_lut(ds.pixel_array, ds) >> 8)).max() <= 1


@pytest.mark.parametrize(
    "name",
    ["SC_ybr_full_uncompressed.dcm", "SC_ybr_full_422_uncompressed.dcm", "SC_rgb.dcm", "color-pl.dcm", "US1_UNCI.dcm"],
)
def test_colours(name: str) -> None:
    data, ds = read(name)
    values = pixel_array(ds, raw=True).astype(int)
    if ds.PhotometricInterpretation.startswith("YBR"):
        values = convert_color_space(values.astype(np.uint8), ds.PhotometricInterpretation, "RGB").astype(int)
    assert np.abs(light(data).astype(int) - values).max() <= 1


def test_wide_colours_keep_their_upper_bits() -> None:
    data, ds = read("SC_rgb_16bit.dcm")
    assert np.abs(light(data).astype(int) - ds.pixel_array / 257).max() <= 1


def test_partial_luminance_reaches_black_and_white() -> None:
    black, white = [16, 16, 128, 128], [235, 235, 128, 128]
    said = {"SamplesPerPixel": 3, "PhotometricInterpretation": "YBR_PARTIAL_422", "PlanarConfiguration": 0}
    found = light(encoded(dataset(Rows=1, Columns=4, PixelData=bytes(black + white), **said), EXPLICIT))
    assert found.tolist() == [[[0, 0, 0]] * 2 + [[255, 255, 255]] * 2]


def test_without_a_window_what_is_there_is_spread_but_not_what_pads() -> None:
    frame = np.array([[100, 200, 300], [-2000, -1990, 100]], np.int16)
    assert light(made(frame)).tolist() == [[233, 244, 255], [0, 1, 233]]
    assert light(made(frame, PixelPaddingValue=-2000)).tolist()[0] == [233, 244, 255]
    ranged = made(frame, PixelPaddingValue=-2000, PixelPaddingRangeLimit=-1980)
    assert light(ranged).tolist() == [[0, 128, 255], [0, 0, 0]]
    assert light(made(np.full((2, 2), 7, np.uint16))).tolist() == [[0, 0], [0, 0]]


def test_eight_bits_are_shown_as_they_are() -> None:
    frame = np.array([[10, 20], [30, 40]], np.uint8)
    assert light(made(frame)).tolist() == frame.tolist()
    assert light(made(frame, PhotometricInterpretation="MONOCHROME1")).tolist() == (255 - frame).tolist()
    assert light(made(frame, PresentationLUTShape="INVERSE")).tolist() == (255 - frame).tolist()
    both = made(frame, PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="INVERSE")
    assert light(both).tolist() == (255 - frame).tolist()


def test_single_bits_are_black_and_white() -> None:
    said = {"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0, "Rows": 2, "Columns": 4, "PixelData": b"\xa5\x00"}
    found = light(encoded(dataset(**said), EXPLICIT))
    assert found.tolist() == [[255, 0, 255, 0], [0, 255, 0, 255]]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("LINEAR", lambda x: windowed(x, 100, 50)),
        ("LINEAR_EXACT", lambda x: np.clip((x - 100) / 50 + 0.5, 0, 1) * 255),
        ("SIGMOID", lambda x: 255 / (1 + np.exp(-4 * (x - 100) / 50))),
    ],
)
def test_a_window_that_is_asked_for_goes_before_the_header(function: str, expected: Any) -> None:
    frame = np.arange(0, 200, dtype=np.uint16).reshape(10, 20)
    data = made(frame, WindowCenter=3000, WindowWidth=10, RescaleSlope=2, RescaleIntercept=-50)
    found = light(data, window=Window(100, 50, function))
    assert np.abs(found - expected(frame * 2.0 - 50)).max() <= 0.5 + 1e-9


def test_wide_samples_and_floats() -> None:
    wide = np.array([[0, 1 << 30], [1 << 31, (1 << 32) - 1]], np.uint32)
    assert light(made(wide)).tolist() == [[0, 64], [128, 255]]
    real = np.array([[np.nan, -1.0], [0.0, 1.0]], np.float32)
    ds = dataset(Rows=2, Columns=2, BitsAllocated=32, BitsStored=None, HighBit=None, PixelRepresentation=None)
    ds.FloatPixelData = real.tobytes()
    assert light(encoded(ds, EXPLICIT)).tolist() == [[0, 0], [128, 255]]


@pytest.mark.parametrize("syntax", [EXPLICIT, BIG])
def test_each_frame_has_its_own_window_and_rescale(syntax: str) -> None:
    def group(**inner: pydicom.Dataset) -> pydicom.Dataset:
        item = pydicom.Dataset()
        for keyword, value in inner.items():
            setattr(item, keyword, Sequence([value]))
        return item

    def item(**values: Any) -> pydicom.Dataset:
        found = pydicom.Dataset()
        for keyword, value in values.items():
            setattr(found, keyword, value)
        return found

    frames = np.array([[[0, 50, 100, 200]]] * 3, np.uint16)
    ds = dataset(
        Rows=1, Columns=4, NumberOfFrames=3, BitsAllocated=16, BitsStored=16, HighBit=15,
        PixelData=frames.astype(">u2" if syntax == BIG else "<u2").tobytes(), WindowCenter=5, WindowWidth=2,
    )  # fmt: skip
    ds.SharedFunctionalGroupsSequence = Sequence([group(FrameVOILUTSequence=item(WindowCenter=100.5, WindowWidth=201))])
    ds.PerFrameFunctionalGroupsSequence = Sequence(
        [
            group(FrameVOILUTSequence=item(WindowCenter=50.5, WindowWidth=101)),
            group(PixelValueTransformationSequence=item(RescaleSlope=0.5, RescaleIntercept=0, RescaleType="US")),
            group(),
        ]
    )
    data = encoded(ds, syntax)
    assert light(data, 0).tolist() == [[0, 128, 255, 255]]
    assert light(data, 1).tolist() == [[0, 32, 64, 128]]
    assert light(data, 2).tolist() == [[0, 64, 128, 255]]


def test_a_supplemental_palette_colours_what_it_maps() -> None:
    data, ds = read("eCT_Supplemental.dcm")
    found, stored = light(data), ds.pixel_array[0]
    first = ds.RedPaletteColorLookupTableDescriptor[1]
    assert found.shape == (512, 512, 3)
    grey = found[stored < first]
    assert (grey == grey[:, :1]).all()
    mapped = stored >= first
    assert mapped.any()
    planes = [np.frombuffer(ds[tag].value, "<u2") for tag in (0x00281201, 0x00281202, 0x00281203)]
    places = np.clip(stored[mapped].astype(int) - first, 0, len(planes[0]) - 1)
    assert (found[mapped] == np.stack([plane[places] >> 8 for plane in planes], axis=-1)).all()
