"""Text that no usual window, plane or frame shows is found all the same: beyond the display window, in one colour, in
chrominance, under a palette that paints it like its surroundings, rotated, in one frame of a loop.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from proxy.deid.pixels.looking import Look, text_areas
from proxy.deid.pixels.plan import Layout
from proxy.workers.text_reader import make_reader
from tests.deid.pixels.test_looking import box_of
from tests.deid.pixels.text_images import covered

READER = make_reader()
SIDE = 256
WORDS = "KOWALSKA^ANNA"
NOISE = np.random.default_rng(3).integers(0, 12, (SIDE, SIDE))
COLOUR = Layout(SIDE, SIDE, 1, 3, 0, 8, 8, 7, False, "RGB")
DEEP = Layout(SIDE, SIDE, 1, 1, 0, 16, 12, 11, False, "MONOCHROME2")


def ink(left: int = 30, top: int = 100) -> NDArray[np.bool_]:
    """Where the letters are."""
    canvas = Image.new("L", (SIDE, SIDE), 0)
    ImageDraw.Draw(canvas).text((left, top), WORDS, 255, font=ImageFont.load_default(22))
    return np.array(canvas) > 127


def grey(frame: NDArray[Any]) -> NDArray[Any]:
    return np.repeat(frame[..., None], 3, axis=2).astype("u1")


def above_the_window() -> tuple[NDArray[Any], Layout]:
    frame = 1000 + NOISE
    frame[:60, :60] = 4095
    frame[ink()] = 1000 + 300
    return frame.astype("u2"), DEEP


def beyond_all_tissue() -> tuple[NDArray[Any], Layout]:
    """Hardly lighter than an area that any window shows as white."""
    frame = 200 + NOISE * 30
    frame[80:160] = 3900
    frame[ink()] = 3960
    return frame.astype("u2"), DEEP


def _channel(channel: int) -> tuple[NDArray[Any], Layout]:
    frame = grey(90 + NOISE)
    frame[..., channel][ink()] = 150
    return frame, COLOUR


def chrominance() -> tuple[NDArray[Any], Layout]:
    frame = np.stack([90 + NOISE, np.full((SIDE, SIDE), 128), np.full((SIDE, SIDE), 128)], axis=2).astype("u1")
    frame[..., 2][ink()] = 190
    return frame, replace(COLOUR, photometric="YBR_FULL")


def _palette(entries: list[int], words: int) -> tuple[NDArray[Any], Layout]:
    table = np.array([entries] * 3, np.uint16)
    frame = np.where(ink(), words, 2).astype("u1")
    return frame, Layout(SIDE, SIDE, 1, 1, 0, 8, 8, 7, False, "PALETTE COLOR", lut=table)


def under_a_palette() -> tuple[NDArray[Any], Layout]:
    """Both indices are the same black: only the indices tell."""
    return _palette([0] * 256, 120)


def by_a_palette() -> tuple[NDArray[Any], Layout]:
    """Neighbouring indices of very different colours."""
    return _palette([0, 0, 0, 65535] + [0] * 252, 3)


def upright() -> tuple[NDArray[Any], Layout]:
    frame = grey(60 + NOISE)
    frame[np.rot90(ink())] = 220
    return frame, COLOUR


PLACES = {
    "above the window": above_the_window,
    "beyond all tissue": beyond_all_tissue,
    "red": lambda: _channel(0),
    "green": lambda: _channel(1),
    "blue": lambda: _channel(2),
    "chrominance": chrominance,
    "under a palette": under_a_palette,
    "by a palette": by_a_palette,
    "upright": upright,
}


@pytest.mark.parametrize("place", PLACES)
def test_text_is_covered(place: str) -> None:
    frame, layout = PLACES[place]()
    areas = text_areas(lambda _: frame, layout, Look("full"), (), READER)
    letters = np.rot90(ink()) if place == "upright" else ink()
    assert covered(box_of((letters * 255).astype("u1")), areas) >= 0.95


def test_a_clock_that_moves_is_covered_in_every_frame() -> None:
    layout = replace(DEEP, allocated=8, stored=8, high_bit=7, frames=3)
    frames = [np.where(ink(20 + 30 * at, 40 + 60 * at), 200, 40 + NOISE).astype("u1") for at in range(3)]
    areas = text_areas(lambda at: frames[at], layout, Look("full"), (), READER)
    for at in range(3):
        shown = tuple(area for area in areas if area.frames is None or at in area.frames)
        assert covered(box_of((ink(20 + 30 * at, 40 + 60 * at) * 255).astype("u1")), shown) >= 0.95
