"""Which stored value displays darkest."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from proxy.deid.pixels.black import black_of
from proxy.deid.pixels.display import Display, Table, Window
from proxy.deid.pixels.plan import Layout
from proxy.errors import InstanceHeld

CT = Layout(4, 6, 1, 1, 0, 16, 16, 15, True, "MONOCHROME2")
US = Layout(4, 6, 1, 3, 0, 8, 8, 7, False, "RGB")
BRAIN, LUNG = Window(40, 80), Window(-600, 1500)


def grey(photometric: str = "MONOCHROME2", stored: int = 16, signed: bool = True, **more: Any) -> Layout:
    return replace(CT, photometric=photometric, stored=stored, high_bit=stored - 1, signed=signed, **more)


def table(*entries: int, first: int = 0) -> Table:
    return Table(first, np.array(entries, np.float64))


@pytest.mark.parametrize(
    ("photometric", "stored", "signed", "black"),
    [
        ("MONOCHROME2", 8, False, 0),
        ("MONOCHROME2", 12, False, 0),
        ("MONOCHROME2", 12, True, -2048),
        ("MONOCHROME2", 16, True, -32768),
        ("MONOCHROME1", 8, False, 255),
        ("MONOCHROME1", 12, False, 4095),
        ("MONOCHROME1", 12, True, 2047),
    ],
)
def test_grey(photometric: str, stored: int, signed: bool, black: int) -> None:
    assert black_of(grey(photometric, stored, signed)) == (black,)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_single_bit(photometric: str) -> None:
    bit = replace(CT, allocated=1, stored=1, high_bit=0, signed=False, photometric=photometric)
    assert black_of(bit) == (int(photometric == "MONOCHROME1"),)


@pytest.mark.parametrize(
    ("photometric", "stored", "black"),
    [
        ("RGB", 8, (0, 0, 0)),
        ("YBR_RCT", 8, (0, 0, 0)),
        ("YBR_ICT", 16, (0, 0, 0)),
        ("XYB", 8, (0, 0, 0)),
        ("YBR_FULL", 8, (0, 128, 128)),
        ("YBR_FULL", 12, (0, 2048, 2048)),
        ("YBR_FULL_422", 8, (0, 128, 128)),
        ("YBR_PARTIAL_422", 8, (16, 128, 128)),
        ("YBR_PARTIAL_422", 10, (64, 512, 512)),
    ],
)
def test_colour(photometric: str, stored: int, black: tuple[int, ...]) -> None:
    assert black_of(replace(US, photometric=photometric, stored=stored, high_bit=stored - 1)) == black


@pytest.mark.parametrize(
    ("display", "black"),
    [
        (Display(slope=-1), 255),
        (Display(inverse=True), 255),
        (Display(slope=-1, inverse=True), 0),
        (Display(slope=float("-inf")), 255),
        (Display(slope=float("inf")), 0),
        (Display(slope=2, intercept=-1000, windows=(BRAIN,)), 0),
    ],
)
def test_what_turns_round_which_end_is_dark(display: Display, black: int) -> None:
    assert black_of(grey(stored=8, signed=False, light=lambda: display)) == (black,)


def test_a_monochrome1_image_that_says_inverse_is_inverted_once() -> None:
    assert black_of(grey("MONOCHROME1", 8, False, light=lambda: Display(inverse=True))) == (255,)


@pytest.mark.parametrize(
    ("padding", "windows", "black"),
    [
        (-2000, (BRAIN,), -2000),
        (-2000, (BRAIN, LUNG), -2000),
        (-1000, (BRAIN, LUNG), -32768),  # visible in the lung window
        (0, (BRAIN,), 0),
        (1, (BRAIN,), -32768),
        (-2000, (), -32768),  # who windows by the pixels may see it
        (-2000, (Window(40, 80, "SIGMOID"), BRAIN), -32768),
    ],
)
def test_padding_is_black_where_each_window_says_so(padding: int, windows: tuple[Window, ...], black: int) -> None:
    assert black_of(grey(padding=padding, light=lambda: Display(windows=windows))) == (black,)


def test_the_edges_of_an_exact_window() -> None:
    said = Display(windows=(Window(100, 50, "LINEAR_EXACT"),))
    assert black_of(grey(padding=75, light=lambda: said)) == (75,)
    assert black_of(grey(padding=76, light=lambda: said)) == (-32768,)
    assert black_of(grey("MONOCHROME1", padding=125, light=lambda: said)) == (125,)
    assert black_of(grey("MONOCHROME1", padding=124, light=lambda: said)) == (32767,)


def test_padding_at_the_end_of_the_range() -> None:
    said = Display(windows=(Window(100, 100),))
    assert black_of(grey("MONOCHROME1", 12, False, padding=4095, light=lambda: said)) == (4095,)
    assert black_of(grey("MONOCHROME2", 12, False, padding=0, light=lambda: said)) == (0,)
    assert black_of(grey("MONOCHROME1", 12, False, padding=4094, light=lambda: said)) == (4094,)


def test_padding_at_the_bright_end() -> None:
    said = Display(windows=(Window(100, 100),))
    assert black_of(grey("MONOCHROME1", 16, False, padding=60000, light=lambda: said)) == (60000,)
    assert black_of(grey("MONOCHROME2", 16, False, padding=60000, light=lambda: said)) == (0,)
    assert black_of(grey("MONOCHROME1", 16, False, padding=100, light=lambda: said)) == (65535,)


def test_padding_under_a_rescale() -> None:
    said = Display(slope=1, intercept=-1024, windows=(BRAIN,))
    assert black_of(grey(signed=False, padding=1024, light=lambda: said)) == (1024,)
    assert black_of(grey(signed=False, padding=1025, light=lambda: said)) == (0,)


def test_frames_rescaled_in_different_ways_have_no_window() -> None:
    said = Display(slope=float("inf"), windows=(BRAIN,))
    assert black_of(grey(padding=-2000, light=lambda: said)) == (-32768,)


@pytest.mark.parametrize(
    ("display", "black"),
    [
        (Display(modality=table(9, 7, 1, 8, first=10)), 12),
        (Display(modality=table(9, 7, 1, 1, 8, first=10)), 12),
        (Display(tables=(table(0, 0, 5, 9, first=-2),)), -128),
        (Display(tables=(table(9, 5, 0, 0, first=-2),)), 0),
        (Display(tables=(table(9, 5, 3, 0, 7, first=-2), table(9, 9, 9, 0, 9, first=-2))), 1),
        (Display(slope=2, intercept=4, tables=(table(9, 9, 0, 9, first=0),)), -1),
        (Display(modality=table(9, 7, 1, 8, first=10), inverse=True), 10),
    ],
)
def test_lookup_tables_decide(display: Display, black: int) -> None:
    assert black_of(grey(stored=8, light=lambda: display)) == (black,)


def test_a_lookup_table_that_cannot_be_tried_is_held() -> None:
    with pytest.raises(InstanceHeld):
        black_of(replace(CT, allocated=32, stored=17, high_bit=16, light=lambda: Display(tables=(table(1, 2),))))


@pytest.mark.parametrize(
    ("first", "stored", "signed", "black"),
    [
        (0, 8, False, 2), (100, 8, False, 102), (-1, 8, True, 1), (-1, 8, False, 1), (254, 8, False, 255),
        (300, 8, False, 0), (-300, 8, True, 127), (-131, 8, True, -128), (255, 8, False, 255), (256, 8, False, 0),
    ],
)  # fmt: skip
def test_the_darkest_entry_of_a_palette_that_can_be_stored(first: int, stored: int, signed: bool, black: int) -> None:
    lut = np.array([[900, 800, 0, 700], [900, 800, 0, 700], [900, 0, 1, 0]], np.uint16)
    layout = replace(CT, stored=stored, signed=signed, photometric="PALETTE COLOR", lut=lut, first_mapped=first)
    assert black_of(layout) == (black,)


def test_a_palette_that_is_not_there_is_held() -> None:
    with pytest.raises(InstanceHeld):
        black_of(replace(CT, photometric="PALETTE COLOR"))


def test_a_supplemental_palette_is_kept_out_of() -> None:
    assert black_of(grey("MONOCHROME1", 12, False, coloured=1024)) == (1023,)
    assert black_of(grey("MONOCHROME2", 12, False, coloured=1024)) == (0,)
    assert black_of(grey("MONOCHROME2", 12, False, coloured=0)) == (0,)


def test_floating_point() -> None:
    real = replace(CT, kind="float", allocated=32, stored=32, high_bit=31)
    lowest = float(np.finfo(np.float32).min)
    assert black_of(real) == (lowest,)
    assert black_of(replace(real, padding=-9.0)) == (lowest,)
    assert black_of(replace(real, light=lambda: Display(inverse=True))) == (-lowest,)
    windowed = replace(real, light=lambda: Display(windows=(Window(10, 4),)))
    assert black_of(windowed) == (0.0,)
    assert black_of(replace(windowed, padding=-9.0)) == (-9.0,)
    assert black_of(replace(windowed, padding=10.0)) == (0.0,)
    (edge,) = black_of(replace(real, light=lambda: Display(windows=(Window(-50, 20),))))
    assert -70 < edge < -60
