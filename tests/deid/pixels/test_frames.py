"""Decoded frames: cells and stored values, boxes blanked in place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from proxy.deid.pixels.frames import blank, cells_of, stored_as, values_of
from proxy.deid.pixels.plan import Box, Layout

GREY = Layout(5, 7, 1, 1, 0, 16, 12, 11, True, "MONOCHROME2")
RGB = Layout(5, 7, 1, 3, 0, 8, 8, 7, False, "YBR_FULL")
BITS = ((8, 8, 7), (8, 5, 4), (8, 5, 7), (16, 12, 13), (16, 16, 15), (32, 20, 25), (32, 32, 31))
KINDS = [
    replace(GREY, allocated=allocated, stored=stored, high_bit=high, signed=signed)
    for allocated, stored, high in BITS
    for signed in (False, True)
]


@pytest.mark.parametrize("layout", KINDS, ids=str)
def test_cells_hold_what_is_stored(layout: Layout) -> None:
    rng = np.random.default_rng(3)
    values = rng.integers(layout.lowest, layout.highest, (5, 7), endpoint=True).astype(layout.dtype)
    values[0, :2] = layout.lowest, layout.highest
    cells = cells_of(values, layout)
    assert cells.dtype == layout.dtype
    assert np.array_equal(values_of(cells, layout), values)
    unused = ~(((1 << layout.stored) - 1) << layout.shift)
    noise = rng.integers(0, 1 << layout.allocated, (5, 7)).astype(f"u{layout.allocated // 8}")
    dirty = cells.view(noise.dtype) ^ (noise & np.array(unused & ((1 << layout.allocated) - 1), noise.dtype))
    assert np.array_equal(values_of(dirty, layout), values)
    assert values_of(dirty, layout).dtype == layout.dtype


@pytest.mark.parametrize("layout", [*KINDS, RGB, replace(RGB, photometric="RGB")], ids=str)
def test_boxes_are_blanked_in_place(layout: Layout) -> None:
    shape = (5, 7, 3) if layout.samples == 3 else (5, 7)
    frame = np.random.default_rng(4).integers(1, 9, shape).astype(layout.dtype)
    expected = frame.copy()
    black = {"YBR_FULL": [0, 128, 128], "RGB": [0, 0, 0]}.get(layout.photometric, layout.lowest)
    expected[1:3, 2:5] = black
    expected[4:, 6:] = black
    blank(frame, [Box(2, 1, 5, 3), Box(6, 4, 20, 20), Box(7, 0, 9, 3), Box(-3, -3, 0, 0)], layout)
    assert np.array_equal(frame, expected)


def test_single_bits_and_floating_point_are_blanked_too() -> None:
    bits = np.zeros((5, 7), np.uint8)
    blank(
        bits,
        [Box(0, 0, 7, 1)],
        replace(GREY, allocated=1, stored=1, high_bit=0, signed=False, photometric="MONOCHROME1"),
    )
    assert bits.sum() == 7
    real = np.zeros((5, 7), np.float64)
    blank(real, [Box(0, 0, 1, 1)], replace(GREY, kind="double", allocated=64, stored=64, high_bit=63))
    assert (real != 0).sum() == 1
    assert real[0, 0] == np.finfo(np.float64).min


def test_a_frame_that_is_not_contiguous_is_an_error_and_not_a_silent_copy() -> None:
    with pytest.raises(ValueError, match="in place"):
        blank(np.zeros((14, 5), np.int16).T, [Box(0, 0, 1, 1)], GREY)


def test_cells_of_big_endian() -> None:
    assert stored_as(GREY) == np.dtype("<i2")
    assert stored_as(replace(GREY, little=False)) == np.dtype(">i2")
