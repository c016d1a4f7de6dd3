"""Decoded frames as light: 8-bit greys or red, green, blue, by the grey and colour pipelines of PS3.4 N.2.

Modality LUT, then VOI LUT or window, then Photometric Interpretation and Presentation LUT Shape; colours by palette or
by the luminance that they are stored as. Pure.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proxy.deid.pixels.black import looked_up, windowed
from proxy.deid.pixels.display import Display, Table, Window, display_at
from proxy.deid.pixels.header import Header
from proxy.deid.pixels.palette import palette_of
from proxy.deid.pixels.plan import Layout
from proxy.deid.pixels.views import Picture, pictures

Values = NDArray[np.float64]

_PADDING_LIMIT = 0x00280121
#: samples up to so many bits go through a table of all stored values
_TABLED_BITS = 16
#: up to here the stored values are greys where the header names no window; beyond, what the frame has is spread
_PLAIN_BITS = 8


def light_of(frame: NDArray[Any], index: int, layout: Layout, header: Header, window: Window | None) -> Picture:
    """Frame ``index``, from 0, as shape (rows, columns) or (rows, columns, 3); ``window`` goes before the header's."""
    if frame.ndim == 3 or layout.lut is not None:
        return pictures(frame, layout)[0]
    display = display_at(header, index, layout.display)
    if window is not None:
        display = replace(display, windows=(window,), tables=())
    grey = _grey(frame, layout, display, _padded(layout, header))
    return grey if layout.coloured is None else _supplemented(frame, grey, layout, header)


def _padded(layout: Layout, header: Header) -> tuple[float, float] | None:
    """The lowest and highest stored value that pads (PS3.3 C.7.5.1.1.2); None where nothing does."""
    if layout.padding is None:
        return None
    limit = header.words(_PADDING_LIMIT, signed=layout.signed) if layout.kind == "integer" else None
    ends = sorted((float(layout.padding), float(limit[0] if limit else layout.padding)))
    return ends[0], ends[1]


def _grey(frame: NDArray[Any], layout: Layout, display: Display, padded: tuple[float, float] | None) -> Picture:
    inverted = layout.photometric == "MONOCHROME1" or display.inverse
    if layout.kind == "integer" and layout.stored <= _TABLED_BITS:
        values = np.arange(layout.lowest, layout.highest + 1, dtype=np.float64)
        places = frame.astype(np.int32) - layout.lowest
        if layout.stored <= _PLAIN_BITS:
            used = np.ones(values.shape, np.bool_)
        else:
            used = np.zeros(values.shape, np.bool_)
            used[places] = True
        return np.take(_greys(values, used, display, padded, inverted), places, mode="clip")
    finite = np.isfinite(frame)
    values = np.where(finite, frame, 0).astype(np.float64)
    shown = _greys(values, finite, display, padded, inverted)
    return np.where(finite, shown, np.uint8(0))


def _greys(
    values: Values, used: NDArray[np.bool_], display: Display, padded: tuple[float, float] | None, inverted: bool
) -> Picture:
    """Stored values as greys. ``used``: those over which greys are spread where nothing says what to look at."""
    modality = display.modality
    output = looked_up(values, modality) if modality else values * display.slope + display.intercept
    if display.tables:
        light = _by_table(output, display.tables[0])
    elif display.windows:
        light = windowed(display.windows[0])(output)
    else:
        if padded is not None:
            content = used & ((values < padded[0]) | (values > padded[1]))
            used = content if content.any() else used
        light = _spread(output, output[used])
    shown: Picture = np.rint((1 - light if inverted else light) * 255).astype(np.uint8)
    return shown


def _by_table(output: Values, table: Table) -> Values:
    """A VOI LUT's entries over the range that its bits allow; some tables hold more than they say."""
    light: Values = looked_up(output, table) / max(float(table.top), float(table.entries.max()))
    return light


def _spread(output: Values, content: Values) -> Values:
    """Greys from the smallest to the largest of ``content``."""
    low, high = (float(content.min()), float(content.max())) if content.size else (0.0, 0.0)
    light: Values = np.clip((output - low) / (high - low), 0, 1) if high > low else np.zeros(output.shape)
    return light


def _supplemented(frame: NDArray[Any], grey: Picture, layout: Layout, header: Header) -> Picture:
    """Stored values from ``coloured`` on in the colours of the supplemental palette (PS3.3 C.7.6.19)."""
    lut, first = palette_of(header, signed=layout.signed)
    places = np.clip(frame.astype(np.int64) - first, 0, lut.shape[1] - 1)
    colours = (np.ascontiguousarray(lut.T)[places] >> 8).astype(np.uint8)
    return np.where((frame >= first)[..., None], colours, grey[..., None])
