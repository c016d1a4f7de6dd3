"""What there is to see in a decoded frame, at whatever window, in whatever plane, with or without its palette.

Planes keep every stored value apart, for the screen; pictures are 8 bits wide, for a reader: text that two values
differ by is as black and white in one of them as text that a thousand values differ by. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proxy.deid.pixels.plan import Layout

Plane = NDArray[np.uint16]
Picture = NDArray[np.uint8]
Window = Callable[[Plane], Picture]

#: the picture's greys that the middle of the values, without this share at either end, is stretched over; the rest of
#: the greys is left for what lies outside: it stays visible, and takes no contrast away
_ENDS, _DARK, _LIGHT = 0.01, 24, 231
#: luminance and colour differences to red, green, blue (PS3.3 C.7.6.3.1.2)
_RED_CR, _GREEN_CB, _GREEN_CR, _BLUE_CB = 1.402, -0.344136, -0.714136, 1.772
#: photometric interpretations whose decoded samples are luminance and colour differences
_YBR = ("YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_420", "YBR_PARTIAL_422")
#: of those, the ones that leave room below black and above white
_PARTIAL = ("YBR_PARTIAL_420", "YBR_PARTIAL_422")


def planes(frame: NDArray[Any], layout: Layout) -> tuple[Plane, ...]:
    """Every sample by itself, as unsigned 16 bits; of a palette the indices and the colours that they stand for."""
    if layout.lut is not None:
        colours = _looked_up(frame, layout)
        grey = all(np.array_equal(layout.lut[0], other) for other in layout.lut[1:])
        shown = (colours[..., 0],) if grey else tuple(colours[..., sample] for sample in range(3))
        return (*_wide(frame), *(np.ascontiguousarray(plane) for plane in shown))
    if frame.ndim == 2:
        return _wide(frame)
    return tuple(plane for sample in range(frame.shape[2]) for plane in _wide(frame[..., sample]))


def pictures(frame: NDArray[Any], layout: Layout) -> tuple[Picture, ...]:
    """The frame as a reader sees it, (rows, columns) or (rows, columns, 3); of wide grey samples two windows."""
    if layout.lut is not None:
        return ((_looked_up(frame, layout) >> 8).astype(np.uint8),)
    if frame.ndim == 3 and frame.shape[2] == 3:
        return (_coloured(frame, layout),)
    shown = [plane for sample in _samples(frame) for plane in _wide(sample)]
    windows = (stretched, equalised) if layout.stored > 8 else (stretched,)
    return tuple(window(plane) for plane in shown for window in windows)


def stretched(plane: Plane) -> Picture:
    """``plane`` with the middle of its values over most greys, see `_ENDS`; falls nowhere, so nothing is hidden."""
    counts = np.bincount(plane.reshape(-1))
    below = counts.cumsum()
    low, middle, high, top = (
        int(np.searchsorted(below, at)) for at in (1, _ENDS * plane.size, (1 - _ENDS) * plane.size, plane.size)
    )
    if low == top:
        return np.zeros(plane.shape, np.uint8)
    values, greys = [low, top], [0, 255]
    if low < middle < high < top:
        values, greys = [low, middle, high, top], [0, _DARK, _LIGHT, 255]
    table = np.rint(np.interp(np.arange(counts.size), values, greys)).astype(np.uint8)
    return table[plane]


def equalised(plane: Plane) -> Picture:
    """``plane`` with greys by rank: values that many pixels have are far apart, however near they are."""
    counts = np.bincount(plane.reshape(-1))
    ranks = counts.cumsum() - counts / 2
    return np.rint(ranks * (255 / plane.size)).astype(np.uint8)[plane]


def _samples(frame: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    return (frame,) if frame.ndim == 2 else tuple(frame[..., sample] for sample in range(frame.shape[2]))


def _wide(sample: NDArray[Any]) -> tuple[Plane, ...]:
    """One sample of each pixel as unsigned 16 bits, order and differences kept; where that loses values, two views."""
    if sample.dtype.kind == "f":
        known = np.where(np.isfinite(sample), sample, np.nan).astype(np.float64)
        sample = np.nan_to_num(known, nan=float(np.nanmin(known)) if np.isfinite(known).any() else 0.0)
    elif sample.dtype.itemsize <= 2:
        lowest = np.iinfo(sample.dtype).min
        return (np.ascontiguousarray((sample.astype(np.int32) - lowest).astype(np.uint16)),)
    low, high = float(sample.min()), float(sample.max())
    if sample.dtype.kind != "f" and high - low < 65536:
        return (np.ascontiguousarray((sample.astype(np.int64) - int(low)).astype(np.uint16)),)
    scaled = (sample.astype(np.float64) - low) * (65535 / (high - low)) if high > low else np.zeros(sample.shape)
    _, ranks = np.unique(sample, return_inverse=True)
    spread = ranks.reshape(sample.shape) * (65535 / max(int(ranks.max()), 1))
    return tuple(np.rint(view).astype(np.uint16) for view in (scaled, spread))


def _looked_up(frame: NDArray[Any], layout: Layout) -> NDArray[np.uint16]:
    """Colours of palette indices, 16 bits wide, (rows, columns, 3); beyond its ends the table goes on with them."""
    assert layout.lut is not None
    places = np.clip(frame.astype(np.int64) - layout.first_mapped, 0, layout.lut.shape[1] - 1)
    return np.ascontiguousarray(layout.lut.T)[places]


def _coloured(frame: NDArray[Any], layout: Layout) -> Picture:
    """Three samples a pixel as red, green, blue of 8 bits."""
    narrow = frame if layout.stored == 8 else (frame.astype(np.float64) * (255 / max(layout.highest, 1)))
    if layout.photometric not in _YBR:
        return np.ascontiguousarray(np.clip(narrow, 0, 255).astype(np.uint8))
    y, cb, cr = (narrow[..., sample].astype(np.float32) for sample in range(3))
    cb, cr = cb - 128, cr - 128
    if layout.photometric in _PARTIAL:
        y, cb, cr = (y - 16) * np.float32(255 / 219), cb * np.float32(255 / 224), cr * np.float32(255 / 224)
    red, green, blue = y + _RED_CR * cr, y + _GREEN_CB * cb + _GREEN_CR * cr, y + _BLUE_CB * cb
    return np.clip(np.stack((red, green, blue), axis=-1) + np.float32(0.5), 0, 255).astype(np.uint8)
