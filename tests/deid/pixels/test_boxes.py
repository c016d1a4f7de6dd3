"""Boxes outside of and without others: exact and without overlap, held against a grid of pixels."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from proxy.deid.pixels.boxes import outside, without
from proxy.deid.pixels.plan import Box

COLUMNS, ROWS = 17, 13


@st.composite
def a_box(draw: st.DrawFn) -> Box:
    left, top = draw(st.integers(-3, COLUMNS + 2)), draw(st.integers(-3, ROWS + 2))
    return Box(left, top, left + draw(st.integers(1, 20)), top + draw(st.integers(1, 20)))


some = st.lists(a_box(), max_size=5)


def painted(boxes: list[Box]) -> NDArray[np.int64]:
    """How often each pixel of a frame is in one of ``boxes``."""
    frame = np.zeros((ROWS, COLUMNS), np.int64)
    for box in boxes:
        if (cut := box.within(COLUMNS, ROWS)) is not None:
            frame[cut.top : cut.bottom, cut.left : cut.right] += 1
    return frame


@given(some)
@settings(max_examples=300, deadline=None)
def test_outside(kept: list[Box]) -> None:
    found = outside(kept, COLUMNS, ROWS)
    assert (painted(list(found)) == (painted(kept) == 0)).all()
    assert all(box.within(COLUMNS, ROWS) == box for box in found)


@given(some, some)
@settings(max_examples=300, deadline=None)
def test_without(blanked: list[Box], kept: list[Box]) -> None:
    found = without(blanked, kept)
    assert (painted(list(found)) == ((painted(blanked) > 0) & (painted(kept) == 0))).all()


def test_nothing_kept_is_everything_blanked() -> None:
    assert outside([], 640, 480) == (Box(0, 0, 640, 480),)


def test_a_frame_around_one_region_is_four_boxes() -> None:
    assert outside([Box(10, 20, 600, 400)], 640, 480) == (
        Box(0, 0, 640, 20), Box(0, 20, 10, 400), Box(600, 20, 640, 400), Box(0, 400, 640, 480),
    )  # fmt: skip
