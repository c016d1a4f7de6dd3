"""Decoded frames: samples and stored values, and boxes blanked in place.

A decoded frame is an array of stored values, C-contiguous, (rows, columns) or (rows, columns, samples), of
`Layout.dtype`. A cell is what is allocated for a sample: the stored value, shifted, with unused bits around it. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proxy.deid.pixels.black import black_of
from proxy.deid.pixels.kernels import fill
from proxy.deid.pixels.plan import Box, Layout

Frame = NDArray[Any]


def blank(frame: Frame, boxes: Iterable[Box], layout: Layout) -> None:
    """Write the darkest value into ``boxes`` of a decoded frame, in place; what of a box lies outside is left out."""
    rows, columns = frame.shape[:2]
    pixel = np.array(black_of(layout), frame.dtype).tobytes()
    data = frame.reshape(-1).view(np.uint8)
    if not np.shares_memory(data, frame):
        raise ValueError("a frame is blanked in place and has to be contiguous")
    for box in boxes:
        cut = box.within(columns, rows)
        if cut is not None:
            line = np.frombuffer(pixel * (cut.right - cut.left), np.uint8)
            first, pitch = (cut.top * columns + cut.left) * len(pixel), columns * len(pixel)
            fill(data, first, cut.bottom - cut.top, pitch, line, 0)


def values_of(cells: Frame, layout: Layout) -> Frame:
    """Stored values of cells in this machine's byte order: unused bits above and below are dropped."""
    if layout.kind != "integer" or layout.allocated == layout.stored:
        return cells.view(layout.dtype)
    bits = cells.dtype.itemsize * 8
    # to the top and back: the way back, with sign or without, is what the representation says
    values = (cells.view(f"u{cells.dtype.itemsize}") << (bits - 1 - layout.high_bit)).view(layout.dtype)
    values >>= bits - layout.stored
    return values


def cells_of(values: Frame, layout: Layout) -> Frame:
    """Cells of stored values: unused bits below are 0, above 0 or, where samples are signed, the sign."""
    cells: Frame = values << layout.shift if layout.kind == "integer" and layout.shift else values
    return cells


def stored_as(layout: Layout) -> np.dtype[Any]:
    """The type of a cell in encoded native pixel data."""
    return layout.dtype.newbyteorder("<" if layout.little else ">")
