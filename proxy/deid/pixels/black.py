"""The stored value of each sample that displays darkest, from the header alone.

Colour: no light, neutral chrominance. Palette: the darkest entry that can be stored. Grey: the end of the stored range
that Photometric Interpretation, rescale and presentation make dark; the darkest input where a Modality or VOI LUT
decides. Viewers that window by minimum and maximum would stretch to such an extreme, but leave out Pixel Padding
Value: it is preferred where each window of the header shows it as dark as the extreme. Pure.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from proxy.deid.pixels.display import Table, Window
from proxy.deid.pixels.header import unreadable
from proxy.deid.pixels.plan import Layout

Values = NDArray[np.float64]
#: luminance of red, green, blue (ITU-R BT.601, as PS3.3 C.7.6.3.1.2)
_LUMINANCE = np.array([0.299, 0.587, 0.114])
#: lookup tables are tried for every stored value; wider samples have none
_TRIED_BITS = 16


def black_of(layout: Layout) -> tuple[int | float, ...]:
    """One stored value a sample, in the order of the samples; integers but for floating point pixel data."""
    return _BLACK.get(layout.photometric, _grey)(layout)


def _rgb(layout: Layout) -> tuple[int | float, ...]:
    """RGB, and what a codec decodes to it: YBR_RCT, YBR_ICT, XYB."""
    return (0, 0, 0)


def _full(layout: Layout) -> tuple[int | float, ...]:
    neutral = 1 << (layout.stored - 1)
    return (0, neutral, neutral)


def _partial(layout: Layout) -> tuple[int | float, ...]:
    neutral = 1 << (layout.stored - 1)
    return ((16 << layout.stored) >> 8, neutral, neutral)


def _palette(layout: Layout) -> tuple[int | float, ...]:
    """The index of the darkest entry; an index below the first mapped value shows the first entry, above the last."""
    if layout.lut is None:
        raise unreadable("no palette")
    first, last = layout.first_mapped, layout.first_mapped + layout.lut.shape[1] - 1
    low, high = max(layout.lowest, first), min(layout.highest, last)
    if low > high:
        return (layout.lowest if first > layout.highest else layout.highest,)
    light = _LUMINANCE @ layout.lut[:, low - first : high - first + 1]
    return (low + int(np.argmin(light)),)


def _grey(layout: Layout) -> tuple[int | float, ...]:
    """Of the candidates, in order of preference, the first that is as dark as any."""
    low, high = _range(layout)
    inverted = layout.photometric == "MONOCHROME1" or layout.display.inverse
    extreme = low if _ascending(layout) != inverted else high
    candidates: list[int | float] = []
    if _judges(layout):
        if layout.padding is not None and low <= layout.padding <= high:
            candidates.append(layout.padding)
        if layout.kind != "integer":
            candidates += [0.0, *_edges(layout)]
    candidates.append(extreme)
    if layout.display.modality is not None or layout.display.tables:
        if layout.kind != "integer" or layout.stored > _TRIED_BITS:
            raise unreadable("a lookup table for samples of more than 16 bits")
        tried = range(int(low), int(high) + 1)
        candidates += tried if extreme == low else reversed(tried)
    light = _light(np.array(candidates, np.float64), layout, inverted)
    return (candidates[int(np.argmin(light))],)


def _range(layout: Layout) -> tuple[int | float, int | float]:
    """The values to choose from; what a supplemental palette colours (PS3.3 C.7.6.19) is left out where it can be."""
    if layout.kind != "integer":
        info = np.finfo(layout.dtype)
        return float(info.min), float(info.max)
    low, high = layout.lowest, layout.highest
    coloured = layout.coloured
    return low, high if coloured is None or coloured <= low else min(high, coloured - 1)


def _ascending(layout: Layout) -> bool:
    return layout.display.modality is not None or layout.display.slope > 0


def _judges(layout: Layout) -> list[Callable[[Values], Values]]:
    """The windows and VOI LUTs that a viewer may choose from: output of the Modality LUT → light, 0 to 1.

    None where frames are rescaled in different ways: then a window has no one edge in stored values.
    """
    display = layout.display
    if not np.isfinite(display.slope):
        return []
    windows = [windowed(window) for window in display.windows]
    return [*windows, *(_tabled(table) for table in display.tables)]


def _light(values: Values, layout: Layout, inverted: bool) -> Values:
    """What the least dark of the possible displays shows for each stored value."""
    display = layout.display
    if display.modality is not None:
        output = looked_up(values, display.modality)
    elif np.isfinite(display.slope):
        output = display.slope * values + display.intercept
    else:
        output = np.copysign(1.0, display.slope) * values
    shown = [judge(output) for judge in _judges(layout)] or [output]
    light: Values = np.max([-each if inverted else each for each in shown], axis=0)
    return light


def windowed(window: Window) -> Callable[[Values], Values]:
    """A window as output of the Modality LUT → light (PS3.3 C.11.2.1.2 and C.11.2.1.3)."""
    centre, width = window.centre, window.width
    if window.function == "SIGMOID":
        return lambda x: 1 / (1 + np.exp(np.clip(-4 * (x - centre) / width, -700, 700)))
    low, span = _window_edge(window), max(width if window.function == "LINEAR_EXACT" else width - 1, 1e-9)
    return lambda x: np.clip((x - low) / span, 0, 1)


def _window_edge(window: Window) -> float:
    exact = window.function == "LINEAR_EXACT"
    return window.centre - window.width / 2 if exact else window.centre - 0.5 - (window.width - 1) / 2


def _tabled(table: Table) -> Callable[[Values], Values]:
    top = max(float(table.entries.max()), 1.0)
    return lambda x: looked_up(x, table) / top


def looked_up(values: Values, table: Table) -> Values:
    """What ``table`` has for ``values``."""
    at = np.clip(np.floor(values) - table.first, 0, len(table.entries) - 1)
    entries: Values = table.entries[at.astype(np.int64)]
    return entries


def _edges(layout: Layout) -> list[float]:
    """Stored values on either side of all windows: as dark as an extreme, and no new one (floating point only)."""
    display = layout.display
    lows = [_window_edge(window) for window in display.windows]
    highs = [low + window.width for low, window in zip(lows, display.windows, strict=True)]
    stored = [(edge - display.intercept) / display.slope for edge in (*lows, *highs)]
    margin = 1e-3 * max(map(abs, stored), default=0.0) + 1.0
    return [min(stored) - margin, max(stored) + margin] if stored else []


_BLACK: dict[str, Callable[[Layout], tuple[int | float, ...]]] = {
    "RGB": _rgb,
    "YBR_RCT": _rgb,
    "YBR_ICT": _rgb,
    "XYB": _rgb,
    "YBR_FULL": _full,
    "YBR_FULL_422": _full,
    "YBR_PARTIAL_422": _partial,
    "PALETTE COLOR": _palette,
}
