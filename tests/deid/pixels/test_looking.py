"""Looking for text: what is found is covered, what need not be read is not, and the same is found every time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from proxy.deid.pixels.looking import Look, text_areas
from proxy.deid.pixels.plan import Area, Box, Layout
from proxy.workers.text_reader import make_reader
from tests.deid.pixels.text_images import covered, images

READER = make_reader()
GREY = Layout(256, 256, 1, 1, 0, 8, 8, 7, False, "MONOCHROME2")
Frame = NDArray[np.uint8]


def picture(*texts: tuple[str, int, int]) -> Frame:
    canvas = Image.new("L", (256, 256), 20)
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(20)
    for text, left, top in texts:
        pen.text((left, top), text, 230, font=font)
    return np.array(canvas)


def box_of(frame: Frame) -> Box:
    down, along = np.nonzero(frame > 100)
    return Box(int(along.min()), int(down.min()), int(along.max()) + 1, int(down.max()) + 1)


def look(*frames: Frame, how: str = "full", blanked: tuple[Area, ...] = (), **more: Any) -> tuple[Area, ...]:
    layout = replace(GREY, frames=len(frames))
    return text_areas(lambda index: frames[index], layout, Look(how, **more), blanked, READER)


class Counting:
    """Counts what it is shown."""

    def __init__(self) -> None:
        self.found = self.pixels = 0

    def find(self, image: Frame) -> tuple[Box, ...]:
        self.found += 1
        self.pixels += image.shape[0] * image.shape[1]
        return READER.find(image)

    def read(self, image: Frame, box: Box) -> tuple[str, float]:
        return READER.read(image, box)


@pytest.mark.parametrize("how", ["full", "screen"])
def test_a_name_is_covered(how: str) -> None:
    frame = picture(("ANDERSSON^LARS", 30, 40))
    assert covered(box_of(frame), look(frame, how=how)) == 1.0


def test_nothing_is_found_in_an_empty_frame() -> None:
    assert look(picture()) == ()
    assert look(picture(), how="screen") == ()


def test_a_name_in_the_last_frame_is_blanked_in_all() -> None:
    empty, named = picture(), picture(("KOWALSKA", 60, 200))
    areas = look(empty, empty, named)
    assert all(area.frames is None for area in areas)
    assert covered(box_of(named), areas) == 1.0


def test_what_is_blanked_already_is_not_read() -> None:
    frame = picture(("DUBOIS", 40, 10))
    assert look(frame, blanked=(Area(Box(0, 0, 256, 60), "rule"),)) == ()


def test_frames_that_are_the_same_are_read_once() -> None:
    frame, reader = picture(("OKAFOR", 40, 10)), Counting()
    text_areas(lambda _: frame, GREY, Look("full"), (), reader)
    once = reader.found
    text_areas(lambda _: frame, replace(GREY, frames=20), Look("full"), (), reader)
    assert reader.found == 2 * once


def test_the_screen_spares_the_reader() -> None:
    reader = Counting()
    text_areas(lambda _: picture(), GREY, Look("screen"), (), reader)
    assert reader.found == 0


def test_an_audit_reads_what_the_screen_passed_always_the_same_frames() -> None:
    frames = [picture()] * 40
    read = []
    for seed in (b"one", b"one", b"other"):
        reader = Counting()
        layout = replace(GREY, frames=40)
        text_areas(lambda index: frames[index], layout, Look("screen", 0.3, seed), (), reader)
        read.append(reader.found)
    assert read[0] == read[1]
    assert 0 < read[0] < 40


def test_a_scale_stays_where_the_profile_lets_it_and_a_name_does_not() -> None:
    frame = picture(("5 cm", 40, 20), ("GARCIA", 40, 120))
    areas = look(frame, keeps=True, identities=("Garcia^Sofia",))
    assert covered(box_of(picture(("GARCIA", 40, 120))), areas) == 1.0
    assert covered(box_of(picture(("5 cm", 40, 20))), areas) == 0.0
    assert covered(box_of(picture(("5 cm", 40, 20))), look(frame)) == 1.0


def test_the_same_frame_has_the_same_areas() -> None:
    frame = picture(("PETROV 12/03/1961", 10, 100))
    assert look(frame) == look(frame)


@pytest.mark.parametrize("modality", ["CT", "MR", "US"])
def test_most_text_over_real_backgrounds_is_covered(modality: str) -> None:
    """A sample; the figure over a thousand strings is measured by the bench."""
    shares = []
    for image in images(4711, 6, (modality,)):
        at: Callable[[int], Any] = lambda _, frame=image.frame: frame  # noqa: E731
        areas = text_areas(at, image.layout, Look("full"), (), READER)
        shares += [covered(string.box, areas) >= 0.95 for string in image.strings]
    assert sum(shares) >= len(shares) - 1
