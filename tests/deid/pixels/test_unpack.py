"""Native frames unpacked to be looked at, against a plain reading of PS3.5 and against pydicom; packed again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file

from proxy.deid.decode import read_instance
from proxy.deid.pixels.layout import layout_of
from proxy.deid.pixels.plan import Layout
from proxy.deid.pixels.unpack import frame_at, native_frames, pack
from proxy.errors import InstanceHeld
from tests.deid.pixels.headers import policy
from tests.deid.pixels.matrix import native_cases

CASES = list({(case.syntax, case.image, case.frames): case for case in native_cases()}.values())


def opened(file: bytes) -> tuple[memoryview, Layout]:
    instance = read_instance(memoryview(file), policy())
    pixels = instance.pixels
    assert pixels is not None
    layout = layout_of(instance.root, instance.syntax, pixels.tag, pixels.vr)
    return instance.body[pixels.value : pixels.end], layout


@pytest.mark.parametrize("start", range(0, len(CASES), 60))
def test_every_way_to_make_pixels(start: int) -> None:
    for case in CASES[start : start + 60]:
        value, layout = opened(case.file)
        found = np.stack(list(native_frames(value, layout)))
        assert found.dtype == layout.dtype, case.name
        assert found[0].flags.c_contiguous
        assert found.ndim == (3 if layout.samples == 1 else 4)
        assert np.array_equal(found.reshape(case.values.shape), case.values), case.name


@pytest.mark.parametrize("start", range(0, len(CASES), 60))
def test_a_frame_packs_to_what_it_was_unpacked_from(start: int) -> None:
    for case in CASES[start : start + 60]:
        value, layout = opened(case.file)
        size = layout.frame_bits // 8
        if layout.frame_bits % 16 or (layout.allocated <= 8 and not layout.little):
            continue
        for index, frame in enumerate(native_frames(value, layout)):
            assert pack(frame, layout) == value[index * size : (index + 1) * size], case.name


def test_samples_without_an_order_of_bytes_are_not_looked_at() -> None:
    wide = Layout(1, 1, 1, 1, 0, 32, 32, 31, False, "MONOCHROME2", little=False)
    with pytest.raises(InstanceHeld):
        frame_at(memoryview(bytes(4)), wide, 0)
    assert frame_at(memoryview(b"\0\0\0\1"), replace(wide, kind="float"), 0).dtype == np.float32


def test_single_bits_are_filled_up() -> None:
    layout = Layout(1, 11, 1, 1, 0, 1, 1, 0, False, "MONOCHROME2")
    assert pack(np.array([[1, 1, 0, 0, 0, 0, 0, 0, 1, 0, 1]], np.uint8), layout) == b"\3\5"


@pytest.mark.parametrize(
    "name",
    ["CT_small.dcm", "MR_small_bigendian.dcm", "SC_rgb.dcm", "SC_rgb_expb_2frame.dcm", "liver_expb.dcm", "liver.dcm",
     "SC_ybr_full_422_uncompressed.dcm", "SC_rgb_16bit.dcm", "rtdose.dcm", "OBXXXX1A_expb.dcm", "SC_rgb_small_odd.dcm"],
)  # fmt: skip
def test_real_files_read_as_pydicom_reads_them(name: str) -> None:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    ds = dcmread(path)
    with open(path, "rb") as file:
        value, layout = opened(file.read())
    ours = np.stack(list(native_frames(value, layout)))
    theirs = ds.pixel_array if ds.PhotometricInterpretation != "YBR_FULL_422" else None
    if theirs is None:
        assert ours.shape == (layout.frames, layout.rows, layout.columns, 3)
        return
    assert np.array_equal(ours.reshape(theirs.shape), theirs)


def test_pixels_that_are_not_all_there_are_held() -> None:
    layout = Layout(4, 6, 2, 1, 0, 8, 8, 7, False, "MONOCHROME2")
    assert frame_at(memoryview(bytes(48)), layout, 1).shape == (4, 6)
    for short in (bytes(47), bytes(46), b""):
        with pytest.raises(InstanceHeld):
            frame_at(memoryview(short), layout, 0)
    subsampled = replace(layout, samples=3, photometric="YBR_FULL_422")
    assert frame_at(memoryview(bytes(96)), subsampled, 1).shape == (4, 6, 3)
    with pytest.raises(InstanceHeld, match="subsampled"):
        frame_at(memoryview(bytes(144)), subsampled, 0)
